//! The timer (PIT): counter 0, whose output is the BIOS's tick, and counter 2, which is there for the speaker.
//!
//! Sources: Intel 8254 data sheet (control word, modes, counter latch command); IBM PC AT Technical Reference
//! (port 61h).
use crate::port;
use core::arch::asm;

/// What it counts, in Hz.
pub const HZ: u64 = 1_193_182;
/// What counter 0 counts from one tick of the BIOS to the next, 18.2 Hz: the longest count, written as 0.
pub const COUNTS_PER_TICK: u64 = 1 << 16;

const COUNTER_0: u16 = 0x40;
const COUNTER_2: u16 = 0x42;
const CONTROL_WORD: u16 = 0x43;
/// Control word: counter (SC), both bytes of the count or the latch command (RW), mode (M), binary.
const SELECT_COUNTER_0: u8 = 0 << 6;
const SELECT_COUNTER_2: u8 = 2 << 6;
const LATCH: u8 = 0 << 4;
const BOTH_BYTES: u8 = 3 << 4;
/// Mode 0: the output goes high when the count reaches 0, once.
const MODE_0: u8 = 0 << 1;
/// Mode 2, rate generator: counts down by one, again and again.
const MODE_2: u8 = 2 << 1;

/// Port 61h gates counter 2 (bit 0), connects it to the speaker (bit 1) and shows its output (bit 5).
const PORT_61: u16 = 0x61;
const GATE_2: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
const OUT_2: u8 = 1 << 5;
/// How often the output is read before the timer is given up: reads take about a microsecond, or far
/// less in an emulator.
const PATIENCE: u32 = 5_000_000;

/// Makes counter 0 count down by one, as often a second as before. Some BIOSes leave it in mode 3, which makes a
/// square wave: there it counts down by two, twice a tick, and only the output says in which half it is.
pub fn set_rate_generator() {
    // SAFETY: the BIOS wants a tick 18.2 times a second of counter 0, and in this mode gets it, too. It
    // loses a part of one, once.
    unsafe {
        port::write_u8(CONTROL_WORD, SELECT_COUNTER_0 | BOTH_BYTES | MODE_2);
        port::write_u8(COUNTER_0, COUNTS_PER_TICK as u8);
        port::write_u8(COUNTER_0, (COUNTS_PER_TICK >> 8) as u8);
    }
}

/// What counter 0 has counted in this tick. It must be a rate generator.
pub fn counts_in_tick() -> u16 {
    let left: u16;
    // SAFETY: latches the count and reads it, first the low byte. Interrupts are off, as a BIOS's handler that
    // reads the counter, too, would get one of the bytes.
    unsafe {
        asm!(
            "pushfd", "cli",
            "out {control}, al",
            "in al, {counter}", "mov ah, al", "in al, {counter}", "xchg al, ah",
            "popfd",
            control = const CONTROL_WORD, counter = const COUNTER_0,
            inout("ax") u16::from(SELECT_COUNTER_0 | LATCH) => left,
        );
    }
    left.wrapping_neg()
}

/// Lets counter 2 count `counts` down, and gives how long that took at least and at most by `now`, or `None` if it
/// never ends. The two are far apart where this processor did not run when it began or ended.
pub fn count_down(counts: u16, now: impl Fn() -> u64) -> Option<(u64, u64)> {
    let [low, high] = counts.to_le_bytes();
    // SAFETY: counter 2 serves the speaker, which is switched off meanwhile.
    unsafe {
        let before = port::read_u8(PORT_61);
        port::write_u8(PORT_61, before & !SPEAKER | GATE_2);
        port::write_u8(CONTROL_WORD, SELECT_COUNTER_2 | BOTH_BYTES | MODE_0);
        port::write_u8(COUNTER_2, low);
        let earliest_start = now();
        port::write_u8(COUNTER_2, high);
        let latest_start = now();
        let mut earliest_end = latest_start;
        let took = (0..PATIENCE).find_map(|_| {
            let look = now();
            if port::read_u8(PORT_61) & OUT_2 != 0 {
                return Some((earliest_end - latest_start, now() - earliest_start));
            }
            earliest_end = look;
            None
        });
        port::write_u8(PORT_61, before);
        took
    }
}
