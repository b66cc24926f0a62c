//! The page's disk images, and what the page must know of each.
use std::path::Path;

use model::engine::EngineKind;
use protocol::settings::Settings;
use serde::Serialize;

use crate::{commands::CommandError, embedded, image, image::Medium, packing::PackInput, size::Grouped};

/// The machine's memory beyond the model's own, in MiB: firmware, kernel, alignment.
const SPARE_MIB: u64 = 32;
/// The least memory that the machine is given, in MiB.
const LEAST_MIB: u64 = 128;

/// A model as page.json describes it.
#[derive(Debug, Serialize)]
pub struct PageModel {
    /// Its name.
    pub name: String,
    /// Its disk image, in the page's folder.
    pub image: String,
    /// Bytes of the image.
    pub bytes: u64,
    /// Tokens of context.
    pub context: usize,
    /// Memory that its machine needs, in MiB; v86 takes powers of two.
    pub memory_mib: u64,
    /// A line about it.
    pub about: String,
}

/// The settings of every image on the page: the whole context, and a trace for the token counter.
pub fn settings() -> Settings {
    Settings { steps: 0, trace: true, ..Settings::default() }
}

/// Writes a model's disk image into the page's folder.
///
/// # Errors
/// Where the model cannot be packed, or the image not written.
pub fn write(input: &mut PackInput, folder: &Path) -> Result<PageModel, CommandError> {
    let name = input.name.clone();
    let file = format!("images/{}.img", file_name(&name));
    let sectors = settings().to_sectors()?;
    let mut packed = None;
    let bytes =
        image::write(&folder.join(&file), Medium::Disk, &embedded::machine_code(), &sectors, |out| {
            packed = Some(input.pack_into(EngineKind::Int8, out)?);
            Ok(())
        })?;
    let header = packed.expect("an image that was written has a model");
    let shape = &header.shape;
    let needed = header.memory(shape.seq_len).total();
    let memory_mib = (needed.div_ceil(1 << 20) + SPARE_MIB).max(LEAST_MIB).next_power_of_two();
    let about = format!(
        "{} layers of {}, {} pieces of text, a context of {} tokens. A disk of {:.1} MB.",
        shape.n_layers,
        shape.dim,
        Grouped(shape.vocab_size as u64),
        Grouped(shape.seq_len as u64),
        bytes as f64 / 1e6
    );
    Ok(PageModel { name, image: file, bytes, context: shape.seq_len, memory_mib, about })
}

/// A name that is the same in a folder and in an address.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder() {
        assert_eq!(file_name("stories260K"), "stories260K");
        assert_eq!(file_name("../my model?"), "..-my-model-");
    }
}
