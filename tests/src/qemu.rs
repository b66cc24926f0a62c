//! QEMU: any PC that it can be, with an image on any kind of disk.
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    Emulator, Error,
    emulator::Frozen,
    gdb::Gdb,
    nasty_bios::Faults,
    process::{Collected, POLL, Process},
    qmp::Qmp,
    registers::Registers,
    screen::{self, Screen},
};

/// What the machine is booted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// `-drive format=raw,file=…`: IDE on pc, AHCI on q35.
    #[default]
    Drive,
    /// A disk on an IDE controller that the board does not have by itself.
    PiixIde,
    /// A disk on an AHCI controller that the board does not have by itself.
    Ich9Ahci,
    /// A virtio block device.
    Virtio,
    /// An NVMe controller.
    Nvme,
    /// A USB stick on an EHCI controller.
    Usb,
    /// The first floppy drive.
    Floppy,
    /// The CD drive: IDE on pc, AHCI on q35.
    Cd,
    /// The default drive, on which every read of this sector fails.
    BadSector(u32),
    /// The default drive, on which the first read of this sector fails.
    BadSectorOnce(u32),
    /// The default drive, on which reads stall once so many bytes were read, until
    /// [`QemuMachine::let_disk_flow`].
    Stalling(u32),
    /// The second drive of the second IDE channel; the first of the first holds zeros.
    LastIde,
    /// The second drive of the second IDE channel, and no other.
    OnlyLastIde,
}

/// QEMU's name of a [`Storage::Stalling`] drive.
const STALLING: &str = "stalling";

/// A PC to be. Fields that are `None` or empty are left to QEMU's defaults.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// `qemu-system-x86_64` or `qemu-system-i386`.
    pub program: &'static str,
    /// `-M`: pc, q35, isapc.
    pub machine: Option<&'static str>,
    /// `-cpu`.
    pub cpu: Option<&'static str>,
    /// `-m`, in MiB.
    pub memory: Option<u32>,
    /// What it is booted from.
    pub storage: Storage,
    /// What its BIOS does wrong.
    pub faults: Option<Faults>,
    /// A floppy that it is booted from instead, before the disk. Not together with `faults`.
    pub floppy: Option<Vec<u8>>,
    /// It has no serial port, so its log stays empty.
    pub no_serial: bool,
    /// Anything else.
    pub extra: Vec<String>,
    /// How long it may run.
    pub limit: Duration,
}

impl Default for Qemu {
    /// `qemu-system-x86_64` with nothing but its defaults, for a minute.
    fn default() -> Self {
        Self {
            program: "qemu-system-x86_64",
            machine: None,
            cpu: None,
            memory: None,
            storage: Storage::Drive,
            faults: None,
            floppy: None,
            no_serial: false,
            extra: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }
}

impl Qemu {
    /// The same, on the q35 machine.
    pub fn q35() -> Self {
        Self { machine: Some("q35"), ..Self::default() }
    }

    /// Boots a machine with its own copy of `image`.
    ///
    /// # Errors
    /// [`Error::Missing`] without QEMU, [`Error::Io`] if it cannot be started.
    pub fn boot(&self, image: &[u8]) -> Result<QemuMachine, Error> {
        let folder = TempDir::with_prefix("unreallm-qemu-").map_err(Error::io("make a folder"))?;
        let disk = folder.path().join("disk.img");
        fs::write(&disk, image).map_err(Error::io("write the image"))?;
        self.start(folder, &disk)
    }

    /// Boots a machine with the image in a file, which must stay while it runs.
    ///
    /// # Errors
    /// As [`Qemu::boot`].
    pub fn boot_file(&self, disk: &Path) -> Result<QemuMachine, Error> {
        self.start(TempDir::with_prefix("unreallm-qemu-").map_err(Error::io("make a folder"))?, disk)
    }

