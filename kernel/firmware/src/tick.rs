//! The BIOS's tick, and what it says about a time-stamp counter: slow and right, while the counter's speed is measured
//! in an instant, in which an emulator on a busy host may have to wait.
//!
//! Source: IBM PC AT Technical Reference (INT 1Ah); Ralf Brown's memory list, 0040:006C.

/// Microseconds of a tick: 65,536 counts of a timer at 1,193,182 Hz.
const MICROS_PER_TICK: u64 = 54_925;
/// Ticks in a day, to the BIOS: midnight makes the count 0.
pub const PER_DAY: u32 = 0x18_00B0;
/// How well a speed must be known: bounds as near to each other as this power of two of it, 0.8%.
const KNOWN_SHIFT: u32 = 7;
/// How often a speed is measured at most.
const MOST_MEASUREMENTS: usize = 8;
/// Ticks of a second. Less says nothing, as one may be counted or not at either end.
const LEAST_TICKS: u32 = 18;
/// What a clock may be off by beside that one: this power of two of the time, 1.6%.
const OFF_SHIFT: u32 = 6;

/// A speed by measurements that each give the least and the most that it may be, and whether it is known well. One is
/// enough unless an emulator on a busy host had to wait just then; no number of them that agree would show that, as
/// hosts let programs wait for the same time again and again. `None` where it cannot be measured.
pub fn settle(mut measure: impl FnMut() -> Option<(u64, u64)>) -> Option<(u64, bool)> {
    let (mut least, mut most) = (0, u64::MAX);
    let mut is_known = false;
    for _ in 0..MOST_MEASUREMENTS {
        let (low, high) = measure()?;
        (least, most) = (least.max(low), most.min(high));
        is_known = most.saturating_sub(least) <= most >> KNOWN_SHIFT;
        if is_known {
            break;
        }
    }
    Some((least.midpoint(most), is_known))
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
    use super::*;

    fn settled(measurements: &[(u64, u64)]) -> Option<(u64, bool)> {
        let mut measurements = measurements.iter().copied();
        settle(|| measurements.next())
    }

    #[test]
    fn a_speed_is_between_all_bounds() {
        assert_eq!(settled(&[(2600, 2602)]), Some((2601, true)), "one is enough where the bounds are near");
        assert_eq!(
            settled(&[(2590, 3920), (2200, 2604)]),
            Some((2597, true)),
            "late at the end, then at the start"
        );
        let late = [(2590, 3100); MOST_MEASUREMENTS];
        assert_eq!(settled(&late), Some((2845, false)), "however often the same comes");
        assert_eq!(settled(&late[1..]), None, "the timer has stopped");
        assert_eq!(
            settled(&[(2590, 3100), (2610, 2605)]),
            Some((2607, true)),
            "a timer that is read by halves"
        );
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
