//! PCI configuration space, as far as a disk controller needs it.
//!
//! Source: PCI Local Bus Specification 2.1, 3.7.4.1 (configuration mechanism 1) and 6.1.
use crate::port;

/// The ports of mechanism 1: which register, and its value.
const CONFIG_ADDRESS: u16 = 0xCF8;
const CONFIG_DATA: u16 = 0xCFC;
/// In [`CONFIG_ADDRESS`]: the next access to [`CONFIG_DATA`] is one of configuration space.
const ENABLE: u32 = 1 << 31;
/// Registers, as the 32-bit words that they lie in: vendor and device; command and status; revision,
/// programming interface, subclass and class; cache line, latency, header type; base addresses.
const VENDOR_AND_DEVICE: u8 = 0x00;
const COMMAND_AND_STATUS: u8 = 0x04;
const REVISION_AND_CLASS: u8 = 0x08;
const HEADER_TYPE: u8 = 0x0C;
const BAR_0: u8 = 0x10;
/// In [`HEADER_TYPE`]: the device has more than one function.
const MULTIFUNCTION: u32 = 1 << 23;
/// Command: I/O space (answers to ports), bus master (goes to memory by itself).
const IO_SPACE: u32 = 1 << 0;
const BUS_MASTER: u32 = 1 << 2;
/// In a base address register: it holds a port, above the two lowest bits.
const IS_IO: u32 = 1 << 0;
const IO_ADDRESS: u32 = !3;
/// What an empty slot reads.
const NOBODY: u32 = u32::MAX;

/// A function of a device on bus 0, where a chipset's own controllers are.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    device: u8,
    function: u8,
}

impl Function {
    /// The first function whose class, subclass and programming interface (24 bits) `wanted` wants.
    pub fn find(wanted: impl Fn(u32) -> bool) -> Option<Self> {
        // SAFETY: mechanism 1's address port can be written and read back, where there is one; without
        // PCI nobody answers there.
        let has_mechanism_1 = unsafe {
            port::write_u32(CONFIG_ADDRESS, ENABLE);
            port::read_u32(CONFIG_ADDRESS) == ENABLE
        };
        if !has_mechanism_1 {
            return None;
        }
        for device in 0..32 {
            let mut functions = 1;
            let mut function = 0;
            while function < functions {
                let here = Self { device, function };
                if here.read(VENDOR_AND_DEVICE) != NOBODY {
                    if here.read(HEADER_TYPE) & MULTIFUNCTION != 0 {
                        functions = 8;
                    }
                    if wanted(here.read(REVISION_AND_CLASS) >> 8) {
                        return Some(here);
                    }
                }
                function += 1;
            }
        }
        None
    }

    /// The programming interface, the lowest byte of the class.
    pub fn interface(self) -> u8 {
        (self.read(REVISION_AND_CLASS) >> 8) as u8
    }

    /// The first port of base address register `number`. `None` where it holds none: 0 is what no BIOS has
    /// assigned, and a PC's ports have 16 bits.
    pub fn io_base(self, number: u8) -> Option<u16> {
        let bar = self.read(BAR_0 + 4 * number);
        let port = u16::try_from(bar & IO_ADDRESS).ok()?;
        (bar & IS_IO != 0 && port != 0).then_some(port)
    }

    /// Lets the device answer to its ports and read and write memory.
    pub fn enable(self) {
        let command = self.read(COMMAND_AND_STATUS);
        // The upper half is the status; ones written there would clear it.
        self.write(COMMAND_AND_STATUS, command & 0xFFFF | IO_SPACE | BUS_MASTER);
    }

    /// What selects a register at [`CONFIG_ADDRESS`].
    fn address(self, register: u8) -> u32 {
        ENABLE | u32::from(self.device) << 11 | u32::from(self.function) << 8 | u32::from(register)
    }

    fn read(self, register: u8) -> u32 {
        // SAFETY: selecting a register of configuration space and reading it have no effects.
        unsafe {
            port::write_u32(CONFIG_ADDRESS, self.address(register));
            port::read_u32(CONFIG_DATA)
        }
    }

    fn write(self, register: u8, value: u32) {
        // SAFETY: only `enable` writes, to a device that is ours to use.
        unsafe {
            port::write_u32(CONFIG_ADDRESS, self.address(register));
            port::write_u32(CONFIG_DATA, value);
        }
    }
}
