//! Dense matrices of fp32, row after row, for what only the host calculates.
use rayon::prelude::*;

/// Rows of x that are multiplied by all of W, while they are in a cache.
const TOGETHER: usize = 32;
/// Rows of W that a row of x is multiplied by at once: as many sums as there are registers for.
const AT_ONCE: usize = 4;

/// `W (d, n) @ x (n,)` for each row of x (positions, n): (positions, d).
pub fn matmul(w: &[f32], x: &[f32], n: usize) -> Vec<f32> {
    let d = w.len() / n;
    let mut y = vec![0.0; x.len() / n * d];
    for (y, x) in y.chunks_mut(TOGETHER * d).zip(x.chunks(TOGETHER * n)) {
        multiply(w, x, n, y, d);
    }
    y
}

/// [`matmul`] by all processors.
pub fn matmul_in_parallel(w: &[f32], x: &[f32], n: usize) -> Vec<f32> {
    let d = w.len() / n;
    let mut y = vec![0.0; x.len() / n * d];
    y.par_chunks_mut(TOGETHER * d).zip(x.par_chunks(TOGETHER * n)).for_each(|(y, x)| multiply(w, x, n, y, d));
    y
}

/// x (positions, width) as (width, positions).
pub fn transposed(x: &[f32], width: usize) -> Vec<f32> {
    let positions = x.len() / width;
    let mut columns = vec![0.0; x.len()];
    for (position, row) in x.chunks_exact(width).enumerate() {
        for (column, &x) in row.iter().enumerate() {
            columns[column * positions + position] = x;
        }
    }
    columns
}

/// `X Xᵀ` (n, n) for X (n, length), on and below the diagonal at least.
pub fn gram(x: &[f32], length: usize) -> Vec<f32> {
    let n = x.len() / length;
    let mut products = vec![0.0; n * n];
    let blocks = products.par_chunks_mut(TOGETHER * n).zip(x.par_chunks(TOGETHER * length));
    blocks.enumerate().for_each(|(block, (products, rows))| {
        let columns = ((block + 1) * TOGETHER).min(n);
        multiply(&x[..columns * length], rows, length, products, n);
    });
    products
}

/// `W (d, n) @ x (n,)` for each row of x (positions, n), into y (positions, at least d) with `width` columns.
fn multiply(w: &[f32], x: &[f32], n: usize, y: &mut [f32], width: usize) {
    for (rows, at) in w.chunks(AT_ONCE * n).zip((0..).step_by(AT_ONCE)) {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(width)) {
            let y = &mut y[at..][..rows.len() / n];
            if let Ok(y) = <&mut [f32; AT_ONCE]>::try_from(&mut *y) {
                *y = dots(std::array::from_fn(|row| &rows[row * n..][..n]), x);
            } else {
                y.iter_mut().zip(rows.chunks_exact(n)).for_each(|(y, row)| *y = dot(row, x));
            }
        }
    }
}

/// The dot product.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    dots([a], b)[0]
}

/// The dot products of some rows with x, each in eight sums that the compiler can keep in registers.
fn dots<const N: usize>(rows: [&[f32]; N], x: &[f32]) -> [f32; N] {
    let (x8, x_rest) = x.as_chunks::<8>();
    let rows8 = rows.map(|row| &row.as_chunks::<8>().0[..x8.len()]);
    let mut sums = [[0.0; 8]; N];
    for (at, x) in x8.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows8) {
            for ((sum, a), b) in sums.iter_mut().zip(&row[at]).zip(x) {
                *sum += a * b;
            }
        }
    }
    std::array::from_fn(|row| {
        let rest = rows[row][8 * x8.len()..].iter().zip(x_rest);
        sums[row].iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
    })
}

/// Factors a symmetric matrix (n, n), of which the lower half is given, as `L Lᵀ` (Cholesky): L takes its place.
/// `None` where it is not positive definite.
pub fn cholesky(matrix: &mut [f32], n: usize) -> Option<()> {
    for start in (0..n).step_by(TOGETHER) {
        let end = (start + TOGETHER).min(n);
        let (above, below) = matrix.split_at_mut(end * n);
        for i in start..end {
            let (done, row) = above.split_at_mut(i * n);
            let row = &mut row[..n];
            eliminate(done, row, start..i, n);
            let square = row[i] - dot(&row[..i], &row[..i]);
            if square.is_nan() || square <= 0.0 {
                return None;
            }
            row[i] = square.sqrt();
        }
        below.par_chunks_mut(n).for_each(|row| eliminate(above, row, start..end, n));
    }
    Some(())
}

