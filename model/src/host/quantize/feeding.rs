//! Rounding of numbers to codes, each to the nearest, or with its error fed on.
//!
//! What a matrix is for is W x. Once a weight of a row is rounded, those that are not yet rounded can make up for its
//! error, as far as their inputs go along with its own: GPTQ (Frantar et al., 2022). For inputs X (positions, cols)
//! with `XᵀX = L Lᵀ` the squared error of a row's outputs, for errors e (cols,) of its weights, is
//! `|Lᵀ e|² = Σ_k (L_kk e_k + Σ_{j>k} L_jk e_j)²`. So from the last column to the first each weight is rounded such
//! that its own term is as small as can be: to the nearest of `w_k + Σ_{j>k} e_j L_jk / L_kk`. (Chen et al., "The
//! Geometry of LLM Quantization", 2025, show that this is GPTQ, which updates the weights instead.)
//!
//! Where a group of columns may take one of several steps, each is tried when the group's turn has come, and the one
//! with the least sum of its columns' terms is taken. Some channels' inputs are a hundred times the others': a step
//! that their weights are near a multiple of is worth more than the smallest one.
use crate::host::dense::damped_cholesky;
use crate::matrix::{Grouped, factors::GROUP_ROWS};

/// What is added to the diagonal of XᵀX, as a part of its mean: it keeps errors small where X says little.
const DAMPING: f32 = 0.01;

/// The most columns of a group.
pub const MOST_COLUMNS: usize = Grouped::MOST_COLUMNS;

/// How the errors of a matrix's columns are fed on.
pub struct Feeding {
    /// The matrix's columns in L's order: the last is rounded first.
    pub(super) order: Vec<usize>,
    /// L (cols, cols), zeros above the diagonal.
    factor: Vec<f32>,
    cols: usize,
}

impl Feeding {
    /// A row of L.
    fn row(&self, column: usize) -> &[f32] {
        &self.factor[column * self.cols..][..self.cols]
    }

    /// For a matrix whose rows have one scale, and whose inputs X have this XᵀX (cols, cols), of which the lower half is
    /// read. `None` where all inputs are zero. The columns of the largest inputs are rounded first, as more columns
    /// then make up for their errors.
    pub fn for_rows(squares: &[f32], cols: usize) -> Option<Self> {
        let mut order: Vec<usize> = (0..cols).collect();
        order.sort_by(|&a, &b| squares[a * (cols + 1)].total_cmp(&squares[b * (cols + 1)]));
        let square = |(&a, &b): (&usize, &usize)| squares[a.max(b) * cols + a.min(b)];
        let in_order: Vec<f32> =
            order.iter().flat_map(|a| order.iter().map(move |b| square((a, b)))).collect();
        damped_cholesky(&in_order, cols, DAMPING).map(|factor| Self { order, factor, cols })
    }

    /// The same for a matrix with columns in groups, which stay together.
    pub fn for_groups(squares: &[f32], cols: usize) -> Option<Self> {
        let order = (0..cols).collect();
        damped_cholesky(squares, cols, DAMPING).map(|factor| Self { order, factor, cols })
    }

    /// How much of each column's inputs, squared, the columns rounded after it cannot make up for (cols,).
    pub fn left_over(&self) -> Vec<f32> {
        let mut left_over = vec![0.0; self.cols];
        for (at, &column) in self.order.iter().enumerate() {
            left_over[column] = self.row(at)[at].powi(2);
        }
        left_over
    }
}

/// Rows of numbers as codes.
pub struct Rounded {
    /// The multiples of their groups' steps, column by column.
    pub codes: Vec<[i8; GROUP_ROWS]>,
    /// Which of its steps each group took, group by group.
    pub taken: Vec<[usize; GROUP_ROWS]>,
    /// The squared error of each row's outputs.
    pub costs: [f64; GROUP_ROWS],
}

