//! Proof that unreal mode holds: a write and a read-back above 1 MB through each data segment.
//!
//! On a CPU that enforces limits, a segment that ends at 64 KB faults here, and the exception handler
//! says so. A segment with another base reads something else.
use core::arch::asm;
use core::fmt;
use firmware::e820::UsableRegion;

/// A segment that does not reach above 1 MB.
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

macro_rules! check {
    ($segment:literal, $address:expr, $pattern:expr) => {{
        let read: u32;
        // SAFETY: the address lies in free memory above 1 MB, before there is a heap.
        unsafe {
            asm!(
                concat!("mov ", $segment, ":[{address}], {pattern}"),
                concat!("mov {read}, ", $segment, ":[{address}]"),
                address = in(reg) $address, pattern = in(reg) $pattern, read = out(reg) read,
                options(nostack, preserves_flags),
            );
        }
        if read != $pattern {
            return Err(SegmentNotFlat { segment: $segment, address: $address });
        }
    }};
}

/// Checks DS, ES, SS, FS and GS at the end of `region`, which must be free memory. The pattern is
/// read back through DS from one place more, so that a write that went elsewhere is noticed.
pub fn check(region: UsableRegion) -> Result<(), SegmentNotFlat> {
    let address = region.end - 4;
    check!("ds", address, 0x5EED_0001_u32);
    check!("es", address, 0x5EED_0002_u32);
    check!("ss", address, 0x5EED_0003_u32);
    check!("fs", address, 0x5EED_0004_u32);
    check!("gs", address, 0x5EED_0005_u32);
    Ok(())
}
