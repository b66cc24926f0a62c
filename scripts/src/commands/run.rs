//! `cargo unreal run`: pack, build the image, boot it.
use std::io::{IsTerminal, stderr};

use super::{CommandError, write_image};
use crate::{
    cli::{EmulatorName, RunArgs},
    compare::machine::memory_mib,
    emulator::{
        EmulatorError, Outcome,
        bochs::Bochs,
        keys::Keys,
        kvm_probe,
        qemu::{Accelerator, Qemu, Storage},
        terminal,
    },
    image::Medium,
    processors,
    size::Grouped,
};

/// Boots a story. The machine's serial port is on this terminal.
pub fn run(args: &RunArgs) -> Result<Outcome, CommandError> {
    let folder = tempfile::Builder::new().prefix("unreallm-").tempdir().map_err(CommandError::Temporary)?;
    let image = folder.path().join("disk.img");
    let medium = if args.storage == Storage::Floppy { Medium::Floppy } else { Medium::Disk };
    let written = write_image(&args.model, &args.story, medium, &image)?;
    let memory = args.memory.unwrap_or_else(|| memory_mib(&written.header));
    eprintln!(
        "{}: a context of {} tokens, and a machine of {} MiB.",
        written.header.name,
        Grouped(written.header.shape.seq_len as u64),
        Grouped(memory.into())
    );
    if let Some(warning) = processors::too_many(args.story.cpus, processors::free()) {
        eprintln!("{warning}");
    }
    // A story that ends by itself needs no keys, and Ctrl-C then ends it as it ends any program.
    let keys = if terminal::is_attended() && !args.story.exit { Keys::Raw } else { Keys::Cooked };
    let outcome = match args.emulator {
        EmulatorName::Qemu => {
            let qemu = qemu(args, keys, memory);
            say_how_to_leave(args, keys);
            qemu.run(&image)?
        }
        EmulatorName::Bochs => {
            let bochs = bochs(args, keys, memory)?;
            say_how_to_leave(args, keys);
            bochs.run(&image)?
        }
    };
    if outcome == Outcome::Closed && args.story.exit {
        eprintln!("unreallm: the machine was ended before its story was");
        return Ok(Outcome::Cut);
    }
    if let Outcome::Died(code) = outcome {
        let how = code.map_or("was ended by a signal".to_owned(), |code| format!("ended with code {code}"));
        eprintln!("unreallm: the emulator {how}; its own message, if it had one, is above");
    }
    Ok(outcome)
}

/// One line before the boot, for whoever sits at the terminal.
fn say_how_to_leave(args: &RunArgs, keys: Keys) {
    match keys {
        Keys::Raw => eprintln!(
            "Your keys go to the machine: Esc or Ctrl-C stops a story. To leave: /off at its prompt, or Ctrl-A x."
        ),
        Keys::Cooked if !args.story.exit && stderr().is_terminal() => {
            eprintln!("The machine stays on after its story; Ctrl-C ends it. (--exit powers it off.)");
        }
        Keys::Cooked => {}
    }
}

fn qemu(args: &RunArgs, keys: Keys, memory_mib: u32) -> Qemu {
    Qemu {
        program: None,
        machine: args.machine,
        accelerator: match args.accel {
            Accelerator::Auto => kvm_probe::choose(),
            chosen => chosen,
        },
        storage: args.storage,
        memory_mib,
        cpus: args.story.cpus,
        window: args.window,
        keys,
        once: args.story.exit,
        more: args.more.clone(),
    }
}

/// Bochs is one kind of PC: what chooses another is refused rather than left out in silence.
fn bochs(args: &RunArgs, keys: Keys, memory_mib: u32) -> Result<Bochs, EmulatorError> {
    let unsupported = [
        (args.window, "--window"),
        (args.accel != Accelerator::Auto, "--accel"),
        (args.storage != Storage::Own, "--storage"),
        (!args.more.is_empty(), "QEMU's arguments"),
    ];
    if let Some((_, option)) = unsupported.into_iter().find(|(given, _)| *given) {
        return Err(EmulatorError::Unsupported { option });
    }
    Ok(Bochs { memory_mib, cpus: args.story.cpus, keys })
}
