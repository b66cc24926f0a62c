//! Bochs: slow, but it checks what real mode on hardware checks, segment limits above all.
//!
//! Headless it draws its text screen on a terminal, which `script` provides and nobody looks at.
//! Its serial port is a connection to this program.
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use super::{EmulatorError, Outcome, find, keys::Keys, serial_line::SerialLine};
use crate::child::{End, Guarded};

/// How Bochs' log marks what ends it, which has exit code 1 also where the machine asked for it.
const PANIC: &str = ">>PANIC<<";
/// What it says where the machine asked to be switched off. Source: Bochs, iodev/unmapped.cc.
const SHUTDOWN: &str = "shutdown requested";
/// A processor without Intel's VMX: with it Bochs' own BIOS fails when the machine starts anew, as it
/// writes a register that it has locked (IA32_FEATURE_CONTROL).
const CPU: &str = "ryzen";

/// A PC to be.
#[derive(Clone, Copy, Debug)]
pub struct Bochs {
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// What becomes of the keys on this terminal.
    pub keys: Keys,
}

impl Bochs {
    /// Boots `image` and waits for its end. Bochs has no debug exit device, so whether the machine
    /// stopped with an error is read from its serial port.
    ///
    /// # Errors
    /// Where Bochs is missing or does not start.
    pub fn run(&self, image: &Path) -> Result<Outcome, EmulatorError> {
        let bochs = find("bochs", "bochs, bochs-term, bochsbios, vgabios")?;
        let script = find("script", "bsdutils")?;
        let image =
            image.canonicalize().map_err(|cause| EmulatorError::File { path: image.into(), cause })?;
        let folder =
            tempfile::tempdir().map_err(|cause| EmulatorError::File { path: std::env::temp_dir(), cause })?;
        let folder = folder.path();
        let failed = |cause| EmulatorError::File { path: folder.into(), cause };
        let mut serial = SerialLine::new(self.keys).map_err(failed)?;
        let address = serial.address().map_err(failed)?;
        fs::write(folder.join("bochsrc"), self.configuration(&image, address)).map_err(failed)?;
        // Debian's Bochs starts in its debugger; this tells it to go on.
        fs::write(folder.join("commands"), "c\n").map_err(failed)?;

        let mut command = Command::new(script);
        command.args(["-qec", &format!("'{}' -q -f bochsrc -rc commands", bochs.display()), "/dev/null"]);
        command.current_dir(folder).env("TERM", "xterm");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Guarded::spawn(&mut command, true)?;
        self.keys.set().map_err(failed)?; // the child's end puts the terminal right
        let end = child.wait(None, || serial.carry()).map_err(failed)?;
        Ok(match end {
            End::Interrupted => Outcome::Closed,
            End::TimedOut => Outcome::TimedOut,
            End::Exited(_) if serial.error_seen() => Outcome::Refused,
            End::Exited(status) => match last_panic(&folder.join("bochs.log")) {
                Some(panic) if panic.contains(SHUTDOWN) => Outcome::Told,
                Some(panic) => {
                    eprintln!("{panic}");
                    Outcome::Died(status.code())
                }
                None if status.success() => Outcome::Closed,
                None => Outcome::Died(status.code()),
            },
        })
    }

    /// The configuration file. Paths may have spaces, which Bochs takes in quotes.
    fn configuration(&self, image: &Path, serial: SocketAddr) -> String {
        let Self { memory_mib, cpus, .. } = self;
        let image = image.display();
        format!(
            "megs: {memory_mib}\n\
             cpu: model={CPU}, count={cpus}, ips=200000000, reset_on_triple_fault=0\n\
             romimage: file=/usr/share/bochs/BIOS-bochs-latest\n\
             vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest\n\
             ata0-master: type=disk, path=\"{image}\", mode=volatile\n\
             boot: disk\n\
             com1: enabled=1, mode=socket-client, dev={serial}\n\
             display_library: term\n\
             log: bochs.log\n\
             panic: action=fatal\n\
             error: action=report\n\
             clock: sync=none, time0=local\n\
             speaker: enabled=0\n"
        )
    }
}

/// Why Bochs ended, as its log says in the end.
fn last_panic(log: &Path) -> Option<String> {
    let log = fs::read(log).ok()?;
    let log = String::from_utf8_lossy(&log);
    log.lines().rfind(|line| line.contains(PANIC)).map(str::to_owned)
}
