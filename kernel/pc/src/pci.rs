//! PCI configuration space, as far as a disk controller needs it.
//!
//! Source: PCI Local Bus Specification 2.1, 3.7.4.1 (configuration mechanism 1) and 6.1.
use crate::port;

/// The ports of mechanism 1: which register, and its value.
const ADDRESS: u16 = 0xCF8;
const DATA: u16 = 0xCFC;
/// In [`ADDRESS`]: the next access to [`DATA`] is one of configuration space.
const ENABLE: u32 = 1 << 31;
/// Registers: offsets of 32-bit words.
const ID: u8 = 0x00;
const COMMAND: u8 = 0x04;
const CLASS: u8 = 0x08;
const HEADER: u8 = 0x0C;
const BAR_0: u8 = 0x10;
/// In [`HEADER`]: the device has more than one function.
const MULTIFUNCTION: u32 = 1 << 23;
/// In [`COMMAND`]: answer to I/O ports, and go to memory by yourself.
const IO_AND_BUS_MASTER: u32 = 1 << 0 | 1 << 2;
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
            port::write_u32(ADDRESS, ENABLE);
            port::read_u32(ADDRESS) == ENABLE
        };
        if !has_mechanism_1 {
            return None;
        }
        for device in 0..32 {
            let mut functions = 1;
            let mut function = 0;
            while function < functions {
                let here = Self { device, function };
                if here.read(ID) != NOBODY {
                    if here.read(HEADER) & MULTIFUNCTION != 0 {
                        functions = 8;
                    }
                    if wanted(here.read(CLASS) >> 8) {
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
        (self.read(CLASS) >> 8) as u8
    }

    /// The I/O port that base address register `number` holds.
    pub fn io_base(self, number: u8) -> u16 {
        self.read(BAR_0 + 4 * number) as u16 & !3
    }

    /// Lets the device answer to its ports and read and write memory.
    pub fn enable(self) {
        let command = self.read(COMMAND);
        // The upper half is the status; ones written there would clear it.
        self.write(COMMAND, command & 0xFFFF | IO_AND_BUS_MASTER);
    }

    fn select(self, register: u8) {
        let place = u32::from(self.device) << 11 | u32::from(self.function) << 8 | u32::from(register);
        // SAFETY: selecting a register changes nothing.
        unsafe { port::write_u32(ADDRESS, ENABLE | place) };
    }

    fn read(self, register: u8) -> u32 {
        self.select(register);
        // SAFETY: reading configuration space has no effects.
        unsafe { port::read_u32(DATA) }
    }

    fn write(self, register: u8, value: u32) {
        self.select(register);
        // SAFETY: only `enable` writes, to a device that is ours to use.
        unsafe { port::write_u32(DATA, value) };
    }
}
