//! A page that cannot boot says why, in a sentence.
use std::{fs, path::Path, process::Command, time::Duration};

use libtest_mimic::Trial;
use machine::browser::Chromium;
use tempfile::TempDir;

use crate::{
    case::{Trouble, case, ensure},
    page::{self, BUILT_IN},
};

/// The longest that a browser lives.
const LIMIT: Duration = Duration::from_secs(90);
/// The longest that a reader waits for the sentence.
const SENTENCE: Duration = Duration::from_secs(15);

/// The tests of this file: what is done to the page, and what it must say.
pub fn cases() -> Vec<Trial> {
    type Damage = fn(&Path) -> std::io::Result<()>;
    let no_damage: Damage = |_| Ok(());
    let troubles: [(&str, Damage, &str, &str); 8] = [
        ("no_webassembly", no_damage, "delete window.WebAssembly", "has no WebAssembly"),
        (
            "a_missing_image",
            |page| fs::remove_file(page.join(format!("images/{BUILT_IN}.img"))),
            "",
            "did not load: the server answered 404",
        ),
        (
            "an_image_cut_short",
            |page| fs::write(page.join(format!("images/{BUILT_IN}.img")), [0; 1000]),
            "",
            "has 1000 bytes and should have 1048576",
        ),
        (
            "a_missing_emulator",
            |page| fs::remove_file(page.join("v86/v86.wasm")),
            "",
            "v86.wasm did not load",
        ),
        (
            "a_missing_library",
            |page| fs::remove_file(page.join("v86/libv86.mjs")),
            "",
            "libv86.mjs did not load",
        ),
        (
            "a_missing_module",
            |page| fs::remove_file(page.join("trace.js")),
            "",
            "page's program did not load",
        ),
        (
            "a_damaged_emulator",
            |page| spoil(&page.join("v86/v86.wasm")),
            "",
            "refuses the emulator's WebAssembly",
        ),
        ("a_model_too_large", enlarge, "", "is too large for the page: it needs a PC with 4096 MiB"),
    ];
    let case = |(name, damage, script, sentence): (&str, Damage, &'static str, &'static str)| {
        case(&format!("web_trouble::{name}"), move || says(damage, script, sentence))
    };
    troubles.into_iter().map(case).collect()
}

/// Overwrites the middle of a file, which keeps its length.
fn spoil(path: &Path) -> std::io::Result<()> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xFF);
    fs::write(path, bytes)
}

/// Gives every model a need of 4 GiB.
fn enlarge(page: &Path) -> std::io::Result<()> {
    let path = page.join("page.json");
    let list = fs::read_to_string(&path)?;
    fs::write(path, list.replace("\"memory_mib\": 128", "\"memory_mib\": 4096"))
}

/// Damages a copy of the page, opens it and waits for the sentence.
fn says(damage: fn(&Path) -> std::io::Result<()>, script: &str, sentence: &str) -> Result<(), Trouble> {
    let wrong = |error: std::io::Error| Trouble::Wrong(error.to_string());
    let folder = TempDir::with_prefix("unreallm-page-").map_err(wrong)?;
    let copy = folder.path().join("page");
    let copied = Command::new("cp").arg("-r").arg(page::folder()?).arg(&copy).status().map_err(wrong)?;
    ensure(copied.success(), || "the page could not be copied".into())?;
    damage(&copy).map_err(wrong)?;
    let url = page::serve(&copy)?;
    let mut tab = Chromium::start(LIMIT)?.tab()?;
    if !script.is_empty() {
        tab.run_first(script)?;
    }
    tab.open(&format!("{url}?model={BUILT_IN}"))?;
    tab.wait("document.getElementById('trouble')?.hidden === false", SENTENCE)?;
    let said = tab.value("document.getElementById('trouble').textContent")?;
    let said = said.as_str().unwrap_or_default();
    ensure(said.contains(sentence), || format!("the page says {said:?}, and not {sentence:?}"))
}
