//! The choice of SIMD instructions: of those that calculate right on this CPU the fastest, by the clock.
//!
//! Which ones are fast is not to be told from a CPU's name: an emulator has what a processor has, at prices of its
//! own, which change from one version to the next. So a block of each of the model's matrices, where it lies in memory, is
//! multiplied by zeros.
use alloc::vec::Vec;
use core::{fmt, mem};
use model::engine::EngineKind;
use model::matrix::factors::GROUP_ROWS;
use model::matrix::{Coding, GROUPS, Grouped, Matrix, TILE_ROWS, tiles};
use model::packed::{Entry, Kind, Packed};
use model::simd::self_test::fingerprint;
use model::simd::{GroupOfX, Operand, Simd, Sse2, Sse41};
use pc::clock::Clock;
use pc::cpu::{Cpu, Features};
use pc::println;

/// Bytes of a block that are multiplied at least, the same ones again and again: some microseconds' work.
const LEAST_BYTES: usize = 4096;
/// No processor multiplies more of them in a nanosecond: where it seems so, the clock is too coarse. A browser's goes on
/// every 5 to 100 µs.
const MOST_BYTES_A_NANO: u64 = 64;
/// The time by such a clock, or without one.
const CANNOT_TELL: u64 = 0;
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

/// Tries the SIMD instructions that the CPU has, and names those that fail. Takes the fastest for this model; without a
/// matrix or a fine time-stamp counter those that are mostly the fastest.
pub fn choose_simd(cpu: &Cpu, clock: &Clock, packed: &Packed) -> Choice {
    let right = usable(cpu).filter(|&simd| is_right(simd)).chain([Simd::Scalar]);
    let is_measured = clock.tsc_hz() > 0 && packed.header.engine == EngineKind::Int8;
    let sample = is_measured.then(|| Sample::new(packed));
    let (mut best, mut likely) = ((u64::MAX, Simd::Scalar), None);
    let mut second = best;
    for simd in right {
        // QEMU's translator has SSE4.1's products in line. Processors are slow with them.
        if likely.is_none() && (cpu.is_tcg() || !matches!(simd, Simd::Sse41(_))) {
            likely = Some(simd);
        }
        let timed = (sample.as_ref().map_or(CANNOT_TELL, |sample| sample.nanos(simd, clock)), simd);
        if timed.0 < best.0 {
            second = mem::replace(&mut best, timed);
        } else if timed.0 < second.0 {
            second = timed;
        }
    }
    match likely {
        Some(simd) if best.0 == CANNOT_TELL => Choice { simd, next: None },
        _ => Choice { simd: best.1, next: Some((second.1, second.0 * 10 / best.0.max(1))) },
    }
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

/// What is measured: the first layer's matrices and the classifier.
struct Sample<'m> {
    packed: &'m Packed,
    /// Zeros to multiply them by.
    operands: Vec<Operand>,
    groups: Vec<GroupOfX>,
}

impl<'m> Sample<'m> {
    fn new(packed: &'m Packed) -> Self {
        let columns = Self::entries(packed).map(|entry| entry.cols as usize).max().unwrap_or_default();
        let operands = alloc::vec![Operand::ZERO; columns.next_multiple_of(Grouped::MOST_COLUMNS) / 2];
        Self { packed, operands, groups: alloc::vec![GroupOfX::ZERO; GROUPS] }
    }

    /// The matrices that are multiplied.
    fn entries(packed: &Packed) -> impl Iterator<Item = &Entry> {
        let of_first =
            |entry: &&Entry| entry.layer == 0 && entry.kind != Kind::Embedding && entry.scales() > 0;
        packed.header.entries.iter().filter(of_first)
    }

    /// About how long all matrices take: the first layer stands for all.
    fn nanos(&self, simd: Simd, clock: &Clock) -> u64 {
        let mut all = 0;
        for entry in Self::entries(self.packed) {
            let block = self.packed.first_block(entry);
            let repeats = LEAST_BYTES.div_ceil(block.len());
            // For one test: what is slow must not be chosen.
            let slowness = if cfg!(feature = "slow-simd") && matches!(simd, Simd::Sse41(_)) { 16 } else { 1 };
            let mut fastest = u64::MAX;
            for _ in 0..ROUNDS {
                let start = clock.now();
                for _ in 0..repeats * slowness {
                    self.multiply(simd, entry, block);
                }
                fastest = fastest.min(clock.nanos_between(start, clock.now()));
            }
            if fastest * MOST_BYTES_A_NANO < (repeats * block.len()) as u64 {
                return CANNOT_TELL;
            }
            let layers = if entry.kind == Kind::Classifier { 1 } else { self.packed.header.shape.n_layers };
            all += fastest * (Matrix::blocks(entry.rows as usize) * layers / repeats) as u64;
        }
        all
    }

    /// The products of a block; of the groups of long rows the first ones.
    #[inline(never)] // so that each time takes as long
    fn multiply(&self, simd: Simd, entry: &Entry, block: &[u8]) {
        let mut y = [0; TILE_ROWS];
        match entry.coding {
            Coding::Rows => {
                let tiles = tiles(block);
                simd.add_products(tiles, &self.operands[..2 * tiles.len()], &mut y);
            }
            Coding::Groups(grouped) => {
                let groups = &self.groups[..grouped.groups(entry.cols as usize).min(GROUPS)];
                let x = &self.operands[..groups.len() * grouped.columns / 2];
                let halves = block.chunks(block.len() / 2);
                for (y, rows) in y.as_chunks_mut::<GROUP_ROWS>().0.iter_mut().zip(halves) {
                    simd.add_groups(grouped, &rows[..groups.len() * grouped.bytes()], x, groups, y);
                }
            }
        }
    }
}
