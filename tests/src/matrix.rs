//! Every machine that there can be: emulator, board, what it boots from, processor, how many of them.
//! What cannot be has its reason.
use std::time::Duration;

use crate::{
    bochs::Bochs,
    machines::Emulated,
    qemu::{Qemu, Storage},
};

/// Models of the processor, by QEMU's names.
pub const CPUS: [&str; 6] = ["486", "pentium", "pentium3", "qemu32", "qemu64", "max"];
/// How many processors.
pub const PROCESSORS: [u32; 3] = [1, 2, 4];
/// What an image may lie on.
pub const DRIVES: [Drive; 7] =
    [Drive::Ide, Drive::Ahci, Drive::Virtio, Drive::Nvme, Drive::Usb, Drive::Floppy, Drive::Cd];

/// An emulator with a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// QEMU's PC of 1996: PCI.
    QemuPc,
    /// QEMU's PC of 2009: PCI Express.
    QemuQ35,
    /// QEMU's PC without PCI.
    QemuIsapc,
    /// Bochs' only one.
    Bochs,
}

/// What the machine boots from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// A disk on an IDE controller.
    Ide,
    /// A disk on a SATA controller.
    Ahci,
    /// A virtio block device.
    Virtio,
    /// A solid-state disk.
    Nvme,
    /// A stick on a USB 2 controller.
    Usb,
    /// The first floppy drive.
    Floppy,
    /// A CD, which the BIOS shows as a hard disk.
    Cd,
}

impl Board {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QemuPc, Self::QemuQ35, Self::QemuIsapc, Self::Bochs];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QemuPc => "QEMU pc",
            Self::QemuQ35 => "QEMU q35",
            Self::QemuIsapc => "QEMU isapc",
            Self::Bochs => "Bochs",
        }
    }

    /// A machine on this board.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn machine(self, drive: Drive, cpu: &'static str, processors: u32) -> Result<Emulated, &'static str> {
        if self == Self::Bochs {
            return bochs(drive, cpu, processors).map(Emulated::Bochs);
        }
        let storage = match (self, drive) {
            (Self::QemuIsapc, Drive::Ahci | Drive::Virtio | Drive::Nvme | Drive::Usb) => {
                return Err("no PCI");
            }
            (Self::QemuQ35, Drive::Floppy) => return Err("no floppy controller"),
            (Self::QemuQ35, Drive::Ide) => Storage::PiixIde,
            (Self::QemuPc, Drive::Ahci) => Storage::Ich9Ahci,
            (_, Drive::Ide | Drive::Ahci) => Storage::Drive,
            (_, Drive::Virtio) => Storage::Virtio,
            (_, Drive::Nvme) => Storage::Nvme,
            (_, Drive::Usb) => Storage::Usb,
            (_, Drive::Floppy) => Storage::Floppy,
            (_, Drive::Cd) => Storage::Cd,
        };
        if self == Self::QemuIsapc && processors > 1 {
            return Err("one processor only");
        }
        // SeaBIOS connects the interrupt controller to a CPU only where CPUID shows an APIC; its floppy
        // driver waits for an interrupt.
        if drive == Drive::Floppy && cpu == "486" && processors > 1 {
            return Err("no interrupts");
        }
        let machine = match self {
            Self::QemuPc => "pc",
            Self::QemuQ35 => "q35",
            _ => "isapc",
        };
        let mut extra = vec!["-smp".into(), processors.to_string()];
        if processors > 1 {
            // Threads that wait for each other on fewer cores of this computer wait for time slices.
            extra.extend(["-accel", "tcg,thread=single"].map(String::from));
        }
        let limit = Duration::from_secs(120);
        Ok(Emulated::Qemu(Qemu {
            machine: Some(machine),
            cpu: Some(cpu),
            storage,
            extra,
            limit,
            ..Qemu::default()
        }))
    }
}

impl Drive {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ide => "IDE",
            Self::Ahci => "AHCI",
            Self::Virtio => "virtio",
            Self::Nvme => "NVMe",
            Self::Usb => "USB",
            Self::Floppy => "floppy",
            Self::Cd => "CD",
        }
    }
}

/// Bochs has models of its own that are near to QEMU's.
fn bochs(drive: Drive, cpu: &'static str, processors: u32) -> Result<Bochs, &'static str> {
    let cpu = match cpu {
        "pentium" => "pentium",
        "pentium3" => "p3_katmai",
        "max" => "corei7_haswell_4770",
        _ => return Err("no such model"),
    };
    let (floppy, cd) = match drive {
        Drive::Ide => (false, false),
        Drive::Floppy => (true, false),
        Drive::Cd => (false, true),
        _ => return Err("not in its BIOS"),
    };
    Ok(Bochs { cpu, processors, floppy, cd, limit: Duration::from_secs(240), ..Bochs::default() })
}
