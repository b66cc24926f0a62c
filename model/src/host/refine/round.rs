//! Rounding to 8 bits with error feedback: what rounding a weight does to a row's output is made up for by the weights
//! that are not rounded yet (Frantar et al., "GPTQ", 2022).
use super::moments::{add_to_diagonal, cholesky, solve};
use crate::host::quantize::{Rows, WEIGHT_MAX};
use rayon::prelude::*;

/// A share of the mean moment that counts on top of each: GPTQ's.
const DAMPING: f64 = 0.01;
/// A row's largest scale puts its largest weight at 127; smaller ones, which limit it, are tried in so many steps,
const SCALES: u32 = 12;
/// each of such a share.
const STEP: f64 = 0.02;

/// What is known of the inputs x (cols,) of a matrix.
pub struct Feedback {
    /// The columns, those of the largest inputs first.
    order: Vec<usize>,
    /// The upper triangle U with `Uᵀ U = H⁻¹`, H the moments of x in this order.
    upper: Vec<f64>,
}

impl Feedback {
    /// From the moments of x (cols, cols).
    pub fn new(moments: &[f64], cols: usize) -> Self {
        let mut order: Vec<usize> = (0..cols).collect();
        order.sort_by(|&a, &b| moments[b * (cols + 1)].total_cmp(&moments[a * (cols + 1)]));
        let at = |at: usize| moments[order[at / cols] * cols + order[at % cols]];
        let mut h: Vec<f64> = (0..cols * cols).map(at).collect();
        add_to_diagonal(&mut h, cols, DAMPING);
        let l = cholesky(&h, cols);
        let mut inverse = vec![0.0; cols * cols];
        inverse.par_chunks_mut(cols).enumerate().for_each(|(i, row)| {
            row[i] = 1.0;
            solve(&l, row);
        });
        let l = cholesky(&inverse, cols);
        let upper = (0..cols * cols).map(|at| l[at % cols * cols + at / cols]).collect();
        Self { order, upper }
    }

    /// How much of each input the ones rounded after it cannot make up for (cols,).
    pub fn left_over(&self) -> Vec<f64> {
        let cols = self.order.len();
        let mut left_over = vec![0.0; cols];
        for (i, &column) in self.order.iter().enumerate() {
            left_over[column] = self.upper[i * (cols + 1)].powi(-2);
        }
        left_over
    }

    /// Rounds a matrix (rows, cols).
    pub fn round(&self, weights: &[f64]) -> Rows {
        let cols = self.order.len();
        let rows: Vec<(Vec<i8>, f64)> = weights.par_chunks(cols).map(|row| self.round_row(row)).collect();
        let scales = rows.iter().map(|(_, scale)| *scale).collect();
        Rows { cols, codes: rows.into_iter().flat_map(|(codes, _)| codes).collect(), scales }
    }

    /// A row's integers and scale: of those that are tried, the one with the least error of the output.
    fn round_row(&self, row: &[f64]) -> (Vec<i8>, f64) {
        let largest = row.iter().fold(0.0f64, |max, weight| max.max(weight.abs())) / WEIGHT_MAX;
        let tried = (0..SCALES).map(|step| {
            let scale = largest * (1.0 - STEP * f64::from(step));
            let (codes, error) = self.round_with(row, scale);
            (error, codes, scale)
        });
        let (_, codes, scale) = tried.min_by(|a, b| a.0.total_cmp(&b.0)).expect("a scale was tried");
        (codes, scale)
    }

    /// A row's integers for a scale, and the mean square of the output's error.
    fn round_with(&self, row: &[f64], scale: f64) -> (Vec<i8>, f64) {
        let cols = row.len();
        let (mut codes, mut error) = (vec![0; cols], 0.0);
        if scale == 0.0 {
            return (codes, error);
        }
        let mut rest: Vec<f64> = self.order.iter().map(|&column| row[column]).collect();
        for (i, &column) in self.order.iter().enumerate() {
            let code = (rest[i] / scale).round_ties_even().clamp(-WEIGHT_MAX, WEIGHT_MAX);
            let upper = &self.upper[i * cols..][..cols];
            let lost = (rest[i] - code * scale) / upper[i];
            error += lost * lost;
            for (rest, upper) in rest.iter_mut().zip(upper).skip(i + 1) {
                *rest -= lost * upper;
            }
            codes[column] = code as i8;
        }
        (codes, error)
    }
}
