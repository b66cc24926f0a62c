//! Looking for the firmware's tables in the machine's own memory.
use crate::linear;
use firmware::acpi::{Memory, ProcessorList};

/// Physical memory, through unreal mode's segments.
struct Physical;

impl Memory for Physical {
    fn read(&self, address: u32, out: &mut [u8]) {
        for (address, byte) in (address..).zip(out) {
            // SAFETY: the address is one that the trait promises: of memory or ROM, where reading has
            // no effects. What is not there reads as anything, and is not believed.
            *byte = unsafe { linear::pointer::<u8>(address).read_volatile() };
        }
    }
}

/// The processors that the firmware lists, if it lists any.
pub fn processors() -> Option<ProcessorList> {
    ProcessorList::find(&Physical)
}
