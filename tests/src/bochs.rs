//! Bochs: slower than QEMU, but it checks segment limits, as real processors do.
//!
//! Debian's Bochs has the debugger built in. A file of commands lets the machine run; SIGINT stops
//! it, and the commands after that save what a test wants to see. Its serial port is a connection
//! to the test, so that it can be talked to.
use std::{
    fs, io,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{
    Emulator, Error,
    emulator::Frozen,
    nasty_bios::Faults,
    process::{Collected, POLL, Process},
    registers::Registers,
    screen::{self, Screen},
};

/// A PC to be, with the image on its first IDE disk.
#[derive(Clone, Debug)]
pub struct Bochs {
    /// Memory in MiB.
    pub memory: u32,
    /// Model of the processor, by Bochs' name.
    pub cpu: &'static str,
    /// How many processors.
    pub processors: u32,
    /// Boot from the first floppy drive instead.
    pub floppy: bool,
    /// Boot from the CD drive instead.
    pub cd: bool,
    /// What its BIOS does wrong. Not together with `floppy`.
    pub faults: Option<Faults>,
    /// How long it may run.
    pub limit: Duration,
}

impl Default for Bochs {
    fn default() -> Self {
        Self {
            memory: 128,
            cpu: "corei7_haswell_4770",
            processors: 1,
            floppy: false,
            cd: false,
            faults: None,
            limit: Duration::from_secs(120),
        }
    }
}

/// Where Debian's packages bochsbios and vgabios put their files.
const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/bochs/VGABIOS-lgpl-latest";
const HINT: &str = "the packages are bochs, bochs-term, bochsbios and vgabios";

/// How long Bochs may take to stop and show what is to be seen.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The debugger's commands: run; then, after SIGINT, what is to be seen; then the end.
fn debugger_commands() -> String {
    format!("c\nr\nsreg\ncreg\nwritemem \"vga\" {:#x} {}\nq\n", screen::ADDRESS, screen::BYTES)
}

impl Bochs {
    fn configuration(&self, serial: SocketAddr) -> String {
        let floppy = |file| format!("floppya: type=1_44, 1_44=\"{file}\", status=inserted");
        let disk = "ata0-master: type=disk, path=\"disk.img\", mode=flat".to_owned();
        let cd = "ata0-master: type=cdrom, path=\"disk.img\", status=inserted".to_owned();
        let (drives, boot) = match (self.floppy, &self.faults) {
            _ if self.cd => (cd, "cdrom"),
            (true, _) => (floppy("disk.img"), "floppy"),
            (false, None) => (disk, "disk"),
            (false, Some(_)) => (disk + "\n" + &floppy("floppy.img"), "floppy"),
        };
        // A drive's motor and heads take their time in instructions: fewer where there is a floppy.
        let ips = if self.floppy { 10_000_000 } else { 200_000_000 };
        format!(
            "\
megs: {}
cpu: model={}, count={}, ips={ips}, reset_on_triple_fault=0
romimage: file={BIOS}
vgaromimage: file={VGA_BIOS}
{drives}
boot: {boot}
floppy_bootsig_check: disabled=0
com1: enabled=1, mode=socket-client, dev={serial}
display_library: term
speaker: enabled=0
clock: sync=none, time0=local
log: bochs.log
panic: action=fatal
error: action=report
",
            self.memory, self.cpu, self.processors
        )
    }

    /// Boots a machine with its own copy of `image`.
    ///
    /// # Errors
    /// [`Error::Missing`] without Bochs, [`Error::Io`] if it cannot be started.
    pub fn boot(&self, image: &[u8]) -> Result<BochsMachine, Error> {
        if !fs::exists(BIOS).unwrap_or(false) || !fs::exists(VGA_BIOS).unwrap_or(false) {
            return Err(Error::Missing { program: "Bochs with its BIOS".into(), hint: HINT });
        }
        // Looked for here, because below it is `script` that starts it.
        Process::start(Command::new("bochs").arg("--help").stdout(Stdio::null()), self.limit, HINT)?;

        let folder = TempDir::with_prefix("unreallm-bochs-").map_err(Error::io("make a folder"))?;
        // It stands ready before Bochs starts, so Bochs connects at once.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(Error::io("listen for Bochs"))?;
        let serial = listener.local_addr().map_err(Error::io("listen for Bochs"))?;
        for (name, content) in [
            ("disk.img", image),
            ("bochsrc", self.configuration(serial).as_bytes()),
            ("commands", debugger_commands().as_bytes()),
        ] {
            fs::write(folder.path().join(name), content).map_err(Error::io("write Bochs' files"))?;
        }
        if let Some(faults) = &self.faults {
            fs::write(folder.path().join("floppy.img"), faults.floppy()?)
                .map_err(Error::io("write the floppy"))?;
        }
        // Bochs' only display for machines without a screen is a terminal: `script` gives it one.
        // `exec` keeps the process number, so that Bochs itself can be sent signals.
        let mut command = Command::new("script");
        command.args(["-qfc", "stty rows 25 cols 80; echo $$ >pid; exec bochs -q -f bochsrc -rc commands"]);
        command.arg("/dev/null").current_dir(folder.path()).env("TERM", "xterm");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, self.limit, "the package is bsdutils or util-linux")?;
        let terminal = process.child().stdout.take().map(Collected::from_pipe).unwrap_or_default();
        let line = accept(&listener, &mut process)?;
        let serial = Collected::from_pipe(line.try_clone().map_err(Error::io("read Bochs' serial port"))?);
        Ok(BochsMachine { process, terminal, line, serial, folder })
    }
}

