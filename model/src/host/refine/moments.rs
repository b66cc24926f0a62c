//! Second moments of vectors, and the linear equations that they make.
use crate::host::fp32::dot;
use rayon::prelude::*;

/// Positions whose products are added in f32.
const SEGMENT: usize = 64;

/// `mean(a[i] · b[j])` over all positions, for a (positions, rows) and b (positions, cols): (rows, cols).
pub fn moments(a: &[f32], rows: usize, b: &[f32], cols: usize) -> Vec<f64> {
    let positions = a.len() / rows;
    let (a, b) = (transposed(a, rows), transposed(b, cols));
    let mut all = vec![0.0; rows * cols];
    all.par_chunks_mut(cols).zip(a.par_chunks(positions)).for_each(|(row, a)| {
        row.iter_mut().zip(b.chunks(positions)).for_each(|(moment, b)| *moment = mean_product(a, b));
    });
    all
}

/// The moments of x (positions, cols) with itself: (cols, cols), symmetric.
pub fn own_moments(x: &[f32], cols: usize) -> Vec<f64> {
    let positions = x.len() / cols;
    let x = transposed(x, cols);
    let mut all = vec![0.0; cols * cols];
    all.par_chunks_mut(cols).zip(x.par_chunks(positions)).enumerate().for_each(|(i, (row, a))| {
        let to_diagonal = row[..=i].iter_mut().zip(x.chunks(positions));
        to_diagonal.for_each(|(moment, b)| *moment = mean_product(a, b));
    });
    for i in 0..cols {
        for j in i + 1..cols {
            all[i * cols + j] = all[j * cols + i];
        }
    }
    all
}

fn mean_product(a: &[f32], b: &[f32]) -> f64 {
    let segments = a.chunks(SEGMENT).zip(b.chunks(SEGMENT));
    segments.map(|(a, b)| f64::from(dot(a, b))).sum::<f64>() / a.len() as f64
}

/// (positions, width) as (width, positions).
fn transposed(x: &[f32], width: usize) -> Vec<f32> {
    (0..width).flat_map(|i| x.iter().skip(i).step_by(width).copied()).collect()
}

/// Adds a share of the mean of h's diagonal (n, n) to all of it.
pub fn add_to_diagonal(h: &mut [f64], n: usize, share: f64) {
    let mean = h.iter().step_by(n + 1).sum::<f64>() / n as f64;
    // Where all is zero anything will do.
    let more = if mean > 0.0 { share * mean } else { 1.0 };
    h.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal += more);
}

/// The lower triangle L with `L Lᵀ = h` (Cholesky), for a positive definite h (n, n).
pub fn cholesky(h: &[f64], n: usize) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let (a, b) = (&l[i * n..][..j], &l[j * n..][..j]);
            let rest = h[i * n + j] - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
        }
    }
    l
}

/// Solves `x h = b` for a row b (n,), in place, by h's [`cholesky`].
pub fn solve(l: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in 0..n {
        let known: f64 = l[i * n..][..i].iter().zip(&*b).map(|(l, b)| l * b).sum();
        b[i] = (b[i] - known) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| l[k * n + i] * b[k]).sum();
        b[i] = (b[i] - known) / l[i * n + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Vectors of so many numbers.
    const N: usize = 5;

    proptest! {
        #[test]
        fn equations_of_moments_are_solved(
            x in prop::collection::vec(-1.0f32..1.0, 40 * N), b in prop::array::uniform5(-1.0f64..1.0)
        ) {
            let mut h = own_moments(&x, N);
            prop_assert_eq!(&h, &moments(&x, N, &x, N));
            let exact: f64 = x.chunks(N).map(|x| f64::from(x[1] * x[3])).sum::<f64>() / 40.0;
            prop_assert!((h[N + 3] - exact).abs() < 1e-6);
            add_to_diagonal(&mut h, N, 0.1);
            let mut solution = b;
            solve(&cholesky(&h, N), &mut solution);
            for (j, b) in b.iter().enumerate() {
                let product: f64 = (0..N).map(|i| solution[i] * h[i * N + j]).sum();
                prop_assert!((product - b).abs() < 1e-9);
            }
        }
    }
}
