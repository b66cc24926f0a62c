//! The image cut short: the right story where only padding is missing, the reason where anything else is.
use libtest_mimic::Trial;
use machine::{
    corruption::{REGIONS, Random, Region},
    golden::{BUILT_IN, Golden, traced},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use map::disk::{KERNEL_LBA, LOADER_LBA, MODEL_LBA, SECTOR, SETTINGS_LBA};
use unreallm::image::Medium;

use crate::case::{Trouble, case, ensure};

/// Lengths to which the image is cut.
const PLACES: usize = 50;
/// Tests that share them, so that they run beside each other.
const SHARES: usize = 5;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    (0..SHARES)
        .map(|share| case(&format!("cut_off::share_{share}"), move || told_or_refused(share)))
        .collect()
}

/// Where parts begin, a byte before and behind, and then somewhere in each region in turn. An image
/// without a boot sector is none, and the BIOS says so.
fn lengths(golden: &Golden) -> Vec<usize> {
    let model_end = (MODEL_LBA * SECTOR) as usize + golden.model_bytes;
    let mut lengths: Vec<usize> = [LOADER_LBA + 1, KERNEL_LBA, SETTINGS_LBA, MODEL_LBA]
        .map(|lba| (lba * SECTOR) as usize)
        .into_iter()
        .chain([model_end, model_end.next_multiple_of(SECTOR as usize)])
        .flat_map(|place| [place - 1, place, place + 1])
        .collect();
    let mut random = Random::new(3);
    for region in REGIONS[2..].iter().cycle().take(PLACES - lengths.len()) {
        lengths.push(random.bit(region.bytes(&golden.image, golden.model_bytes)).0);
    }
    lengths
}

fn told_or_refused(share: usize) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    let model_end = Region::Model.bytes(&golden.image, golden.model_bytes).end;
    for length in lengths(&golden).into_iter().skip(share).step_by(SHARES) {
        let mut machine = Qemu::default().boot(&golden.image[..length])?;
        // QEMU fills the last sector with zeros.
        let sectors = length.div_ceil(SECTOR as usize);
        if sectors < KERNEL_LBA as usize {
            machine.wait_for_screen("!R")?;
            continue;
        }
        let (read, lost) = golden.image[..model_end].split_at(model_end.min(sectors * SECTOR as usize));
        let whole = lost.is_empty() && read[length.min(model_end)..].iter().all(|&byte| byte == 0);
        let outcome = judge(&mut machine, &golden.trace)?;
        let right = match &outcome {
            Outcome::Told => whole,
            Outcome::Stopped { .. } => !whole,
            _ => false,
        };
        ensure(right, || format!("cut to {length} bytes, the model ends at {model_end}: {outcome:?}"))?;
    }
    Ok(())
}