/// Waits for Bochs' serial port.
fn accept(listener: &TcpListener, process: &mut Process) -> Result<TcpStream, Error> {
    loop {
        match listener.accept() {
            Ok((line, _)) => {
                line.set_nonblocking(false).map_err(Error::io("read Bochs' serial port"))?;
                return Ok(line);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Error::io("listen for Bochs")(error)),
        }
        let awaited = "Bochs' serial port".to_owned();
        if let Some(status) = process.status()? {
            let said = process.stderr();
            return Err(Error::Ended { awaited, status, said, log: String::new() });
        }
        if process.age() > process.limit() {
            return Err(Error::TimedOut { awaited, limit: process.limit(), log: String::new() });
        }
        sleep(POLL);
    }
}

/// A running Bochs.
pub struct BochsMachine {
    process: Process,
    terminal: Collected,
    line: TcpStream,
    serial: Collected,
    folder: TempDir,
}

impl BochsMachine {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends Bochs a signal, if it runs.
    fn signal(&mut self, signal: Signal) {
        let Ok(None) = self.process.status() else { return };
        let pid = fs::read_to_string(self.path("pid")).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            // It fails only if Bochs has just ended.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Sends bytes to the machine's serial port.
    ///
    /// # Errors
    /// [`Error::Io`] if Bochs does not take them.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.line.write_all(bytes).map_err(Error::io("write to Bochs' serial port"))
    }

    /// Bochs' own log: what it says about disks, faults and power.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn log(&self) -> Result<String, Error> {
        let log = fs::read(self.path("bochs.log")).map_err(Error::io("read Bochs' log"))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }
}

impl Emulator for BochsMachine {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn serial(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.serial.bytes())
    }

    fn freeze(&mut self) -> Result<Frozen, Error> {
        self.signal(Signal::SIGINT);
        // Also a machine whose time is up may be looked at.
        let stopped = Instant::now();
        while self.process.status()?.is_none() {
            if stopped.elapsed() > STOP_LIMIT {
                return Err(Error::Answer { asked: "SIGINT to Bochs".into(), answer: "nothing".into() });
            }
            sleep(POLL);
        }
        let text = String::from_utf8_lossy(&self.terminal.bytes()).into_owned();
        let registers = Registers::from_bochs(&text)
            .ok_or_else(|| Error::Answer { asked: "r, sreg, creg".into(), answer: text })?;
        let memory = fs::read(self.path("vga")).map_err(Error::io("read the memory that Bochs saved"))?;
        let screen = Screen::new(memory)
            .ok_or(Error::Answer { asked: "writemem".into(), answer: "less than was asked for".into() })?;
        Ok(Frozen { screen, registers })
    }
}

impl Drop for BochsMachine {
    fn drop(&mut self) {
        // Bochs does not end with its terminal, nor on SIGTERM.
        self.signal(Signal::SIGKILL);
    }
}