/// Rounds at most 8 rows of as many columns, in the feeding's order, to multiples of a step, at most `limit` of them;
/// rows may be empty. Each group of `columns` columns (at most 32) takes that one of `steps(row, group)` with which the
/// squared error is least.
pub fn round_rows<const STEPS: usize>(
    rows: &[&[f32]],
    cols: usize,
    columns: usize,
    steps: impl Fn(usize, usize) -> [f64; STEPS],
    limit: f64,
    feeding: Option<&Feeding>,
) -> Rounded {
    let mut codes = vec![[0; GROUP_ROWS]; cols];
    let mut taken = vec![[0; GROUP_ROWS]; cols.div_ceil(columns)];
    let mut costs = [0.0; GROUP_ROWS];
    // Σ e_j L_jk for each column k and row.
    let mut fed = vec![[0f32; GROUP_ROWS]; cols];
    let mut trials = Trials::<STEPS>::NONE;
    for (group, taken) in taken.iter_mut().enumerate().rev() {
        let start = group * columns;
        let end = (start + columns).min(cols);
        let (fed, here) = fed.split_at_mut(start);
        let mut errors = [[0f32; GROUP_ROWS]; MOST_COLUMNS];
        for (r, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            let numbers = &row[start..end];
            trials.round(numbers, start, |k| here[k][r], &steps(r, group), limit, feeding);
            let best = trials.best();
            taken[r] = best;
            costs[r] += trials.costs[best];
            for (k, (codes, errors)) in codes[start..end].iter_mut().zip(&mut errors).enumerate() {
                codes[r] = trials.codes[k][best] as i8;
                errors[r] = trials.errors[k][best] as f32;
            }
        }
        let Some(feeding) = feeding else { continue };
        for (j, errors) in (start..end).zip(errors) {
            for (fed, &factor) in fed.iter_mut().zip(feeding.row(j)) {
                for (fed, error) in fed.iter_mut().zip(errors) {
                    *fed += factor * error;
                }
            }
        }
    }
    Rounded { codes, taken, costs }
}

/// A group of a row, rounded with each of its steps.
struct Trials<const STEPS: usize> {
    /// For each column and step.
    codes: [[f64; STEPS]; MOST_COLUMNS],
    /// What is lost with them.
    errors: [[f64; STEPS]; MOST_COLUMNS],
    /// The squared error of the outputs, less what columns to come can make up for.
    costs: [f64; STEPS],
}

impl<const STEPS: usize> Trials<STEPS> {
    const NONE: Self = Self {
        codes: [[0.0; STEPS]; MOST_COLUMNS],
        errors: [[0.0; STEPS]; MOST_COLUMNS],
        costs: [0.0; STEPS],
    };

    /// Rounds the numbers that begin at column `start`. `fed`: Σ e_j L_jk over the columns behind the group, for each of
    /// its own.
    fn round(
        &mut self,
        numbers: &[f32],
        start: usize,
        fed: impl Fn(usize) -> f32,
        steps: &[f64; STEPS],
        limit: f64,
        feeding: Option<&Feeding>,
    ) {
        self.costs = [0.0; STEPS];
        for (k, &number) in numbers.iter().enumerate().rev() {
            let number = f64::from(number);
            let mut wanted = [number; STEPS];
            let mut diagonal = 1.0;
            if let Some(feeding) = feeding {
                diagonal = f64::from(feeding.row(start + k)[start + k]);
                let mut all = [f64::from(fed(k)); STEPS];
                for (j, errors) in self.errors.iter().enumerate().take(numbers.len()).skip(k + 1) {
                    let factor = f64::from(feeding.row(start + j)[start + k]);
                    all.iter_mut().zip(errors).for_each(|(fed, error)| *fed += factor * error);
                }
                wanted.iter_mut().zip(all).for_each(|(wanted, fed)| *wanted += fed / diagonal);
            }
            for step in 0..STEPS {
                let code = nearest(wanted[step] / steps[step]).clamp(-limit, limit);
                self.codes[k][step] = code;
                self.errors[k][step] = number - code * steps[step];
                self.costs[step] += (diagonal * (wanted[step] - code * steps[step])).powi(2);
            }
        }
    }

    /// The step of the least cost, the first of equal ones.
    fn best(&self) -> usize {
        (1..STEPS).fold(0, |best, step| if self.costs[step] < self.costs[best] { step } else { best })
    }
}

