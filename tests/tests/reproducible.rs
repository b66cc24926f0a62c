//! The same source gives the same machine, wherever it is built: another folder, another cargo home,
//! another target folder, and every byte of the three programs is what the host program carries.
use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;
use unreallm::{embedded, machine_code::MachineCode};

/// What is no source.
const LEFT_OUT: [&str; 3] = ["target", ".git", "node_modules"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let elsewhere = match elsewhere() {
        Ok(elsewhere) => elsewhere,
        Err(error) => {
            eprintln!("the sources cannot be copied: {error}");
            return ExitCode::FAILURE;
        }
    };
    // SAFETY: no other thread runs yet.
    unsafe {
        env::set_var("CARGO_HOME", elsewhere.path().join("another home"));
        env::set_var("CARGO_NET_OFFLINE", "true"); // all crates are here: the host program is built
    }
    let root = elsewhere.path().join("another folder");
    let trial = Trial::test("the_machine_is_the_same_from_another_folder", move || is_the_same(&root));
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

/// A folder with the sources, and a cargo home that has its registry and its settings from the usual one.
fn elsewhere() -> io::Result<TempDir> {
    let folder = TempDir::with_prefix("unreallm-elsewhere-")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    copy(root, &folder.path().join("another folder"))?;
    let home = folder.path().join("another home");
    fs::create_dir(&home)?;
    for entry in ["registry", "config.toml"].map(|entry| (cargo_home().join(entry), home.join(entry))) {
        if entry.0.exists() {
            symlink(entry.0, entry.1)?;
        }
    }
    Ok(folder)
}

/// cargo's, as its book defines it.
fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(source, target)?;
        }
    }
    Ok(())
}

fn is_the_same(root: &Path) -> Result<(), Failed> {
    let (here, there) = (embedded::machine_code(), MachineCode::from_source(root, &root.join("built"), &[])?);
    let programs = [
        ("the boot sector", &here.stage1, &there.stage1),
        ("the loader", &here.loader.file, &there.loader.file),
        ("the kernel", &here.kernel.file, &there.kernel.file),
    ];
    for (name, here, there) in programs {
        let differ = here.iter().zip(there).filter(|(here, there)| here != there).count();
        if differ > 0 || here.len() != there.len() {
            let first = here.iter().zip(there).position(|(here, there)| here != there);
            return Err(format!(
                "{name} has {} and {} bytes, of which {differ} differ, the first at {first:?}; cargo and \
                 rustc took something from the folder they ran in",
                here.len(),
                there.len()
            )
            .into());
        }
    }
    Ok(())
}
