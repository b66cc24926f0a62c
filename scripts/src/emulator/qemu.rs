//! QEMU: finding it, its command line, and what its exit code means.
use std::{
    ffi::OsString,
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{EmulatorError, Outcome, keys::Keys, program::Program};
use crate::child::{End, Guarded};

/// The port of QEMU's debug exit device: a byte `v` written there ends QEMU with exit code
/// `(v << 1) | 1`. Source: QEMU, hw/misc/debugexit.c.
const DEBUG_EXIT_PORT: u16 = 0xF4;
/// QEMU's exit code after the machine told its story.
pub const EXIT_TOLD: i32 = (0x10 << 1) | 1;
/// QEMU's exit code after the machine stopped with an error.
pub const EXIT_REFUSED: i32 = (0x11 << 1) | 1;

/// The kind of PC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Machine {
    /// 2009: PCI Express, an AHCI disk controller
    #[default]
    Q35,
    /// 1996: PCI, an IDE disk controller
    Pc,
}

/// What runs the machine's code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Accelerator {
    /// KVM where a probe boot has proved that it is right in real mode, otherwise TCG
    #[default]
    Auto,
    /// QEMU's translator, which runs everywhere
    Tcg,
    /// the host's own CPU through /dev/kvm
    Kvm,
}

/// How the disk is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Storage {
    /// the machine's own controller: AHCI on q35, IDE on pc
    #[default]
    Own,
    /// a virtio block device
    Virtio,
    /// an NVMe drive
    Nvme,
    /// a USB stick
    Usb,
    /// a floppy disk (for an image made with --floppy)
    Floppy,
}

/// A PC to be.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// The program [default: the one in PATH].
    pub program: Option<Program>,
    /// The kind of PC.
    pub machine: Machine,
    /// What runs its code.
    pub accelerator: Accelerator,
    /// How its disk is attached.
    pub storage: Storage,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// Shows the screen in a window.
    pub window: bool,
    /// What becomes of the keys on this terminal.
    pub keys: Keys,
    /// Ends QEMU where the machine would start anew. Without it, a machine that cannot boot may try
    /// for ever.
    pub once: bool,
    /// More arguments, as the user gave them.
    pub more: Vec<OsString>,
}

impl Qemu {
    /// The command line that boots `image`, with the serial port on stdio. The image itself is
    /// never written to.
    ///
    /// # Errors
    /// Where QEMU is not installed, or not with what is needed.
    pub fn command(&self, image: &Path) -> Result<Command, EmulatorError> {
        let program = self.program.clone().map_or_else(Program::installed, Ok)?;
        if self.window && !opens_windows(&program)? {
            return Err(EmulatorError::NoWindow);
        }
        let mut command = program.command();
        command.args(["-machine", self.machine.name(), "-accel", self.accelerator.name()]);
        // All that the accelerator has: QEMU's own choice lacks SSE4.1, the fastest there is in TCG.
        command.args(["-cpu", "max"]);
        command.args(["-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()]);
        let drive = |interface| drive(image, interface);
        match self.storage {
            Storage::Own => command.arg("-drive").arg(drive("ide")),
            Storage::Virtio => command.arg("-drive").arg(drive("virtio")),
            Storage::Floppy => command.arg("-drive").arg(drive("floppy")).args(["-boot", "a"]),
            Storage::Nvme => {
                command.arg("-drive").arg(drive("none,id=disk")).args(["-device", "nvme,serial=1,drive=disk"])
            }
            Storage::Usb => command.arg("-drive").arg(drive("none,id=disk")).args([
                "-device",
                "qemu-xhci",
                "-device",
                "usb-storage,drive=disk",
            ]),
        };
        command.arg("-device").arg(format!("isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=1"));
        if !self.window {
            command.args(["-display", "none"]);
        }
        if self.once {
            command.arg("-no-reboot");
        }
        let serial = match self.keys {
            Keys::Raw => "mon:stdio",
            Keys::Cooked => "stdio",
        };
        // No network card: its boot ROM would only cost time.
        command.args(["-nic", "none", "-serial", serial]).args(&self.more);
        Ok(command)
    }

    /// Boots `image` and waits for its end.
    ///
    /// # Errors
    /// Where QEMU is missing or does not start.
    pub fn run(&self, image: &Path) -> Result<Outcome, EmulatorError> {
        let mut child = Guarded::spawn(&mut self.command(image)?, false)?;
        child.wait(None, || Ok(ControlFlow::Continue(()))).map(outcome).map_err(|cause| failed(image, cause))
    }

    /// Boots `image` with nobody at the terminal, for at most `patience`.
    ///
    /// # Errors
    /// Where QEMU is missing or does not start.
    pub fn capture(&self, image: &Path, patience: Duration) -> Result<Captured, EmulatorError> {
        let mut command = self.command(image)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Guarded::spawn(&mut command, false)?;
        let serial = read_all(child.take_stdout().expect("stdout was piped just above"));
        let messages = read_all(child.take_stderr().expect("stderr was piped just above"));
        let end = child.wait(Some(Instant::now() + patience), || Ok(ControlFlow::Continue(())));
        let captured = || {
            let outcome = outcome(end?);
            let [serial, messages] = [serial, messages].map(|reader| reader.join().expect("no panic"));
            Ok(Captured { outcome, serial: serial?, messages: messages? })
        };
        captured().map_err(|cause| failed(image, cause))
    }
}

/// Whether this QEMU can open a window. Without any it would serve its screen on a network port.
fn opens_windows(program: &Program) -> Result<bool, EmulatorError> {
    let list = program.answer(&["-display", "help"])?;
    Ok(list.lines().any(|display| matches!(display.trim(), "gtk" | "sdl" | "cocoa")))
}

/// A boot that nobody watched.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub outcome: Outcome,
    /// What came from the serial port.
    pub serial: Vec<u8>,
    /// What QEMU itself had to say.
    pub messages: Vec<u8>,
}

/// Reads a pipe to its end, beside everything else.
fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes)
    })
}

/// What QEMU's end says about the machine.
fn outcome(end: End) -> Outcome {
    match end {
        End::Interrupted => Outcome::Closed,
        End::TimedOut => Outcome::TimedOut,
        End::Exited(status) => match status.code() {
            Some(EXIT_TOLD) => Outcome::Told,
            Some(EXIT_REFUSED) => Outcome::Refused,
            Some(0) => Outcome::Closed,
            code => Outcome::Died(code),
        },
    }
}

fn failed(image: &Path, cause: io::Error) -> EmulatorError {
    EmulatorError::File { path: image.into(), cause }
}

/// QEMU's `-drive` value. A comma in a file's name is doubled; writes go to a temporary file.
fn drive(image: &Path, interface: &str) -> OsString {
    let mut value = OsString::from(format!("if={interface},format=raw,snapshot=on,file="));
    value.push(PathBuf::from(image.to_string_lossy().replace(',', ",,")));
    value
}

impl Machine {
    /// QEMU's name.
    fn name(self) -> &'static str {
        match self {
            Self::Q35 => "q35",
            Self::Pc => "pc",
        }
    }
}

impl Accelerator {
    /// QEMU's name.
    fn name(self) -> &'static str {
        match self {
            Self::Auto | Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_the_name_does_not_end_it() {
        assert_eq!(drive(Path::new("/a,b.img"), "ide"), "if=ide,format=raw,snapshot=on,file=/a,,b.img");
    }
}