/// The nearest integer, the even one of two; for numbers below 2^51. The sum leaves no bits behind the point.
/// (`round_ties_even` is a call where the processor need not have SSE4.1.)
fn nearest(x: f64) -> f64 {
    const NO_FRACTION: f64 = 3.0 * (1u64 << 51) as f64;
    (x + NO_FRACTION) - NO_FRACTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::dense::{dot, gram};

    const COLS: usize = 64;
    const POSITIONS: usize = 300;
    const STEP: f64 = 1.0 / 64.0;
    /// What is fed on leaves at most this part of the error.
    const PART: f32 = 0.5;

    /// Numbers that look like chance, from -1 to 1.
    fn chance(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); // Numerical Recipes, ch. 7
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// Inputs (cols, positions) most of which is in 12 directions: neighbouring columns go along with each other.
    fn inputs() -> Vec<f32> {
        let (directions, noise) = (chance(12 * POSITIONS, 1), chance(COLS * POSITIONS, 2));
        let input = |(at, noise): (usize, f32)| {
            let (column, position) = (at / POSITIONS, at % POSITIONS);
            directions[column / 6 * POSITIONS + position] + 0.2 * noise
        };
        noise.into_iter().enumerate().map(input).collect()
    }

    /// The mean square of what rounding changes of the outputs.
    fn error(rows: &[&[f32]], codes: &[[i8; GROUP_ROWS]], squares: &[f32]) -> f32 {
        let of_row = |(r, row): (usize, &&[f32])| {
            let e: Vec<f32> =
                row.iter().zip(codes).map(|(w, code)| w - (f64::from(code[r]) * STEP) as f32).collect();
            (0..COLS).map(|i| e[i] * dot(&squares[i * COLS..][..COLS], &e)).sum::<f32>()
        };
        rows.iter().enumerate().map(of_row).sum::<f32>() / (rows.len() * POSITIONS) as f32
    }

    /// X Xᵀ, whole.
    fn squares_of(inputs: &[f32]) -> Vec<f32> {
        let lower = gram(inputs, POSITIONS);
        (0..COLS * COLS)
            .map(|at| lower[(at / COLS).max(at % COLS) * COLS + (at / COLS).min(at % COLS)])
            .collect()
    }

    #[test]
    fn errors_that_are_fed_on_cost_less() {
        let weights = chance(GROUP_ROWS * COLS, 3);
        let rows: Vec<&[f32]> = weights.chunks(COLS).collect();
        let squares = squares_of(&inputs());
        let feeding = Feeding::for_groups(&squares, COLS).unwrap();
        let round = |feeding| round_rows(&rows, COLS, 16, |_, _| [STEP], 127.0, feeding).codes;
        let plain = error(&rows, &round(None), &squares);
        let fed = error(&rows, &round(Some(&feeding)), &squares);
        assert!(fed < PART * plain, "{fed}, not well below {plain}");
    }

    #[test]
    fn codes_stay_within_their_limit_and_empty_rows_are_zeros() {
        let weights = chance(2 * COLS, 4);
        let rows = [&weights[..COLS], &[], &weights[COLS..]];
        let feeding = Feeding::for_groups(&squares_of(&inputs()), COLS).unwrap();
        for limit in [31.0, 127.0] {
            // A quarter of the weights is beyond the limit.
            let codes = round_rows(&rows, COLS, 16, |_, _| [0.75 / limit], limit, Some(&feeding)).codes;
            assert!(codes.iter().flatten().all(|&code| f64::from(code).abs() <= limit));
            assert!(codes.iter().any(|codes| f64::from(codes[0]).abs() == limit));
            assert!(codes.iter().all(|codes| codes[1] == 0 && codes[3..] == [0; 5]));
        }
    }

    #[test]
    fn inputs_that_know_nothing_of_each_other_change_nothing() {
        let weights = chance(GROUP_ROWS * COLS, 5);
        let rows: Vec<&[f32]> = weights.chunks(COLS).collect();
        let mut squares = vec![0.0; COLS * COLS];
        assert!(Feeding::for_groups(&squares, COLS).is_none());
        squares.iter_mut().step_by(COLS + 1).zip(1..).for_each(|(square, i)| *square = i as f32);
        let feeding = Feeding::for_groups(&squares, COLS).unwrap();
        let round = |feeding| round_rows(&rows, COLS, 16, |_, _| [STEP], 127.0, feeding).codes;
        assert_eq!(round(Some(&feeding)), round(None));
    }
}
