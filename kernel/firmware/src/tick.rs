//! The BIOS's tick, and what it says about a time-stamp counter: slow and right, while the counter's speed is measured
//! in an instant, in which an emulator on a busy host may have to wait.
//!
//! Source: IBM PC AT Technical Reference (INT 1Ah); Ralf Brown's memory list, 0040:006C.

/// Microseconds of a tick: 65,536 counts of a timer at 1,193,182 Hz.
const MICROS_PER_TICK: u64 = 54_925;
/// Ticks in a day, to the BIOS: midnight makes the count 0.
pub const PER_DAY: u32 = 0x18_00B0;
/// What two measurements may differ by: this power of two of one of them, 0.8%.
const AGREE_SHIFT: u32 = 7;
/// How often a speed is measured at most.
const MOST_MEASUREMENTS: usize = 8;
/// Ticks of a second. Less says nothing, as one may be counted or not at either end.
const LEAST_TICKS: u32 = 18;
/// What a clock may be off by beside that one: this power of two of the time, 1.6%.
const OFF_SHIFT: u32 = 6;

/// A speed by measurements of it, and whether two in a row agree. Where none do it is the least of them: whoever has to
/// wait sees the end too late, and the counter's speed too high. `None` where it cannot be measured.
pub fn settle(mut measure: impl FnMut() -> Option<u64>) -> Option<(u64, bool)> {
    let mut last = measure()?;
    let mut least = last;
    for _ in 1..MOST_MEASUREMENTS {
        let next = measure()?;
        if last.abs_diff(next) <= next >> AGREE_SHIFT {
            return Some((next, true));
        }
        least = least.min(next);
        last = next;
    }
    Some((least, false))
}

/// The microseconds between two counts of ticks, less than a day apart, where they are more than a second and a clock
/// that says `micros` is off.
pub fn correction(micros: u64, earlier: u32, later: u32) -> Option<u64> {
    let ticks = if later < earlier { later + PER_DAY - earlier } else { later - earlier };
    let by_clock = (micros / MICROS_PER_TICK) as u32;
    let is_off = ticks > LEAST_TICKS && ticks.abs_diff(by_clock) > 1 + (ticks >> OFF_SHIFT);
    is_off.then(|| u64::from(ticks) * MICROS_PER_TICK)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn settled(measurements: &[u64]) -> Option<(u64, bool)> {
        let mut measurements = measurements.iter().copied();
        settle(|| measurements.next())
    }

    #[test]
    fn two_measurements_in_a_row_must_agree() {
        assert_eq!(settled(&[2_604_000_000, 2_610_000_000]), Some((2_610_000_000, true)));
        assert_eq!(settled(&[3_920_000_000, 2_604_000_000, 2_600_000_000]), Some((2_600_000_000, true)));
        assert_eq!(
            settled(&[2_604_000_000, 3_920_000_000, 2_600_000_000, 2_600_000_000, 1]).unwrap().0,
            2_600_000_000
        );
        let never: Vec<u64> = [30, 40, 26, 33, 29, 50, 70, 35].map(|x| x * 100_000_000).to_vec();
        assert_eq!(settled(&never), Some((2_600_000_000, false)));
        assert_eq!(settled(&[2_600_000_000]), None, "the timer has stopped");
    }

    #[test]
    fn the_tick_corrects_a_clock_that_is_off() {
        let second = 1_000_000;
        // 10 s are 182 ticks.
        assert_eq!(correction(10 * second, 1000, 1182), None);
        assert_eq!(correction(10 * second + 200_000, 1000, 1182), None, "a tick, and 1.6%");
        assert_eq!(correction(10 * second + 220_000, 1000, 1182), Some(182 * MICROS_PER_TICK));
        assert_eq!(
            correction(6_600_000, 1000, 1182),
            Some(182 * MICROS_PER_TICK),
            "a counter measured 50% too fast"
        );
        assert_eq!(
            correction(6_600_000, PER_DAY - 100, 82),
            Some(182 * MICROS_PER_TICK),
            "midnight is between"
        );
        assert_eq!(correction(3 * second, 1000, 1018), None, "less than a second by the tick");
    }

    #[test]
    fn a_day_of_ticks_is_a_day() {
        let day = u64::from(PER_DAY) * MICROS_PER_TICK / 1_000_000;
        assert!(day.abs_diff(24 * 60 * 60) < 2, "{day} s");
    }
}
