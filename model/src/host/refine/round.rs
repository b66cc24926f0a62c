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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::refine::moments::own_moments;

    /// Columns of the matrix here.
    const COLS: usize = 8;

    /// Inputs of which each is much like its neighbour, as a walk of small steps.
    fn inputs() -> Vec<f32> {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut x: Vec<f32> = (0..300 * COLS).map(|_| random()).collect();
        for x in x.chunks_exact_mut(COLS) {
            (1..COLS).for_each(|i| x[i] = x[i - 1] + 0.2 * x[i]);
        }
        x
    }

    /// The mean square of what rounding changes in the outputs.
    fn error(rows: &Rows, weights: &[f64], x: &[f32]) -> f64 {
        let lost: Vec<f64> = rows.numbers().iter().zip(weights).map(|(&a, b)| f64::from(a) - b).collect();
        let outputs = lost.chunks(COLS).flat_map(|lost| {
            x.chunks(COLS).map(|x| lost.iter().zip(x).map(|(w, &x)| w * f64::from(x)).sum::<f64>().powi(2))
        });
        outputs.sum()
    }

    #[test]
    fn feedback_makes_up_for_errors_where_inputs_are_alike() {
        let x = inputs();
        let weights: Vec<f64> = (0..40 * COLS).map(|i| (i as f64 * 0.7).sin()).collect();
        let moments = own_moments(&x, COLS);
        let mut alone = moments.clone();
        alone.iter_mut().enumerate().filter(|(at, _)| at % (COLS + 1) != 0).for_each(|(_, m)| *m = 0.0);
        let with = error(&Feedback::new(&moments, COLS).round(&weights), &weights, &x);
        let without = error(&Feedback::new(&alone, COLS).round(&weights), &weights, &x);
        assert!(with < 0.5 * without, "{with} with feedback, {without} without");
    }

    #[test]
    fn a_row_of_zeros_stays_one() {
        let rows = Feedback::new(&own_moments(&inputs(), COLS), COLS).round(&[0.0; COLS]);
        assert_eq!(rows.numbers(), [0.0; COLS]);
    }
}