    fn start(&self, folder: TempDir, disk: &Path) -> Result<QemuMachine, Error> {
        let socket = folder.path().join("qmp");

        let mut command = Command::new(self.program);
        command.args(self.arguments(disk, folder.path())?);
        command.args(["-serial", if self.no_serial { "none" } else { "stdio" }]);
        command.args(["-display", "none", "-monitor", "none"]);
        command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", socket.display()));
        // A machine that resets would boot again and again: one boot is all a test looks at.
        command.args(["-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        let nasty = self.faults.as_ref().map(Faults::floppy).transpose()?;
        if let Some(content) = nasty.as_ref().or(self.floppy.as_ref()) {
            let floppy = folder.path().join("floppy.img");
            fs::write(&floppy, content).map_err(Error::io("write the floppy"))?;
            command.arg("-drive").arg(format!("format=raw,if=floppy,file={}", floppy.display()));
            command.args(["-boot", "a"]);
        }
        command.args(&self.extra);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());

        let mut process = Process::start(&mut command, self.limit, "the package is qemu-system-x86")?;
        let serial = process.child().stdout.take().map(Collected::from_pipe).unwrap_or_default();
        Ok(QemuMachine { process, serial, socket, qmp: None, folder })
    }

    fn arguments(&self, disk: &Path, folder: &Path) -> Result<Vec<String>, Error> {
        let mut arguments = Vec::new();
        for (flag, value) in [
            ("-M", self.machine.map(str::to_owned)),
            ("-cpu", self.cpu.map(str::to_owned)),
            ("-m", self.memory.map(|mib| mib.to_string())),
        ] {
            if let Some(value) = value {
                arguments.extend([flag.to_owned(), value]);
            }
        }
        let file = format!("format=raw,file={}", disk.display());
        let backend = format!("{file},if=none,id=disk");
        // A drive on devices that QEMU would not add by itself.
        let devices = |devices: &[&str]| -> Vec<String> {
            let flags = devices.iter().flat_map(|device| ["-device", device]);
            ["-drive", &backend].into_iter().chain(flags).map(String::from).collect()
        };
        let storage: Vec<String> = match self.storage {
            Storage::Drive => vec!["-drive".into(), file],
            Storage::PiixIde => devices(&["piix3-ide,id=ide3", "ide-hd,bus=ide3.0,drive=disk,bootindex=0"]),
            Storage::Ich9Ahci => devices(&["ich9-ahci,id=ahci", "ide-hd,bus=ahci.0,drive=disk,bootindex=0"]),
            Storage::Virtio => devices(&["virtio-blk-pci,drive=disk,bootindex=0"]),
            Storage::Nvme => devices(&["nvme,drive=disk,serial=unreallm,bootindex=0"]),
            Storage::Usb => devices(&["usb-ehci,id=ehci", "usb-storage,bus=ehci.0,drive=disk,bootindex=0"]),
            Storage::Floppy => vec!["-drive".into(), format!("{file},if=floppy"), "-boot".into(), "a".into()],
            Storage::Cd => vec!["-drive".into(), format!("{file},media=cdrom"), "-boot".into(), "d".into()],
            Storage::LastIde => {
                let zeros = "if=ide,index=0,driver=null-co,read-zeroes=on,size=67108864";
                let mut storage = devices(&["ide-hd,drive=disk,bus=ide.1,unit=1,bootindex=0"]);
                storage.extend(["-drive", zeros].map(String::from));
                storage
            }
            Storage::OnlyLastIde => vec!["-drive".into(), format!("{file},if=ide,index=3")],
            Storage::Stalling(bytes) => vec![
                "-drive".into(),
                format!("{file},id={STALLING},throttling.bps-read=1,throttling.bps-read-max={bytes}"),
            ],
            Storage::BadSector(sector) | Storage::BadSectorOnce(sector) => {
                let rules = folder.join("blkdebug");
                let once = if matches!(self.storage, Storage::BadSectorOnce(_)) { "on" } else { "off" };
                let rule = format!(
                    "[inject-error]\nevent = \"read_aio\"\nerrno = \"5\"\nsector = \"{sector}\"\nonce = \"{once}\"\nimmediately = \"off\"\n"
                );
                fs::write(&rules, rule).map_err(Error::io("write the blkdebug rules"))?;
                vec![
                    "-drive".into(),
                    format!("format=raw,file=blkdebug:{}:{}", rules.display(), disk.display()),
                ]
            }
        };
        arguments.extend(storage);
        Ok(arguments)
    }
}

/// A running QEMU.
pub struct QemuMachine {
    process: Process,
    serial: Collected,
    socket: PathBuf,
    qmp: Option<Qmp>,
    folder: TempDir,
}

impl QemuMachine {
    /// QEMU's control socket.
    ///
    /// # Errors
    /// [`Error::TimedOut`] or [`Error::Ended`] if QEMU does not open it.
    pub fn qmp(&mut self) -> Result<&mut Qmp, Error> {
        while self.qmp.is_none() {
            self.qmp = Qmp::connect(&self.socket)?;
            if self.qmp.is_none() {
                if let Some(status) = self.process.status()? {
                    let said = self.process.stderr();
                    return Err(Error::Ended { awaited: "QMP".into(), status, said, log: String::new() });
                }
                self.check_time("QMP", &[])?;
                sleep(POLL);
            }
        }
        Ok(self.qmp.as_mut().expect("connected above"))
    }

    /// The first processor's registers. The machine runs on.
    ///
    /// # Errors
    /// [`Error::Answer`] if QEMU's answer cannot be read.
    pub fn registers(&mut self) -> Result<Registers, Error> {
        self.registers_of(0)
    }

    /// The same of any processor.
    ///
    /// # Errors
    /// As [`QemuMachine::registers`].
    pub fn registers_of(&mut self, processor: u32) -> Result<Registers, Error> {
        let text = self.qmp()?.monitor_of(processor, "info registers")?;
        Registers::from_qemu(&text).ok_or(Error::Answer { asked: "info registers".into(), answer: text })
    }

