//! `cargo unreal run`: pack, build the image, boot it.
use std::io::{IsTerminal, stderr};

use super::{CommandError, write_image};
use crate::{
    cli::{EmulatorName, RunArgs},
    emulator::{
        EmulatorError, Outcome,
        bochs::Bochs,
        kvm_probe,
        qemu::{Accelerator, Qemu, Storage},
    },
    image::Medium,
};

/// Boots a story. The machine's serial port is on this terminal.
pub fn run(args: &RunArgs) -> Result<Outcome, CommandError> {
    let folder = tempfile::Builder::new().prefix("unreallm-").tempdir().map_err(CommandError::Temporary)?;
    let image = folder.path().join("disk.img");
    let medium = if args.storage == Storage::Floppy { Medium::Floppy } else { Medium::Disk };
    write_image(&args.model, &args.story, medium, &image)?;
    if !args.story.exit && stderr().is_terminal() {
        eprintln!("The machine stays on after its story; Ctrl-C ends it. (--exit powers it off.)");
    }
    let outcome = match args.emulator {
        EmulatorName::Qemu => qemu(args).run(&image)?,
        EmulatorName::Bochs => bochs(args)?.run(&image)?,
    };
    if let Outcome::Died(code) = outcome {
        let how = code.map_or("was ended by a signal".to_owned(), |code| format!("ended with code {code}"));
        eprintln!("unreallm: the emulator {how}; its own message, if it had one, is above");
    }
    Ok(outcome)
}

fn qemu(args: &RunArgs) -> Qemu {
    Qemu {
        machine: args.machine,
        accelerator: match args.accel {
            Accelerator::Auto => kvm_probe::choose(),
            chosen => chosen,
        },
        storage: args.storage,
        memory_mib: args.memory,
        cpus: args.story.cpus,
        window: args.window,
        more: args.more.clone(),
    }
}

/// Bochs is one kind of PC: what chooses another is refused rather than left out in silence.
fn bochs(args: &RunArgs) -> Result<Bochs, EmulatorError> {
    let unsupported = [
        (args.window, "--window"),
        (args.accel != Accelerator::Auto, "--accel"),
        (args.storage != Storage::Own, "--storage"),
        (!args.more.is_empty(), "QEMU's arguments"),
    ];
    if let Some((_, option)) = unsupported.into_iter().find(|(given, _)| *given) {
        return Err(EmulatorError::Unsupported { option });
    }
    Ok(Bochs { memory_mib: args.memory, cpus: args.story.cpus })
}
