//! How many fraction bits a model's residual stream has: measured once, kept in the cache by the file's hash.
use std::{
    fmt::Write,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use model::{
    host::calibrate::{calibrate, set_residual_bits},
    packed::Packed,
};
use sha2::{Digest, Sha256};

use crate::models;

/// Bytes that are hashed at once.
const PIECE: usize = 1 << 20;

/// Gives a model the bits that its stream can have. `file`: where it was packed from.
pub fn apply(packed: &mut Packed, name: &str, file: Option<&Path>) {
    let kept = file.and_then(|file| place(file).ok().flatten());
    let bits = kept.as_ref().and_then(|place| fs::read_to_string(place).ok()?.trim().parse().ok());
    if let Some(bits) = bits {
        return set_residual_bits(packed, bits);
    }
    let bar = ProgressBar::new(0);
    let style = "Trying {msg} {wide_bar} {pos}/{len} {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template above is right"));
    bar.set_message(name.to_owned());
    let bits = calibrate(packed, |done, total| {
        bar.set_length(total);
        bar.inc(done);
    });
    bar.finish_and_clear();
    // A cache that cannot be written costs the next run some seconds.
    if let Some(place) = kept
        && let Some(folder) = place.parent()
    {
        let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&place, bits.to_string()));
    }
}

/// Where the outcome for a file is kept; `None` where there is no cache.
fn place(file: &Path) -> io::Result<Option<PathBuf>> {
    let Some(cache) = models::cache() else { return Ok(None) };
    let mut file = File::open(file)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            bytes => hash.update(&piece[..bytes]),
        }
    }
    let mut name = String::new();
    for byte in hash.finalize() {
        write!(name, "{byte:02x}").expect("a String takes all that is written");
    }
    Ok(Some(cache.join("residual-bits").join(name)))
}
