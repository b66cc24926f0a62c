//! Factors for a matrix's columns that make its rows easier to round.
//!
//! A row's step is its largest weight over 127, and an error of a step in a column counts by the column's input. A
//! column of large weights and small inputs is therefore better divided by a factor, which its input gets.

/// Rows count their weights by this power of two of them, so that nearly only the largest count.
const DOUBLINGS: u32 = 4;
/// How often the factors are improved.
const ROUNDS: usize = 60;
/// The most that a factor changes in a round.
const MOST: f32 = 1.1;

/// Factors (cols,) for the columns of `weights` (rows, cols), where an error in column j counts by `inputs[j]`: near
/// those with the least `Σ_rows max_j(|w[j]| · c[j])² · Σ_j inputs[j] / c[j]²`.
pub fn balance(weights: &[f32], inputs: &[f32]) -> Vec<f32> {
    let cols = inputs.len();
    let mut factors = vec![1.0; cols];
    let mut best = (f32::INFINITY, factors.clone());
    for _ in 0..ROUNDS {
        // Which part of the rows' steps is due to a column, and which part of the error is in it.
        let (mut steps, mut due) = (0.0, vec![0.0; cols]);
        for row in weights.chunks_exact(cols) {
            let scaled: Vec<f32> = row.iter().zip(&factors).map(|(w, c)| (w * c).abs()).collect();
            let max = scaled.iter().copied().fold(0.0, f32::max);
            if max == 0.0 {
                continue;
            }
            let power = |w: &f32| (0..DOUBLINGS).fold(w / max, |power, _| power * power);
            let sum: f32 = scaled.iter().map(power).sum();
            for (due, w) in due.iter_mut().zip(&scaled) {
                *due += max * max * power(w) / sum;
            }
            steps += max * max;
        }
        let errors: Vec<f32> = inputs.iter().zip(&factors).map(|(x, c)| x / (c * c)).collect();
        let all: f32 = errors.iter().sum();
        if steps * all < best.0 {
            best = (steps * all, factors.clone());
        }
        for ((factor, due), error) in factors.iter_mut().zip(due).zip(errors) {
            // At the least of the product both parts are equal.
            let ratio = (error * steps / (due * all).max(f32::MIN_POSITIVE)).sqrt().sqrt();
            *factor *= ratio.clamp(1.0 / MOST, MOST);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_large_for_its_input_is_made_smaller() {
        // The second column makes all rows' steps ten times as large as the others need.
        let weights = [1.0, 10.0, -1.0, -1.0, 9.0, 0.5, 0.9, -10.0, 1.0];
        let factors = balance(&weights, &[1.0, 0.01, 1.0]);
        let by = factors[0] / factors[1];
        assert!((5.0..20.0).contains(&by), "{factors:?}");
    }
}
