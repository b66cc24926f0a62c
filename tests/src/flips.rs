//! Boots of images with one flipped bit each, and what came of them.
use std::{ops::AddAssign, time::Duration};

use crate::{
    Error,
    corruption::{Random, Region},
    golden::Golden,
    outcome::{Outcome, judge},
    qemu::Qemu,
};

/// How long a machine may take before it counts as dead. A right one needs half a second, and more
/// where the host has other work.
const PATIENCE: Duration = Duration::from_secs(20);

/// One flipped bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// What of the image it lies in.
    pub region: Region,
    /// Its byte in the image.
    pub byte: usize,
    /// Its bit in the byte.
    pub bit: u8,
}

impl Flip {
    /// The flip with this `number` in `region`: the same for the same image and `seed`.
    pub fn new(golden: &Golden, region: Region, number: usize, seed: u64) -> Self {
        let mut random = Random::new(seed << 32 | (region as u64) << 16 | number as u64);
        let (byte, bit) = random.bit(region.bytes(&golden.image, golden.model_bytes));
        Self { region, byte, bit }
    }

    /// Boots the image with this bit flipped.
    ///
    /// # Errors
    /// As [`Qemu::boot`] and [`judge`].
    pub fn boot(self, golden: &Golden) -> Result<Outcome, Error> {
        let mut image = golden.image.clone();
        image[self.byte] ^= 1 << self.bit;
        let qemu = Qemu { limit: PATIENCE, ..Qemu::default() };
        judge(&mut qemu.boot(&image)?, &golden.trace)
    }

    /// Whether `outcome` is one that this flip may have. It is never another story with success.
    pub fn may_end_as(self, outcome: &Outcome) -> bool {
        match (self.region, outcome) {
            (_, Outcome::Silent(_)) => false,
            // Nothing checks these but the BIOS, so anything else may happen.
            (Region::Stage1 | Region::PartitionTable, _) => true,
            // Few of its instructions run before it has checked itself: those may do anything, but
            // not tell the story as if nothing were wrong.
            (Region::LoaderCode, Outcome::Dead(_)) => true,
            // Where a flip changes nothing, it was not noticed, and the next one might matter.
            (region, Outcome::Stopped { .. }) => region.checked(),
            (region, Outcome::Told) => !region.checked(),
            (_, Outcome::Dead(_) | Outcome::Letter(_)) => false,
        }
    }
}

/// How many boots ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The right story.
    pub told: usize,
    /// A reason: a sentence, or the boot sector's letter.
    pub stopped: usize,
    /// Nothing: hung or reset.
    pub dead: usize,
    /// Another story, with success.
    pub silent: usize,
}

impl Tally {
    /// Adds one boot.
    pub fn count(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Told => &mut self.told,
            Outcome::Stopped { .. } | Outcome::Letter(_) => &mut self.stopped,
            Outcome::Dead(_) => &mut self.dead,
            Outcome::Silent(_) => &mut self.silent,
        } += 1;
    }

    /// All boots.
    pub fn tried(&self) -> usize {
        self.told + self.stopped + self.dead + self.silent
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.told += other.told;
        self.stopped += other.stopped;
        self.dead += other.dead;
        self.silent += other.silent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_its_ends() {
        let stopped = Outcome::Stopped { reason: String::new(), off: true };
        let dead = Outcome::Dead(String::new());
        let outcomes = [stopped, Outcome::Told, dead, Outcome::Letter('R'), Outcome::Silent(String::new())];
        for (region, expected) in [
            (Region::Model, [true, false, false, false, false]),
            (Region::LoaderCode, [true, false, true, false, false]),
            (Region::Padding, [false, true, false, false, false]),
            (Region::Stage1, [true, true, true, true, false]),
        ] {
            let flip = Flip { region, byte: 0, bit: 0 };
            assert_eq!(outcomes.each_ref().map(|outcome| flip.may_end_as(outcome)), expected, "{region:?}");
        }
    }

    #[test]
    fn every_boot_is_counted_once() {
        let mut tally = Tally::default();
        for outcome in [Outcome::Told, Outcome::Letter('R'), Outcome::Dead(String::new())] {
            tally.count(&outcome);
        }
        let mut sum = tally;
        sum += tally;
        assert_eq!(sum, Tally { told: 2, stopped: 2, dead: 2, silent: 0 });
        assert_eq!(sum.tried(), 6);
    }
}
