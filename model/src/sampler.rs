//! The choice of the next token from the logits, in integers only: greedy, or by llama2.c's
//! temperature and top-p, with its random numbers.
use crate::allocation::OutOfMemory;
use crate::fixed::{LOG2_E, ONE, Scale};
use crate::tables::Tables;
use alloc::vec::Vec;

/// Fraction bits of logits.
pub const LOGIT_BITS: i32 = 16;
/// The highest temperature that is accepted; far below it all tokens are equally likely already.
pub const MAX_TEMPERATURE: u32 = 100 * ONE;

/// Greedy decoding: the token of the largest logit, the lowest token where several are equal.
#[optimize(speed)]
#[inline(never)] // into a caller that is optimized for size
pub fn argmax(logits: &[i32]) -> u32 {
    let mut best = (i32::MIN, 0);
    for (token, &logit) in logits.iter().enumerate() {
        if logit > best.0 {
            best = (logit, token as u32);
        }
    }
    best.1
}

/// How tokens are chosen.
pub enum Sampler<'t> {
    /// Always the likeliest one.
    Greedy,
    /// By chance.
    Random(Chance<'t>),
}

impl<'t> Sampler<'t> {
    /// Bytes that a sampler allocates at most.
    pub fn memory(vocab_size: usize) -> u64 {
        (vocab_size * size_of::<Candidate>()) as u64
    }

    /// A greedy sampler.
    pub const fn greedy() -> Self {
        Self::Greedy
    }

    /// A sampler of `vocab_size` tokens with `temperature` and `topp` in Q16.16. Temperature 0 is greedy;
    /// top-p 0 and 1 leave no token out.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(
        tables: Tables<'t>,
        vocab_size: usize,
        temperature: u32,
        topp: u32,
        seed: u64,
    ) -> Result<Self, OutOfMemory> {
        if temperature == 0 {
            return Ok(Self::Greedy);
        }
        let mut candidates = Vec::new();
        candidates.try_reserve_exact(vocab_size).map_err(|_| OutOfMemory)?;
        let per_unit = LOG2_E.div(Scale::new(temperature.into(), -16));
        Ok(Self::Random(Chance { tables, per_unit, topp, random: Random::new(seed), candidates }))
    }

    /// The next token.
    pub fn sample(&mut self, logits: &[i32]) -> u32 {
        match self {
            Self::Greedy => argmax(logits),
            Self::Random(chance) => chance.sample(logits),
        }
    }
}

/// A token and its weight, `e^((logit - max) / temperature)` in Q2.30: the weight in the upper half, the
/// token's complement in the lower. So the heaviest and, among equals, the lowest token is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Candidate(u64);

impl Candidate {
    fn new(weight: u32, token: u32) -> Self {
        Self(u64::from(weight) << 32 | u64::from(!token))
    }

    fn weight(self) -> u64 {
        self.0 >> 32
    }

    fn token(self) -> u32 {
        !(self.0 as u32)
    }
}

/// Sampling by chance.
pub struct Chance<'t> {
    tables: Tables<'t>,
    /// Powers of two for a logit of 1: log2(e) / temperature.
    per_unit: Scale,
    topp: u32,
    random: Random,
    /// (vocab_size,), fewer with a top-p.
    candidates: Vec<Candidate>,
}

impl Chance<'_> {
    fn sample(&mut self, logits: &[i32]) -> u32 {
        let sum = self.weigh(logits);
        let coin = self.random.coin();
        if self.topp == 0 || self.topp >= ONE {
            return pick(&mut self.candidates.iter(), part(sum, coin, COIN_BITS));
        }
        let (nucleus, sum) = self.find_nucleus(sum);
        pick(&mut nucleus.iter().rev(), part(sum, coin, COIN_BITS))
    }

    /// Makes each token a candidate, and returns the sum of their weights (at most 2^48: 2^18 tokens).
    fn weigh(&mut self, logits: &[i32]) -> u64 {
        let max = logits.iter().fold(i32::MIN, |max, &logit| max.max(logit));
        let shift = -self.per_unit.exponent;
        let mut sum = 0;
        self.candidates.clear();
        for (&logit, token) in logits.iter().zip(0..) {
            let below = u64::from(max.wrapping_sub(logit) as u32) * u64::from(self.per_unit.mantissa);
            // The temperature is at most 2^15, so the shift is between 14 and 47.
            let below = u32::try_from(below >> shift).unwrap_or(u32::MAX);
            let weight = self.tables.exp2_minus(below);
            sum += u64::from(weight);
            self.candidates.push(Candidate::new(weight, token));
        }
        sum
    }

    /// Finds the fewest heaviest tokens that weigh more than top-p together. Returns them, the heaviest last,
    /// and their sum.
    fn find_nucleus(&mut self, sum: u64) -> (&[Candidate], u64) {
        // A token below (1 - p) / n cannot be one of them: even all such together weigh less than
        // 1 - p. The heaviest token is never below.
        let cutoff = ((sum / self.candidates.len() as u64) * u64::from(ONE - self.topp)) >> 16;
        self.candidates.retain(|candidate| candidate.weight() >= cutoff);
        // A heapsort that stops when it has sorted as many as are needed.
        let heap = &mut self.candidates[..];
        (0..heap.len() / 2).rev().for_each(|parent| sift_down(heap, parent));
        let enough = part(sum, self.topp, 16);
        let (mut nucleus_sum, mut start) = (0, heap.len());
        while nucleus_sum <= enough && start > 0 {
            start -= 1;
            heap.swap(0, start);
            sift_down(&mut heap[..start], 0);
            nucleus_sum += heap[start].weight();
        }
        (&heap[start..], nucleus_sum)
    }
}

/// Brings the item at `parent` down to where no item below it in the heap is greater.
fn sift_down(heap: &mut [Candidate], mut parent: usize) {
    loop {
        let mut child = 2 * parent + 1;
        if child + 1 < heap.len() && heap[child + 1] > heap[child] {
            child += 1;
        }
        if child >= heap.len() || heap[child] <= heap[parent] {
            return;
        }
        heap.swap(parent, child);
        parent = child;
    }
}

/// `sum · fraction / 2^bits`, rounded down, for a sum of up to 2^48 and up to 24 bits.
#[inline(never)] // twice
fn part(sum: u64, fraction: u32, bits: u32) -> u64 {
    let (high, low) = (sum >> bits, sum & ((1 << bits) - 1));
    high * u64::from(fraction) + ((low * u64::from(fraction)) >> bits)
}

/// The token in whose share of the weights `place` lies.
fn pick(candidates: &mut dyn Iterator<Item = &Candidate>, place: u64) -> u32 {
    let mut sum = 0;
    let mut last = 0;
    for candidate in candidates {
        sum += candidate.weight();
        last = candidate.token();
        if sum > place {
            break;
        }
    }
    last
}

/// Bits of a random fraction.
pub(crate) const COIN_BITS: u32 = 24;

/// xorshift64*, as in llama2.c (Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled").
pub(crate) struct Random(u64);

impl Random {
    /// The generator's state must not be 0, so that seed gets a constant (llama2.c takes the time,
    /// which would not be the same story twice).
    pub(crate) fn new(seed: u64) -> Self {
        const FOR_ZERO: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / golden ratio
        Self(if seed == 0 { FOR_ZERO } else { seed })
    }

    /// A number from 0 to 2^24 - 1.
    pub(crate) fn coin(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let scrambled = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        (scrambled >> 32) as u32 >> (32 - COIN_BITS)
    }
}

#[cfg(test)]
mod tests;