    /// Writes `bytes` to memory at `address`, while the machine stands still. Then it runs.
    ///
    /// # Errors
    /// [`Error::Answer`] or [`Error::Io`] if QEMU does not do it.
    pub fn overwrite(&mut self, address: u32, bytes: &[u8]) -> Result<(), Error> {
        let mut gdb = self.gdb()?;
        gdb.write(address, bytes)?;
        gdb.detach()
    }

    /// Lets the machine run until it is about to execute the instruction at the linear address `place`. There it
    /// stands still.
    ///
    /// # Errors
    /// [`Error::Answer`] or [`Error::Io`] if it does not come there.
    pub fn run_to(&mut self, place: u32) -> Result<(), Error> {
        self.gdb()?.run_to(place)
    }

    fn gdb(&mut self) -> Result<Gdb, Error> {
        let socket = self.folder.path().join("gdb");
        self.qmp()?.monitor(&format!("gdbserver unix:{},server=on,wait=off", socket.display()))?;
        Gdb::connect(&socket)
    }

    /// A copy of `size` bytes of physical memory from `address` on. The machine runs on.
    ///
    /// # Errors
    /// [`Error::Answer`] or [`Error::Io`] if QEMU does not give it.
    pub fn memory(&mut self, address: u32, size: usize) -> Result<Vec<u8>, Error> {
        let file = self.folder.path().join("memory");
        let arguments = json!({ "val": address, "size": size, "filename": file });
        self.qmp()?.execute("pmemsave", arguments)?;
        fs::read(&file).map_err(Error::io("read the memory that QEMU saved"))
    }

    /// The text screen. The machine runs on.
    ///
    /// # Errors
    /// As [`QemuMachine::memory`].
    pub fn screen(&mut self) -> Result<Screen, Error> {
        let memory = self.memory(screen::ADDRESS, screen::BYTES)?;
        Screen::new(memory)
            .ok_or(Error::Answer { asked: "pmemsave".into(), answer: "less than was asked for".into() })
    }

    /// Waits until the screen shows `text` in one row.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what the screen shows instead.
    pub fn wait_for_screen(&mut self, text: &str) -> Result<Screen, Error> {
        loop {
            let screen = self.screen()?;
            let shown = screen.text();
            if shown.contains(text) {
                return Ok(screen);
            }
            self.check_time(&format!("'{text}' on the screen"), shown.trim().as_bytes())?;
            sleep(10 * POLL);
        }
    }

    /// Where the hardware cursor is: row and column, from the CRT controller's registers 0Eh and
    /// 0Fh (FreeVGA, "CRTC registers"). The machine must be stopped: reading them needs the index
    /// register that its own driver uses.
    ///
    /// # Errors
    /// [`Error::Answer`] if QEMU's answer cannot be read.
    pub fn cursor(&mut self) -> Result<(usize, usize), Error> {
        let mut cell = 0;
        for register in ["0x0e", "0x0f"] {
            let qmp = self.qmp()?;
            qmp.monitor(&format!("o /b 0x3d4 {register}"))?;
            let answer = qmp.monitor("i /b 0x3d5")?; // "portb[0x03d5] = 0x1a"
            let value = answer
                .trim()
                .rsplit_once("0x")
                .and_then(|(_, digits)| usize::from_str_radix(digits, 16).ok())
                .ok_or(Error::Answer { asked: "i /b 0x3d5".into(), answer })?;
            cell = cell << 8 | value;
        }
        Ok((cell / screen::COLUMNS, cell % screen::COLUMNS))
    }

    /// Ends the stall of a [`Storage::Stalling`].
    ///
    /// # Errors
    /// Where QEMU refuses it.
    pub fn let_disk_flow(&mut self) -> Result<(), Error> {
        let unlimited = json!({ "device": STALLING, "bps": 0, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0 });
        self.qmp()?.execute("block_set_io_throttle", unlimited).map(|_| ())
    }

    /// How long after QEMU's start the byte at `offset` of the serial log came.
    pub fn serial_arrival(&self, offset: usize) -> Option<Duration> {
        Some(self.serial.arrival(offset)?.duration_since(self.process.started()))
    }

    /// Sends bytes to the machine's serial port.
    ///
    /// # Errors
    /// [`Error::Io`] if QEMU does not take them.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let stdin = self.process.child().stdin.as_mut().expect("stdin is a pipe");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).map_err(Error::io("write to the serial port"))
    }
}

impl Emulator for QemuMachine {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn serial(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.serial.bytes())
    }

    fn freeze(&mut self) -> Result<Frozen, Error> {
        self.qmp()?.execute("stop", json!({}))?;
        Ok(Frozen { screen: self.screen()?, registers: self.registers()? })
    }
}
