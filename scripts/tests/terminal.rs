//! `run` at a terminal: keys reach the machine as they are, and the terminal is afterwards as it was
//! before, however it ends. The terminal is a pseudo-terminal, with a shell that has the program as
//! its child, as a user's has.
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{fs::PermissionsExt, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, Command},
    sync::{Arc, Mutex},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rustix::{
    fs::{OFlags, fcntl_getfl},
    process::{Pid, Signal, kill_process, test_kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::tcgetattr,
};

/// A shell line: the program's number, the program, its exit code. `$INNER` is the first half, for a
/// shell that turns into the program. Ctrl-C does not end the shell, as at a prompt.
const OUTER: &str = r#"trap : INT; sh -c "$INNER" "$0" "$@"; echo "code $?""#;
const INNER: &str = r#"echo "pid $$"; exec "$0" "$@""#;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

type Test = Result<(), String>;

fn main() {
    let real = |name: &str, emulator: &'static str, test: fn() -> Test| {
        Trial::ignorable_test(name, move || {
            if which::which(emulator).is_ok() {
                test().map(|()| Completion::Completed).map_err(Failed::from)
            } else {
                Ok(Completion::ignored_with(format!("{emulator} is not in PATH")))
            }
        })
    };
    let qemu = "qemu-system-x86_64";
    let tests = vec![
        real("every_key_reaches_the_machine", qemu, every_key_reaches_the_machine),
        real("ctrl_a_x_leaves_while_a_story_runs", qemu, ctrl_a_x_leaves_while_a_story_runs),
        real("bochs_hears_every_key", "bochs", bochs_hears_every_key),
        real("the_terminal_is_sane_however_it_ends", qemu, the_terminal_is_sane_however_it_ends),
        Trial::test("a_story_that_ends_by_itself_leaves_ctrl_c_to_the_terminal", || Ok(with_exit()?)),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// A shell at a terminal of its own, in which the program runs.
struct Session {
    shell: Child,
    /// The side of the person at the terminal.
    person: File,
    /// The side of the programs: kept open, so that it can be asked for its modes.
    terminal: OwnedFd,
    before: String,
    shown: Arc<Mutex<Vec<u8>>>,
    folder: tempfile::TempDir,
}

impl Session {
    /// Starts the program with these arguments. `fake_qemu` is a shell script in QEMU's place.
    fn start(args: &[&str], fake_qemu: Option<&str>) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(|error| error.to_string())?;
        grantpt(&person).and_then(|()| unlockpt(&person)).map_err(|error| error.to_string())?;
        let name = ptsname(&person, Vec::new()).map_err(|error| error.to_string())?;
        let terminal = File::options().read(true).write(true).open(name.to_string_lossy().as_ref());
        let terminal = OwnedFd::from(terminal.map_err(|error| error.to_string())?);
        let before = state(&terminal);

        let mut path = std::env::var("PATH").unwrap_or_default();
        if let Some(script) = fake_qemu {
            let fake = folder.path().join("qemu-system-x86_64");
            fs::write(&fake, format!("#!/bin/sh\n{script}\n")).map_err(|error| error.to_string())?;
            fs::set_permissions(&fake, fs::Permissions::from_mode(0o755))
                .map_err(|error| error.to_string())?;
            path = format!("{}:{path}", folder.path().display());
        }
        let mut command = Command::new("sh");
        command.args(["-c", OUTER, env!("CARGO_BIN_EXE_unreallm")]).args(args);
        command.env_clear().env("PATH", path).env("INNER", INNER);
        command.env("HOME", folder.path()).env("TMPDIR", folder.path()).current_dir(folder.path());
        let stream = || terminal.try_clone().expect("an open file can be opened again");
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let number = terminal.as_raw_fd();
        // SAFETY: between fork and exec only system calls are made (setsid, ioctl): nothing is
        // allocated and no lock is taken. The terminal is open in the child, which is a copy.
        unsafe {
            command.pre_exec(move || {
                rustix::process::setsid()?;
                let terminal = rustix::fd::BorrowedFd::borrow_raw(number);
                Ok(rustix::process::ioctl_tiocsctty(terminal)?)
            });
        }
        let shell = command.spawn().map_err(|error| error.to_string())?;
        let person = File::from(person);
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let (mut reader, all) = (person.try_clone().map_err(|error| error.to_string())?, shown.clone());
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                all.lock().unwrap().extend_from_slice(&piece[..n]);
            }
        });
        Ok(Self { shell, person, terminal, before, shown, folder })
    }

    /// What came so far. The machine ends its lines with CR LF, and the terminal adds a CR.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).replace('\r', "")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn type_keys(&mut self, keys: &str) -> Test {
        self.person.write_all(keys.as_bytes()).map_err(|error| error.to_string())
    }

    /// Waits until what the terminal has shown fits.
    fn wait(&self, awaited: &str, fits: impl Fn(&str) -> bool) -> Result<String, String> {
        let begun = Instant::now();
        loop {
            let shown = self.shown();
            if fits(&shown) {
                return Ok(shown);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {awaited}; the terminal shows:\n{shown}"));
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a number that the shell or QEMU has told.
    fn pid(&self, text: impl Fn() -> Option<String>) -> Result<Pid, String> {
        let begun = Instant::now();
        loop {
            let number = text().and_then(|text| text.trim().parse().ok()).and_then(Pid::from_raw);
            match number {
                Some(pid) => return Ok(pid),
                None if begun.elapsed() > PATIENCE => return Err("no process number came".into()),
                None => sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The program's process.
    fn program(&self) -> Result<Pid, String> {
        self.pid(|| Some(self.shown().split_once("pid ")?.1.lines().next()?.to_owned()))
    }

    /// QEMU's process, where `-pidfile qemu` was asked for.
    fn qemu(&self) -> Result<Pid, String> {
        self.pid(|| fs::read_to_string(self.path("qemu")).ok())
    }

    /// Waits for the program's end with this exit code, and holds the terminal against what it was.
    fn ended(mut self, code: i32) -> Test {
        let shown = self.wait("the end", |shown| shown.contains("code ") && shown.ends_with('\n'))?;
        if !shown.contains(&format!("code {code}\n")) {
            return Err(format!("it did not end with code {code}:\n{shown}"));
        }
        self.shell.wait().map_err(|error| error.to_string())?;
        let begun = Instant::now();
        // Where the program was killed, QEMU puts the terminal right a little later.
        while state(&self.terminal) != self.before {
            if begun.elapsed() > Duration::from_secs(5) {
                return Err(format!("the terminal was {}\nand is {}", self.before, state(&self.terminal)));
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Ends the shell, and with the terminal's leader all that runs at it.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The modes of a terminal, and whether reading it blocks.
fn state(terminal: &OwnedFd) -> String {
    let modes = tcgetattr(terminal)
        .map(|modes| (modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes));
    let flags = fcntl_getfl(terminal.as_fd()).map(|flags| flags & OFlags::NONBLOCK);
    format!("{modes:?} {flags:?}")
}

/// What shows that the prompt waits.
fn at_prompt(shown: &str) -> bool {
    shown.ends_with("\n> ")
}

const RUN: [&str; 6] = ["run", "bedtime260K", "--accel", "tcg", "-n", "0"];

fn every_key_reaches_the_machine() -> Test {
    let mut session = Session::start(&[&RUN[..], &["--interactive"]].concat(), None)?;
    let shown = session.wait("the prompt", at_prompt)?;
    if !shown.contains("To leave: /off at its prompt, or Ctrl-A x.") {
        return Err(format!("it does not say how to leave:\n{shown}"));
    }
    // Ctrl-C stops a story, and the line that was typed in front of it is answered. The arrows bring
    // it back.
    session.type_keys("Once\r")?;
    session.wait("a story", |shown| shown.contains("\n> Once\nOnce upon"))?;
    session.type_keys("/sed\x1b[De\r\x03")?;
    session.wait("the story's end", |shown| shown.contains(", stopped]"))?;
    session.wait("an answer", |shown| shown.contains("seed 1,") && at_prompt(shown))?;
    session.type_keys("\x1b[A\r")?;
    session.wait("the answer again", |shown| shown.matches("seed 1,").count() == 2 && at_prompt(shown))?;
    // The characters that a cooked terminal takes for itself: none is left, and none stops anything.
    session.type_keys("\x1a\x1c\x04\x13\x11\x16/stats\r")?;
    session.wait("statistics", |shown| shown.contains("stories  1:") && at_prompt(shown))?;
    session.type_keys("/reboot\r")?;
    session
        .wait("a second boot", |shown| shown.matches("checksum right").count() == 2 && at_prompt(shown))?;
    session.type_keys("/off\r")?;
    session.ended(0)
}

fn ctrl_a_x_leaves_while_a_story_runs() -> Test {
    let mut session = Session::start(&RUN, None)?;
    session.wait("a story", |shown| shown.contains(" cache\n\n"))?;
    session.type_keys("\x01x")?;
    session.ended(0)
}

fn bochs_hears_every_key() -> Test {
    let run = [&RUN[..2], &["-n", "0", "--interactive", "--emulator", "bochs"]].concat();
    let mut session = Session::start(&run, None)?;
    session.wait("the prompt", at_prompt)?;
    session.type_keys("Once\r")?;
    session.wait("a story", |shown| shown.contains("\n> Once\nOnce upon"))?;
    session.type_keys("/sed\x1b[De\r\x03")?;
    session.wait("an answer", |shown| {
        shown.contains(", stopped]") && shown.contains("seed 1,") && at_prompt(shown)
    })?;
    session.type_keys("/reboot\r")?;
    session
        .wait("a second boot", |shown| shown.matches("checksum right").count() == 2 && at_prompt(shown))?;
    session.type_keys("\x01x")?;
    session.ended(0)
}

fn the_terminal_is_sane_however_it_ends() -> Test {
    const KILLED: i32 = 128 + 9; // by the shell's reckoning
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 0), (Signal::HUP, 0), (Signal::KILL, KILLED)] {
        if signal == Signal::KILL && !cfg!(target_os = "linux") {
            continue; // there is no way to ask for it elsewhere
        }
        let session = Session::start(&[&RUN[..], &["--", "-pidfile", "qemu"]].concat(), None)?;
        session.wait("the prompt", at_prompt)?;
        let qemu = session.qemu()?;
        if state(&session.terminal) == session.before {
            return Err("the terminal is not in raw mode".into());
        }
        kill_process(session.program()?, signal).map_err(|error| error.to_string())?;
        session.ended(code).map_err(|error| format!("after {signal:?}: {error}"))?;
        gone(qemu)?;
    }
    // QEMU itself is killed.
    let session = Session::start(&[&RUN[..], &["--", "-pidfile", "qemu"]].concat(), None)?;
    session.wait("the prompt", at_prompt)?;
    kill_process(session.qemu()?, Signal::KILL).map_err(|error| error.to_string())?;
    session.wait("the reason", |shown| shown.contains("the emulator was ended by a signal"))?;
    session.ended(4)
}

/// Waits until a process is no more.
fn gone(process: Pid) -> Test {
    let begun = Instant::now();
    while test_kill_process(process).is_ok() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("QEMU was left behind".into());
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// With `--exit` nobody needs to type, so Ctrl-C ends it as it ends any program; the story was not
/// told then.
fn with_exit() -> Test {
    let mut session = Session::start(&[&RUN[..], &["--exit"]].concat(), Some("echo \"$@\"; exec sleep 100"))?;
    session.wait("QEMU's command line", |shown| {
        shown.contains("-no-reboot") && shown.contains("-serial stdio")
    })?;
    session.type_keys("\x03")?;
    session.ended(4)
}
