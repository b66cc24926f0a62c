//! The choice of the next token from the logits, in integers only: greedy, or by llama2.c's
//! temperature and top-p, with its random numbers.
use crate::allocation::{NoMemory, zeroed};
use crate::engine::EngineError;
use crate::fixed::ONE;
use crate::fixed::{LOG2_E, Scale};
use crate::tables::Tables;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

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
        (vocab_size * (size_of::<u32>() + 2 * size_of::<Candidate>())) as u64
    }

    /// A greedy sampler.
    pub const fn greedy() -> Self {
        Self::Greedy
    }

    /// A sampler with `temperature` and `topp` in Q16.16, as [`crate::settings`] has them.
    /// Temperature 0 is greedy; top-p 0 and 1 leave no token out.
    pub fn new(tables: Tables<'t>, temperature: u32, topp: u32, seed: u64) -> Self {
        if temperature == 0 {
            return Self::Greedy;
        }
        let weights = Vec::new();
        let heap = BinaryHeap::new();
        let nucleus = Vec::new();
        let per_unit = LOG2_E.div(Scale::new(temperature.into(), -16));
        Self::Random(Chance { tables, per_unit, topp, random: Random::new(seed), weights, heap, nucleus })
    }

    /// The next token.
    pub fn sample(&mut self, logits: &[i32]) -> Result<u32, EngineError> {
        match self {
            Self::Greedy => Ok(argmax(logits)),
            Self::Random(chance) => Ok(chance.sample(logits)?),
        }
    }
}

/// A token and its weight; the heaviest and, among equals, the lowest token is the greatest.
type Candidate = (u32, Reverse<u32>);

/// Sampling by chance.
pub struct Chance<'t> {
    tables: Tables<'t>,
    /// Powers of two for a logit of 1: log2(e) / temperature.
    per_unit: Scale,
    topp: u32,
    random: Random,
    /// `e^((logit - max) / temperature)` in Q2.30.
    weights: Vec<u32>,
    heap: BinaryHeap<Candidate>,
    nucleus: Vec<Candidate>,
}

impl Chance<'_> {
    fn sample(&mut self, logits: &[i32]) -> Result<u32, NoMemory> {
        let sum = self.weigh(logits)?;
        let coin = self.random.coin();
        if self.topp == 0 || self.topp >= ONE {
            let mut weights = self.weights.iter().zip(0..).map(|(&weight, token)| (weight, Reverse(token)));
            return Ok(pick(&mut weights, part(sum, coin, COIN_BITS)));
        }
        let nucleus_sum = self.find_nucleus(sum)?;
        Ok(pick(&mut self.nucleus.iter().copied(), part(nucleus_sum, coin, COIN_BITS)))
    }

    /// Turns logits into weights, and returns the weights' sum (at most 2^48: 2^18 tokens).
    fn weigh(&mut self, logits: &[i32]) -> Result<u64, NoMemory> {
        if self.weights.len() != logits.len() {
            self.weights = zeroed(logits.len())?;
        }
        let max = logits.iter().fold(i32::MIN, |max, &logit| max.max(logit));
        let shift = -self.per_unit.exponent;
        let mut sum = 0;
        for (weight, &logit) in self.weights.iter_mut().zip(logits) {
            let below = u64::from(max.wrapping_sub(logit) as u32) * u64::from(self.per_unit.mantissa);
            // The temperature is at most 2^15, so the shift is between 14 and 47.
            let below = u32::try_from(below >> shift).unwrap_or(u32::MAX);
            *weight = self.tables.exp2_minus(below);
            sum += u64::from(*weight);
        }
        Ok(sum)
    }

    /// Finds the fewest heaviest tokens that weigh more than top-p together, and returns their sum.
    fn find_nucleus(&mut self, sum: u64) -> Result<u64, NoMemory> {
        // A token below (1 - p) / n cannot be one of them: even all such together weigh less than
        // 1 - p. The heaviest token is never below. A heap then sorts only as many as are needed.
        let cutoff = ((sum / self.weights.len() as u64) * u64::from(ONE - self.topp)) >> 16;
        let mut candidates = core::mem::take(&mut self.heap).into_vec();
        candidates.clear();
        candidates.try_reserve(self.weights.len()).map_err(|_| NoMemory)?;
        let heavy = self.weights.iter().zip(0..).filter(|(weight, _)| u64::from(**weight) >= cutoff);
        candidates.extend(heavy.map(|(&weight, token)| (weight, Reverse(token))));
        self.heap = BinaryHeap::from(candidates);
        self.nucleus.clear();
        // For any nucleus, at once: a vector that grows needs the old one's memory and the new one's.
        self.nucleus.try_reserve(self.weights.len()).map_err(|_| NoMemory)?;
        let enough = part(sum, self.topp, 16);
        let mut nucleus_sum = 0;
        while nucleus_sum <= enough
            && let Some(candidate) = self.heap.pop()
        {
            nucleus_sum += u64::from(candidate.0);
            self.nucleus.push(candidate);
        }
        Ok(nucleus_sum)
    }
}

/// `sum · fraction / 2^bits`, rounded down, for a sum of up to 2^48 and up to 24 bits.
fn part(sum: u64, fraction: u32, bits: u32) -> u64 {
    let (high, low) = (sum >> bits, sum & ((1 << bits) - 1));
    high * u64::from(fraction) + ((low * u64::from(fraction)) >> bits)
}

/// The token in whose share of the weights `place` lies.
fn pick(candidates: &mut dyn Iterator<Item = Candidate>, place: u64) -> u32 {
    let mut sum = 0;
    let mut last = 0;
    for (weight, Reverse(token)) in candidates {
        sum += u64::from(weight);
        last = token;
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
