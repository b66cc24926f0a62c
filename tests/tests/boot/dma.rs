//! The disk at the bus's speed: by the IDE controller's own way to memory where that is proved to reach
//! the drive, by the BIOS elsewhere and after any error.
use libtest_mimic::Trial;
use machine::{
    Emulator,
    bochs::Bochs,
    golden::{BUILT_IN, Golden, traced},
    nasty_bios::Faults,
    qemu::{Qemu, Storage},
    transcript::Transcript,
};
use map::disk::{KERNEL_LBA, MODEL_LBA, SECTOR};
use protocol::settings::Settings;
use unreallm::image::Medium;

use crate::{
    case::{Trouble, case, ensure},
    trace::compare,
};

const BY_DMA: &str = "disk    drive 80h by bus-master DMA\n";
const BY_BIOS: &str = "disk    drive 80h by the BIOS\n";
const FAILED: &str = "disk    DMA failed at sector ";

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let pc = |storage| Qemu { storage, ..Qemu::default() };
    let zeros = ["-drive", "if=ide,index=0,driver=null-co,read-zeroes=on,size=67108864"].map(String::from);
    let machines: [(&'static str, Qemu, &'static [&'static str]); 7] = [
        ("pc", pc(Storage::Drive), &[BY_DMA]),
        ("pc_second_channel_second_drive", pc(Storage::LastIde), &[BY_DMA]),
        ("q35_has_no_such_controller", Qemu::q35(), &[BY_BIOS]),
        (
            "isapc_has_no_pci",
            Qemu { machine: Some("isapc"), cpu: Some("486"), ..Qemu::default() },
            &[BY_BIOS],
        ),
        (
            "another_disk_is_not_mistaken",
            Qemu { extra: zeros.into(), ..pc(Storage::Virtio) },
            &[" by the BIOS\n"],
        ),
        ("error_in_the_model", pc(Storage::BadSectorOnce(MODEL_LBA + 300)), &[BY_DMA, FAILED]),
        ("error_in_the_kernel", pc(Storage::BadSectorOnce(KERNEL_LBA + 100)), &[BY_DMA, FAILED]),
    ];
    let mut cases: Vec<Trial> = machines
        .into_iter()
        .map(|(name, qemu, says)| {
            case(&format!("dma::{name}"), move || {
                let golden = Golden::new(BUILT_IN, &traced(24), Medium::Disk)?;
                is_told_by(&mut qemu.boot(&golden.image)?, &golden, says)
            })
        })
        .collect();
    cases.push(case("dma::no_answer", no_answer));
    cases.push(case("dma::bus_master_without_ports", no_ports));
    cases.push(case("dma::bochs", || {
        let golden = Golden::new(BUILT_IN, &traced(24), Medium::Disk)?;
        is_told_by(&mut Bochs::default().boot(&golden.image)?, &golden, &[BY_DMA])
    }));
    cases
}

/// A read that never ends is given up, and the BIOS reads on.
fn no_answer() -> Result<(), Trouble> {
    // Within the kernel: stage1 has read the loader, and the samples were read both ways.
    const BYTES: u32 = (KERNEL_LBA + 150) * SECTOR;
    let golden = Golden::new(BUILT_IN, &traced(24), Medium::Disk)?;
    let mut machine = Qemu { storage: Storage::Stalling(BYTES), ..Qemu::default() }.boot(&golden.image)?;
    machine.wait_for("the end of the kernel's patience", |log| {
        String::from_utf8_lossy(log).contains("no answer in 10 s; the BIOS reads on from there")
    })?;
    machine.let_disk_flow()?;
    is_told_by(&mut machine, &golden, &[BY_DMA, FAILED])
}

/// A bus master to which the BIOS gave no ports is left alone, and so is the ISA DMA controller at ports
/// 0 to Fh, where the second channel's would be if they were counted from 0.
fn no_ports() -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &Settings { exit: false, ..traced(24) }, Medium::Disk)?;
    let channel_masks = |no_bus_master_ports, says: &str| -> Result<String, Trouble> {
        let faults = Some(Faults { no_bus_master_ports, ..Faults::default() });
        let qemu = Qemu { storage: Storage::OnlyLastIde, faults, ..Qemu::default() };
        let mut machine = qemu.boot(&golden.image)?;
        let log = machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
        let transcript = Transcript::parse(&log);
        ensure(transcript.text.contains(says), || format!("no '{says}' in:\n{}", transcript.text))?;
        compare(&transcript, &golden)?;
        Ok(machine.qmp()?.monitor("i /b 0xf")?) // its mask register, QEMU's way
    };
    let (untouched, after) = (channel_masks(false, BY_DMA)?, channel_masks(true, BY_BIOS)?);
    ensure(after == untouched, || format!("the DMA controller's masks are {after}, not {untouched}"))
}

/// The host's trace, and lines that tell how the disk was read.
fn is_told_by(machine: &mut impl Emulator, golden: &Golden, says: &[&str]) -> Result<(), Trouble> {
    let (_, log) = machine.wait_for_end()?;
    let transcript = Transcript::parse(&log);
    let text = &transcript.text;
    for line in says {
        ensure(text.contains(line), || format!("no '{line}' in:\n{text}"))?;
    }
    ensure(says.contains(&FAILED) || !text.contains(FAILED), || text.clone())?;
    compare(&transcript, golden)
}
