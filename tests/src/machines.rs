//! The machines on which every test run tries the image; [`crate::matrix`] has all that there are.
use std::time::Duration;

use crate::{
    bochs::Bochs,
    qemu::{Qemu, Storage},
};

/// A machine of either emulator.
#[derive(Clone, Debug)]
pub enum Emulated {
    /// By QEMU.
    Qemu(Qemu),
    /// By Bochs.
    Bochs(Bochs),
}

/// A machine with a name.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Emulator, machine, and what is special: `qemu pc nvme`.
    pub name: &'static str,
    /// How to make it.
    pub emulated: Emulated,
    /// Whether the image on it is that of a floppy.
    pub floppy: bool,
}

/// All of them, the plain ones first.
pub fn all() -> Vec<Machine> {
    let pc = Qemu::default;
    let q35 = Qemu::q35;
    let i386 = "qemu-system-i386";
    let slow = Duration::from_secs(120);
    let mut machines: Vec<Machine> = [
        ("qemu pc", pc()),
        ("qemu pc i386", Qemu { program: i386, ..pc() }),
        ("qemu q35", q35()),
        ("qemu q35 i386", Qemu { program: i386, ..q35() }),
        ("qemu isapc", Qemu { machine: Some("isapc"), ..pc() }),
        ("qemu pc ahci", Qemu { storage: Storage::Ich9Ahci, ..pc() }),
        ("qemu q35 ide", Qemu { storage: Storage::PiixIde, ..q35() }),
        ("qemu pc virtio", Qemu { storage: Storage::Virtio, ..pc() }),
        ("qemu q35 virtio", Qemu { storage: Storage::Virtio, ..q35() }),
        ("qemu pc nvme", Qemu { storage: Storage::Nvme, ..pc() }),
        ("qemu q35 nvme", Qemu { storage: Storage::Nvme, ..q35() }),
        ("qemu pc usb", Qemu { storage: Storage::Usb, ..pc() }),
        ("qemu q35 usb", Qemu { storage: Storage::Usb, ..q35() }),
        ("qemu pc floppy", Qemu { storage: Storage::Floppy, limit: slow, ..pc() }),
        ("qemu pc 486", Qemu { cpu: Some("486"), ..pc() }),
        ("qemu pc i386 486", Qemu { program: i386, cpu: Some("486"), ..pc() }),
        ("qemu pc pentium", Qemu { cpu: Some("pentium"), ..pc() }),
        ("qemu pc pentium3", Qemu { cpu: Some("pentium3"), ..pc() }),
        ("qemu pc qemu32", Qemu { cpu: Some("qemu32"), ..pc() }),
        ("qemu q35 max", Qemu { cpu: Some("max"), ..q35() }),
        ("qemu pc 4 GB", Qemu { memory: Some(4096), ..pc() }),
        ("qemu q35 4 GB", Qemu { memory: Some(4096), ..q35() }),
    ]
    .into_iter()
    .map(|(name, qemu)| Machine {
        name,
        floppy: qemu.storage == Storage::Floppy,
        emulated: Emulated::Qemu(qemu),
    })
    .collect();
    machines.extend(
        [
            ("bochs", Bochs::default()),
            ("bochs floppy", Bochs { floppy: true, ..Bochs::default() }),
            ("bochs pentium", Bochs { cpu: "pentium", ..Bochs::default() }),
        ]
        .map(|(name, bochs)| Machine {
            name,
            floppy: bochs.floppy,
            emulated: Emulated::Bochs(bochs),
        }),
    );
    machines
}
