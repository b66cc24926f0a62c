//! How many fraction bits a model's residual stream has: measured once, kept in the cache by the file's hash.
use std::fs;

use crate::kept::Kept;
use indicatif::{ProgressBar, ProgressStyle};
use model::{
    host::calibrate::{calibrate, set_residual_bits},
    packed::Packed,
};

/// Gives a model the bits that its stream can have. `kept`: what the cache has of its file.
pub fn apply(packed: &mut Packed, name: &str, kept: Option<&Kept>) {
    let place = kept.map(|kept| kept.place("residual-bits"));
    let bits = place.as_ref().and_then(|place| fs::read_to_string(place).ok()?.trim().parse().ok());
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
    if let Some(place) = place
        && let Some(folder) = place.parent()
    {
        let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&place, bits.to_string()));
    }
}
