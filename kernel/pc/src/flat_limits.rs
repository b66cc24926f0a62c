//! Proof that unreal mode holds: memory above 1 MiB is the same through each data segment.
//!
//! On a CPU that enforces limits, a segment that ends at 64 KB faults here, and the exception handler
//! says so. A segment with another base reads and writes something else than DS does.
use crate::linear;
use core::arch::asm;
use core::fmt;
use firmware::e820::UsableRegion;

/// A segment that does not reach above 1 MiB.
#[derive(Clone, Copy, Debug)]
pub struct SegmentNotFlat {
    /// Its name.
    pub segment: &'static str,
    /// The address that was tried.
    pub address: u32,
}

impl fmt::Display for SegmentNotFlat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, address } = self;
        write!(f, "segment {segment} does not reach {address:#x}: unreal mode is not in effect")
    }
}

/// Any two words that no memory holds by chance.
const HERE: u32 = 0x5EED_1E55;
const AWAY: u32 = 0x0A11_A5ED;
/// How far the place lies that must stay as it is: A20's address line, which would make two places one.
const DISTANCE: u32 = 1 << 20;

/// A function that writes a word through a segment and reads it through DS, and its complement the other
/// way round. Gives both as they were read.
macro_rules! exchange {
    ($segment:literal) => {
        |address: u32, word: u32| -> [u32; 2] {
            let (through_ds, through_segment);
            // SAFETY: `check` gives an address in free memory.
            unsafe {
                asm!(
                    concat!("mov ", $segment, ":[{address}], {word}"),
                    "mov {through_ds}, ds:[{address}]",
                    "not {word}",
                    "mov ds:[{address}], {word}",
                    concat!("mov {through_segment}, ", $segment, ":[{address}]"),
                    address = in(reg) address,
                    word = inout(reg) word => _,
                    through_ds = out(reg) through_ds,
                    through_segment = lateout(reg) through_segment,
                    options(nostack, preserves_flags),
                );
            }
            [through_ds, through_segment]
        }
    };
}

type Exchange = fn(u32, u32) -> [u32; 2];

/// Checks DS, ES, SS, FS and GS at the end of `region`, which must be free memory.
pub fn check(region: UsableRegion) -> Result<(), SegmentNotFlat> {
    const SEGMENTS: [(&str, Exchange); 5] = [
        ("ds", exchange!("ds")),
        ("es", exchange!("es")),
        ("ss", exchange!("ss")),
        ("fs", exchange!("fs")),
        ("gs", exchange!("gs")),
    ];
    let address = region.end - size_of::<u32>() as u32;
    let away: *mut u32 = linear::pointer(region.start.max(address - DISTANCE));
    for (segment, exchange) in SEGMENTS {
        // SAFETY: the start of the region, or nearer to its end: free memory. Volatile, as the segment may
        // reach it where it should not.
        let read = unsafe {
            away.write_volatile(AWAY);
            (exchange(address, HERE), away.read_volatile())
        };
        if read != ([HERE, !HERE], AWAY) {
            return Err(SegmentNotFlat { segment, address });
        }
    }
    Ok(())
}
