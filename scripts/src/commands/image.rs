//! `cargo unreal image`: the disk image alone.
use super::{CommandError, Written, write_image};
use crate::{
    cli::ImageArgs,
    image::Medium,
    machine_code::flatten::Sizes,
    size::{Bytes, Of},
};
use stage1::{
    disk_map::STAGE1_BYTES,
    low_memory::{KERNEL_CODE, KERNEL_DATA},
};

/// Writes the image and says what is in it.
pub fn image(args: &ImageArgs) -> Result<(), CommandError> {
    let medium = if args.floppy { Medium::Floppy } else { Medium::Disk };
    let Written { model, packed_bytes, image_bytes, code } =
        write_image(&args.model, &args.story, medium, &args.output)?;
    let path = args.output.display();
    println!("{path}: {}", Bytes(image_bytes));
    println!("  boot sector  {}", Of(code.stage1.len() as u64, STAGE1_BYTES as u64));
    for (name, program) in [("loader", &code.loader), ("kernel", &code.kernel)] {
        for line in program_lines(name, &program.sizes) {
            println!("  {line}");
        }
    }
    println!("  model        {} ({model})", Bytes(packed_bytes));
    let drive = if args.floppy { "if=floppy,format=raw" } else { "format=raw" };
    println!("Boot it: qemu-system-x86_64 -drive {drive},file={path} -serial stdio");
    Ok(())
}

/// What a program takes of its 64 KB of code and 60 KB of data.
pub fn program_lines(name: &str, sizes: &Sizes) -> [String; 2] {
    let Sizes { code, rodata, data, bss, stack } = *sizes;
    let used = rodata + data + bss;
    [
        format!("{name} code  {}", Of(code.into(), KERNEL_CODE.size().into())),
        format!(
            "{name} data  {}: constants and data {}, zeros {}; {} are left for the stack",
            Of(used.into(), KERNEL_DATA.size().into()),
            rodata + data,
            bss,
            Bytes(stack.into())
        ),
    ]
}
