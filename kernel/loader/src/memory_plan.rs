//! What goes where before anything is loaded: weights, key/value cache and activations against the
//! memory that there is. Where only the cache does not fit, the context gets shorter.
use core::fmt;
use model::memory::Memory;
use model::packed::PackedHeader;
use protocol::decimal::Places;

/// What the heap itself and the small things on it take: bookkeeping, the header, lines, keys.
const RESERVE: u64 = 256 << 10;
/// A context below this tells no story.
const SHORTEST_CONTEXT: usize = 32;
/// What a machine has beside the region above 1 MiB: the first MiB, and what the BIOS keeps.
const OVERHEAD_MIB: u64 = 2;
/// Most that a PC's memory map leaves in one piece below 4 GiB: a pc machine's 3 GiB.
const MOST_MIB: u64 = 3 << 10;

/// The plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Positions that the key/value cache holds.
    pub context: usize,
    /// Positions that the model could use.
    pub full_context: usize,
    /// Bytes by use, for `context`.
    pub memory: Memory,
    /// Bytes that the heap has.
    pub available: u64,
}

/// The model does not fit, however short the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoesNotFit {
    /// Bytes for the full context.
    pub memory: Memory,
    /// Bytes that the heap has.
    pub available: u64,
}

/// Plans for the model of `header` in a heap of `available` bytes.
#[inline(never)]
pub fn plan(header: &PackedHeader, available: u64) -> Result<Plan, DoesNotFit> {
    plan_with(|context| header.memory(context), header.shape.seq_len, available)
}

/// [`plan`] for any cost by context, which must not fall as the context grows.
fn plan_with(
    cost: impl Fn(usize) -> Memory,
    full_context: usize,
    available: u64,
) -> Result<Plan, DoesNotFit> {
    let fits = |context| cost(context).total() + RESERVE <= available;
    let mut low = SHORTEST_CONTEXT.min(full_context);
    if !fits(low) {
        return Err(DoesNotFit { memory: cost(full_context), available });
    }
    // `low` fits; `high` does not, or is past the end.
    let mut high = full_context + 1;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    Ok(Plan { context: low, full_context, memory: cost(low), available })
}

/// Bytes as MiB with one decimal, rounded up: a need is never shown too small.
pub(crate) struct MiB(pub u64);

impl fmt::Display for MiB {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10).div_ceil(1 << 20);
        write!(f, "{} MiB", Places { number: tenths as u32, places: 1 })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { weights, kv_cache, activations, text } = self.memory;
        let (weights, cache, work) = (MiB(weights), MiB(kv_cache), MiB(activations + text));
        let free = MiB(self.available);
        write!(f, "weights {weights}, key/value cache {cache}, work {work}, of {free}")?;
        if self.context < self.full_context {
            write!(f, "; context cut from {} to {} tokens to fit", self.full_context, self.context)?;
        }
        Ok(())
    }
}

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = self.memory.total() + RESERVE;
        let available = MiB(self.available);
        write!(f, "the model needs {} and the machine has {available} in one piece; ", MiB(needed))?;
        match needed.div_ceil(1 << 20) + OVERHEAD_MIB {
            mib if mib <= MOST_MIB => write!(f, "give it more (QEMU: -m {mib})"),
            _ => f.write_str("no PC has that much below 4 GiB, use a smaller model"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const MIB: u64 = 1 << 20;

    /// 10 MiB of weights, 1 MiB of work, 100,000 bytes a position.
    fn cost(context: usize) -> Memory {
        Memory { weights: 10 * MIB, kv_cache: context as u64 * 100_000, activations: MIB / 2, text: MIB / 2 }
    }

    #[test]
    fn all_fits() {
        let plan = plan_with(cost, 256, 128 * MIB).unwrap();
        assert_eq!(plan.context, 256);
        assert_eq!(
            plan.to_string(),
            "weights 10.0 MiB, key/value cache 24.5 MiB, work 1.0 MiB, of 128.0 MiB"
        );
    }

    #[test]
    fn the_context_is_the_longest_that_fits() {
        for available in [15 * MIB, 20 * MIB, 30 * MIB] {
            let plan = plan_with(cost, 256, available).unwrap();
            assert!(cost(plan.context).total() + RESERVE <= available);
            assert!(cost(plan.context + 1).total() + RESERVE > available);
            assert!(plan.to_string().contains("context cut from 256 to "));
        }
    }

    #[test]
    fn a_short_context_is_not_too_short() {
        assert_eq!(plan_with(cost, 1, 12 * MIB).unwrap().context, 1);
        let exact = cost(32).total() + RESERVE;
        assert_eq!(plan_with(cost, 256, exact).unwrap().context, 32);
        assert!(plan_with(cost, 256, exact - 1).is_err());
    }

    #[test]
    fn a_refusal_names_the_memory_that_would_do() {
        let refusal = plan_with(cost, 256, 8 * MIB).unwrap_err().to_string();
        assert!(refusal.contains("needs 35.7 MiB"), "{refusal}");
        assert!(refusal.ends_with("(QEMU: -m 38)"), "{refusal}");
        let huge = |_| Memory { weights: 5000 * MIB, kv_cache: 0, activations: 0, text: 0 };
        let refusal = plan_with(huge, 256, 2048 * MIB).unwrap_err().to_string();
        assert!(refusal.ends_with("use a smaller model"), "{refusal}");
    }
}