/// Columns of a row of L, from the rows of L above it: `(A_ij - Σ L_ik L_jk) / L_jj`.
fn eliminate(above: &[f32], row: &mut [f32], columns: std::ops::Range<usize>, n: usize) {
    for j in columns {
        let other = &above[j * n..][..=j];
        row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
    }
}

/// The factor L of a symmetric matrix (n, n) that is positive but for rounding, of which the lower half is given, with
/// a share of the mean of its diagonal added to all of that: `share`, or as much more as it takes. `None` where all
/// is zero.
pub fn damped_cholesky(matrix: &[f32], n: usize, share: f32) -> Option<Vec<f32>> {
    /// What the damping is multiplied by where there is no factor.
    const MORE: f32 = 10.0;
    let mean = matrix.iter().step_by(n + 1).sum::<f32>() / n as f32;
    if !(mean.is_normal() && mean > 0.0) {
        return None;
    }
    let mut damping = share * mean;
    while damping.is_finite() {
        let mut factor = matrix.to_vec();
        factor.iter_mut().step_by(n + 1).for_each(|square| *square += damping);
        if cholesky(&mut factor, n).is_some() {
            return Some(factor);
        }
        damping *= MORE;
    }
    None
}

/// Solves `x L Lᵀ = b` for a row b (n,), in place, by the factor L.
pub fn solve(factor: &[f32], b: &mut [f32]) {
    let n = b.len();
    eliminate(factor, b, 0..n, n);
    for i in (0..n).rev() {
        let (left, right) = b.split_at_mut(i);
        right[0] /= factor[i * n + i];
        left.iter_mut().zip(&factor[i * n..]).for_each(|(b, factor)| *b -= factor * right[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gram_matrix_is_its_factors_product() {
        // More than two blocks of rows, the last one not full.
        let (n, length) = (2 * TOGETHER + 5, 150);
        let x: Vec<f32> = (0..n * length).map(|i| ((i * i % 2003) as f32).sin()).collect();
        let products = gram(&x, length);
        let mut factor = products.clone();
        cholesky(&mut factor, n).unwrap();
        for i in 0..n {
            for j in 0..=i {
                let exact: f32 =
                    x[i * length..][..length].iter().zip(&x[j * length..]).map(|(a, b)| a * b).sum();
                let again: f32 = (0..=j).map(|k| factor[i * n + k] * factor[j * n + k]).sum();
                assert!((products[i * n + j] - exact).abs() < 1e-3, "{i} {j}");
                assert!((again - exact).abs() < 1e-3, "{i} {j}: {again}, not {exact}");
            }
        }
    }

    #[test]
    fn equations_are_solved_by_the_factor() {
        let (n, length) = (TOGETHER + 5, 150);
        let x: Vec<f32> = (0..n * length).map(|i| ((i * i % 2003) as f32).sin()).collect();
        let factor = damped_cholesky(&gram(&x, length), n, 0.1).unwrap();
        let b: Vec<f32> = (0..n).map(|i| (i as f32).cos()).collect();
        let mut solution = b.clone();
        solve(&factor, &mut solution);
        // (x L) Lᵀ
        let halfway: Vec<f32> =
            (0..n).map(|j| (j..n).map(|i| solution[i] * factor[i * n + j]).sum()).collect();
        for (j, b) in b.iter().enumerate() {
            let again = dot(&halfway[..=j], &factor[j * n..][..=j]);
            assert!((again - b).abs() < 1e-3, "{j}: {again}, not {b}");
        }
        assert!(damped_cholesky(&[0.0; 4], 2, 0.1).is_none());
    }

    #[test]
    fn many_processors_and_a_transpose_give_the_same_products() {
        let (n, positions) = (7, 3 * TOGETHER + 1);
        let x: Vec<f32> = (0..n * positions).map(|i| (i as f32).sin()).collect();
        assert_eq!(matmul_in_parallel(&x[..5 * n], &x, n), matmul(&x[..5 * n], &x, n));
        assert_eq!(transposed(&transposed(&x, n), positions), x);
        assert_eq!(transposed(&x, n)[positions + 2], x[2 * n + 1]);
    }

    #[test]
    fn what_has_no_factor_is_told() {
        assert_eq!(cholesky(&mut [1.0, 0.0, 2.0, 1.0], 2), None);
        assert_eq!(cholesky(&mut [0.0; 4], 2), None);
    }
}
