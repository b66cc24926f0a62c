//! Whether KVM can be trusted with real mode, proved by a boot.
//!
//! Not every /dev/kvm runs real mode natively: some interpret it, slower than QEMU's own
//! translator, and some end the machine at the first SSE instruction. So the built-in model tells
//! the beginning of its story under KVM, once, and every token and logit must be the host's. What
//! came out is kept until the host's kernel, QEMU or the machine's code change.
use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use model::engine::EngineKind;

use super::{find, qemu::Accelerator};
use crate::{
    compare::{
        machine::{Check, check},
        subject::Subject,
    },
    embedded,
    models::{self, Folders, built_in},
    packing::PackInput,
};

/// The probe: a few tokens, in a time that a slow KVM does not keep.
const PROBE: Check = Check { accelerator: Accelerator::Kvm, steps: 32, patience: Duration::from_secs(3) };
/// The device of the host's own CPU.
const DEVICE: &str = "/dev/kvm";
/// The file in the cache folder that keeps the result.
const RESULT: &str = "kvm-probe";

/// The accelerator to use where the user leaves the choice: KVM where a probe boot proves it.
pub fn choose() -> Accelerator {
    let openable = File::options().read(true).write(true).open(DEVICE).is_ok();
    let cached = models::cache().map(|folder| folder.join(RESULT));
    if openable && remembered(cached.as_deref(), &circumstances(), probe) {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    }
}

/// The result that `cache` holds for these circumstances; otherwise the probe's, which it then
/// holds. A cache that cannot be written only costs the next run another probe.
fn remembered(cache: Option<&Path>, circumstances: &str, probe: impl FnOnce() -> bool) -> bool {
    let line = |works| format!("{circumstances}: {}\n", if works { "works" } else { "does not work" });
    let held = cache.and_then(|path| fs::read_to_string(path).ok());
    for works in [true, false] {
        if held.as_deref() == Some(&line(works)) {
            return works;
        }
    }
    let works = probe();
    if let Some((path, folder)) = cache.and_then(|path| Some((path, path.parent()?))) {
        let _ = fs::create_dir_all(folder).and_then(|()| fs::write(path, line(works)));
    }
    works
}

/// Boots the probe.
fn probe() -> bool {
    let input = PackInput::open(&built_in(), None, None, &Folders::new(Vec::new()));
    let Some(subject) = input.ok().and_then(|input| Subject::new(input).ok()) else { return false };
    check(&subject, EngineKind::Int8, PROBE).is_ok()
}

/// What the result depends on: the host's kernel, QEMU, and the machine's code.
fn circumstances() -> String {
    let system = rustix::system::uname();
    let qemu = find("qemu-system-x86_64", "").ok();
    let changed = qemu.as_ref().and_then(|path| fs::metadata(path).ok()?.modified().ok());
    let code = {
        let code = embedded::machine_code();
        [&code.loader, &code.kernel].map(|program| program.header().crc)
    };
    format!("{:?} {:?} {qemu:?} {changed:?} {code:?}", system.release(), system.version())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_kept_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/kvm-probe");
        let never = || panic!("the result is known");
        assert!(remembered(Some(&path), "a", || true));
        assert!(remembered(Some(&path), "a", never));
        assert!(!remembered(Some(&path), "b", || false));
        assert!(!remembered(Some(&path), "b", never));
        assert!(remembered(None, "a", || true), "without a cache it is probed each time");
    }
}
