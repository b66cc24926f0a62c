//! One flipped bit anywhere in the image: a reason where a CRC covers it, the right story where nothing
//! reads it, and nowhere another story with success. The command `corruptions` tries more of them.
use libtest_mimic::Trial;
use machine::{
    corruption::{REGIONS, Region},
    flips::{Flip, Tally},
    golden::{BUILT_IN, Golden, traced},
};
use unreallm::image::Medium;

use crate::case::{Trouble, case, ensure};

/// Flips in each region.
const EACH: usize = 8;
/// Not that of the command, so that both together try more.
const SEED: u64 = 2;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    REGIONS
        .into_iter()
        .map(|region| case(&format!("flips::{region:?}"), move || all_end_as_they_may(region)))
        .chain([case("flips::loaders_small_statics", small_statics)])
        .collect()
}

/// Some statics are read on the way to the loader's check of itself: whether this is the first processor,
/// whether the consoles are set up. They lie behind the large ones, at the end of its data.
fn small_statics() -> Result<(), Trouble> {
    const BYTES: usize = 128;
    let golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    let end = Region::LoaderData.bytes(&golden.image, golden.model_bytes).end;
    for byte in (end - BYTES..end).step_by(size_of::<u32>()) {
        let flip = Flip { region: Region::LoaderData, byte, bit: 0 };
        let outcome = flip.boot(&golden)?;
        ensure(flip.may_end_as(&outcome), || format!("{flip:x?} ended as {outcome:?}"))?;
    }
    Ok(())
}

fn all_end_as_they_may(region: Region) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    let mut tally = Tally::default();
    for number in 0..EACH {
        let flip = Flip::new(&golden, region, number, SEED);
        let outcome = flip.boot(&golden)?;
        ensure(flip.may_end_as(&outcome), || format!("{flip:x?} ended as {outcome:?}"))?;
        tally.count(&outcome);
    }
    // The loader's instructions before its check are few: most flips are told by a sentence.
    ensure(!region.checked() || tally.stopped > EACH / 2, || format!("{tally:?}"))
}
