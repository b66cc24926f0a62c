//! The CD of `image --iso`: the BIOS shows its image as a hard disk, and the story is the same.
use libtest_mimic::Trial;
use machine::{
    Emulator,
    bochs::Bochs,
    golden::{BUILT_IN, Golden, traced},
    qemu::{Qemu, Storage},
    transcript::Transcript,
};
use unreallm::{image::Medium, iso};

use crate::case::{Trouble, case, ensure};

/// Tokens: only the way to the disk is new, not the arithmetic.
const TOKENS: u32 = 32;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("media::cd_qemu_pc", || {
            tells(|cd| Ok(Qemu { storage: Storage::Cd, ..Qemu::default() }.boot(cd)?))
        }),
        case("media::cd_qemu_q35", || tells(|cd| Ok(Qemu { storage: Storage::Cd, ..Qemu::q35() }.boot(cd)?))),
        case("media::cd_bochs", || tells(|cd| Ok(Bochs { cd: true, ..Bochs::default() }.boot(cd)?))),
    ]
}

/// Boots a CD and compares the trace with the host's.
fn tells<M: Emulator>(boot: impl FnOnce(&[u8]) -> Result<M, Trouble>) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(TOKENS), Medium::Disk)?;
    let mut cd = Vec::new();
    iso::write(golden.image.as_slice(), golden.image.len() as u64, &mut cd)
        .map_err(|error| Trouble::Wrong(format!("the CD: {error}")))?;
    let (_, log) = boot(&cd)?.wait_for_end()?;
    let transcript = Transcript::parse(&log);
    ensure(transcript.trace == golden.trace, || {
        format!("the trace is not the host's; the machine said: {}", transcript.text)
    })
}
