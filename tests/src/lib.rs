//! Drivers for whole-machine tests: boot a disk image in an emulator, watch it from outside, and
//! never wait for ever.
//!
//! ```text
//! qemu, bochs          start an emulator with an image and give a machine that runs
//!   emulator           what all machines can do: read the serial log, wait for something in it
//!   process            the child process: a time limit, and killed when it is dropped
//! golden               a disk image, and what the host's engine says of it
//! machines             the machines that the image is tried on
//! corruption           seeded damage to an image
//!   flips              boots of images with one flipped bit
//! nasty_bios           a floppy that goes in first and makes the BIOS misbehave
//! v86_monitor          a floppy that runs the boot sector in virtual-8086 mode
//! qmp                  QEMU's control socket: registers, memory, stop
//! gdb                  QEMU's debugger port: writing to memory, stopping at a place
//! symbols              where a program's variables are
//! registers            CR0, CS and EIP out of what QEMU or Bochs prints
//! screen, cp437        the VGA text screen out of the bytes at 0xB8000
//! browser              Chromium and Node, where the page and v86 run
//! transcript           the serial log: story, trace, last line
//!   outcome            how a boot ended: told, stopped with a reason, dead, or silently wrong
//! ```
//!
//! A machine is watched through three windows that do not trust each other: the serial port, video
//! memory, and the processor's registers.
pub mod bochs;
pub mod browser;
pub mod corruption;
pub mod cp437;
pub mod disassembly;
pub mod emulator;
pub mod error;
pub mod flips;
pub mod gdb;
pub mod golden;
pub mod machines;
pub mod matrix;
pub mod nasty_bios;
pub mod outcome;
pub mod process;
pub mod qemu;
pub mod qmp;
pub mod registers;
pub mod screen;
pub mod symbols;
pub mod transcript;
pub mod v86_monitor;

pub use emulator::Emulator;
pub use error::Error;
