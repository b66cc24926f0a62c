//! The choice of SIMD instructions: of those that calculate right on this CPU the fastest, by the clock.
//!
//! Which ones are fast is not to be told from a CPU's name: an emulator has what a processor has, at prices of its
//! own, which change from one version to the next. So a block of each of the model's matrices, where it lies in memory, is
//! multiplied by zeros.
use alloc::vec::Vec;
use core::fmt;
use model::matrix::factors::GROUP_ROWS;
use model::matrix::{Coding, Matrix, TILE_ROWS, tiles};
use model::packed::Model;
use model::simd::self_test::fingerprint;
use model::simd::{GROUPS, GroupOfX, Operand, Simd, Sse2, Sse41};
use pc::clock::Clock;
use pc::cpu::{Cpu, Features};
use pc::println;

/// Bytes of a block that are multiplied at least, the same ones again and again: some microseconds' work.
const LEAST_BYTES: usize = 4096;
/// How often that is measured. The fastest counts: the first one brings code and weights in, others are interrupted.
const ROUNDS: usize = 4;

/// The instructions that were chosen.
pub struct Choice {
    /// They.
    pub simd: Simd,
    /// The second fastest, and how many tenths of their time it takes; `None` where nothing was measured.
    next: Option<(Simd, u64)>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.simd)?;
        match self.next {
            Some((next, tenths)) => {
                write!(f, ", {}.{} times as fast as {next}", tenths / 10, tenths % 10)
            }
            None => Ok(()),
        }
    }
}

/// Tries the SIMD instructions that the CPU has, and names those that fail. Takes the fastest for this model; where
/// there is no model in matrices, or no time-stamp counter, those that were mostly the fastest.
pub fn choose_simd(cpu: &Cpu, clock: &Clock, model: Option<Model>) -> Choice {
    let mut right: Vec<Simd> = usable(cpu).filter(|&simd| is_right(simd)).collect();
    right.push(Simd::Scalar);
    let Some(model) = model.filter(|_| right.len() > 1 && clock.tsc_hz() > 0) else {
        let is_likely = |simd: &&Simd| cpu.is_tcg() || !matches!(simd, Simd::Sse41(_));
        return Choice { simd: *right.iter().find(is_likely).unwrap_or(&Simd::Scalar), next: None };
    };
    let sample = Sample::new(&model);
    let mut timed: Vec<(u64, Simd)> =
        right.into_iter().map(|simd| (sample.nanos(simd, clock), simd)).collect();
    timed.sort_unstable_by_key(|(nanos, _)| *nanos);
    let [(fastest, simd), (second, next), ..] = timed[..] else { unreachable!("two and more") };
    Choice { simd, next: Some((next, second * 10 / fastest.max(1))) }
}

/// The SIMD instructions that this CPU has, for after [`pc::cpu::set_up`].
fn usable(cpu: &Cpu) -> impl Iterator<Item = Simd> {
    let has_sse41 = cpu.has_sse2() && cpu.features.contains(Features::SSE3 | Features::SSE4_1);
    // SAFETY: the CPU has all of SSE2 to SSE4.1, and `set_up` has switched it on.
    let sse41 = has_sse41.then(|| Simd::Sse41(unsafe { Sse41::new() }));
    // SAFETY: the CPU has SSE2, and `set_up` has switched it on.
    let sse2 = cpu.has_sse2().then(|| Simd::Sse2(unsafe { Sse2::new() }));
    sse41.into_iter().chain(sse2)
}

fn is_right(simd: Simd) -> bool {
    // For one test: a machine whose SIMD is broken must be noticed.
    let broken = u32::from(cfg!(feature = "break-simd"));
    let is_right = fingerprint(simd) ^ broken == fingerprint(Simd::Scalar);
    if !is_right {
        println!("cpu     {simd} calculates wrong here and is left out");
    }
    is_right
}

/// A matrix of each kind, how many rows of blocks like its own there are, and zeros to multiply them by.
struct Sample<'m> {
    matrices: [(Matrix<'m>, usize); 5],
    operands: Vec<Operand>,
    groups: [GroupOfX; GROUPS],
}

impl<'m> Sample<'m> {
    /// The first layer stands for all.
    fn new(model: &Model<'m>) -> Self {
        let (layer, layers) = (&model.layers[0], model.layers.len());
        let matrices = [layer.wqkv, layer.wo, layer.w13, layer.w2].map(|matrix| (matrix, layers));
        let [wqkv, wo, w13, w2] = matrices;
        let matrices = [wqkv, wo, w13, w2, (model.classifier, 1)];
        let columns = matrices.iter().map(|(matrix, _)| matrix.cols).max().unwrap_or_default();
        let operands = alloc::vec![Operand::ZERO; columns.next_multiple_of(32) / 2];
        Self { matrices, operands, groups: [GroupOfX::ZERO; GROUPS] }
    }

    /// About how long all matrices take.
    fn nanos(&self, simd: Simd, clock: &Clock) -> u64 {
        let of_matrix = |(matrix, times): &(Matrix, usize)| {
            let mut repeats = LEAST_BYTES.div_ceil(matrix.block(0).len());
            if cfg!(feature = "slow-simd") && matches!(simd, Simd::Sse41(_)) {
                repeats *= 16; // for one test: what is slow must not be chosen
            }
            let fastest = (0..ROUNDS).map(|_| {
                let start = clock.now();
                (0..repeats).for_each(|_| self.multiply(simd, matrix));
                clock.nanos_between(start, clock.now())
            });
            let all = (Matrix::blocks(matrix.rows) * times) as u64;
            fastest.min().unwrap_or_default() * all / LEAST_BYTES.div_ceil(matrix.block(0).len()) as u64
        };
        self.matrices.iter().map(of_matrix).sum()
    }

    /// The products of a block; of the groups of long rows the first ones.
    fn multiply(&self, simd: Simd, matrix: &Matrix) {
        let block = matrix.block(0);
        let mut y = [0; TILE_ROWS];
        match matrix.coding {
            Coding::Rows => {
                let tiles = tiles(block);
                simd.add_products(tiles, &self.operands[..2 * tiles.len()], &mut y);
            }
            Coding::Groups(grouped) => {
                let groups = &self.groups[..grouped.groups(matrix.cols).min(GROUPS)];
                let x = &self.operands[..groups.len() * grouped.columns / 2];
                for (y, rows) in
                    y.as_chunks_mut::<GROUP_ROWS>().0.iter_mut().zip(block.chunks(block.len() / 2))
                {
                    simd.add_groups(grouped, &rows[..groups.len() * grouped.bytes()], x, groups, y);
                }
            }
        }
    }
}
