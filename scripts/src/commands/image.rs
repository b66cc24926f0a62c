//! `cargo unreal image`: the disk image alone.
use std::{fs::File, path::Path};

use super::{CommandError, Written, write_image};
use crate::{
    beside::Beside,
    cli::{ImageArgs, ModelArgs, StoryArgs},
    image::Medium,
    iso,
    machine_code::flatten::Sizes,
    size::{Bytes, Grouped, Of},
};
use map::{
    disk::STAGE1_BYTES,
    low_memory::{PROGRAM_CODE, PROGRAM_DATA},
};

/// Writes the image and says what is in it.
pub fn image(args: &ImageArgs) -> Result<(), CommandError> {
    let medium = if args.floppy { Medium::Floppy } else { Medium::Disk };
    let write = if args.iso { write_cd } else { write_image };
    let Written { header, image_bytes, code } = write(&args.model, &args.story, medium, &args.output)?;
    let path = args.output.display();
    println!("{path}: {}", Bytes(image_bytes));
    println!("  boot sector  {}", Of(code.stage1.len() as u64, STAGE1_BYTES as u64));
    for (name, program) in [("loader", &code.loader), ("kernel", &code.kernel)] {
        for line in program_lines(name, &program.sizes) {
            println!("  {line}");
        }
    }
    println!(
        "  model        {} ({}, a context of {} tokens)",
        Bytes(header.packed_bytes()),
        header.name,
        Grouped(header.shape.seq_len as u64)
    );
    let drive = match (args.floppy, args.iso) {
        (true, _) => "-drive if=floppy,format=raw,file=",
        (_, true) => "-cdrom ",
        _ => "-drive format=raw,file=",
    };
    println!("Boot it: qemu-system-x86_64 {drive}{path} -serial stdio");
    Ok(())
}

/// Makes the disk image beside its place, and writes a CD with it.
fn write_cd(
    model: &ModelArgs,
    story: &StoryArgs,
    medium: Medium,
    path: &Path,
) -> Result<Written, CommandError> {
    let mut cd = Beside::create(path)?;
    let folder = tempfile::Builder::new().prefix("unreallm-").tempdir().map_err(CommandError::Temporary)?;
    let disk = folder.path().join("disk.img");
    let mut written = write_image(model, story, medium, &disk)?;
    let failed = cd.failed();
    let image = File::open(&disk).map_err(CommandError::Temporary)?;
    written.image_bytes = iso::write(image, written.image_bytes, cd.file()).map_err(failed)?;
    cd.finish()?;
    Ok(written)
}

/// What a program takes of its 64 KB of code and 60 KB of data.
pub fn program_lines(name: &str, sizes: &Sizes) -> [String; 2] {
    let Sizes { code, rodata, data, bss, stack } = *sizes;
    let used = rodata + data + bss;
    [
        format!("{name} code  {}", Of(code.into(), PROGRAM_CODE.size().into())),
        format!(
            "{name} data  {}: constants and data {}, zeros {}; {} are left for the stack",
            Of(used.into(), PROGRAM_DATA.size().into()),
            rodata + data,
            bss,
            Bytes(stack.into())
        ),
    ]
}
