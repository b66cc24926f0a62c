//! What the boot settings ask for: the other engine, a prompt, chance.
use std::path::PathBuf;

use libtest_mimic::Trial;
use machine::{
    Emulator, Error,
    bochs::Bochs,
    golden::{self, BUILT_IN, Golden, PUBLISHED, packed, traced},
    outcome::{EXIT_TOLD, Outcome, judge},
    qemu::Qemu,
    transcript::Transcript,
};
use model::engine::EngineKind;
use protocol::settings::{Settings, parse_decimal};
use unreallm::{embedded, image::Medium};

use crate::{
    case::{Trouble, case, ensure},
    trace::equals,
};

/// The original's own story ends well before.
const TOKENS: u32 = 256;
/// Enough to leave the prompt behind, and to choose by chance often.
const FEW_TOKENS: u32 = 48;
/// Characters beyond ASCII: this vocabulary spells them by byte pieces.
const PROMPT: &str = "The dog said: \"Ça va?\"\nThen";

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let sector = traced(TOKENS);
    let prompt = Settings { prompt: PROMPT.into(), ..traced(FEW_TOKENS) };
    let chance = Settings {
        temperature: parse_decimal("0.8").expect("a number"),
        topp: parse_decimal("0.9").expect("a number"),
        seed: 7,
        ..traced(FEW_TOKENS)
    };
    let both = Settings { prompt: PROMPT.into(), ..chance.clone() };
    let mut cases = Vec::new();
    for (what, engine, settings, models) in [
        ("sector", EngineKind::Sectorllm, sector, &[BUILT_IN, PUBLISHED][..]),
        ("prompt", EngineKind::Int8, prompt, &[PUBLISHED]),
        ("chance", EngineKind::Int8, chance, &[PUBLISHED]),
        ("prompt_and_chance", EngineKind::Int8, both, &[BUILT_IN]),
    ] {
        for &model in models {
            let [on_qemu, on_bochs] = [settings.clone(), settings.clone()];
            cases.push(case(&format!("settings::{what}_qemu_{model}"), move || {
                let golden = Golden::of_engine(engine, model, &on_qemu, Medium::Disk)?;
                let status = equals(&mut Qemu::q35().boot(&golden.image)?, &golden)?;
                ensure(status == Some(EXIT_TOLD), || format!("exit code {status:?}"))
            }));
            cases.push(case(&format!("settings::{what}_bochs_{model}"), move || {
                let golden = Golden::of_engine(engine, model, &on_bochs, Medium::Disk)?;
                equals(&mut Bochs::default().boot(&golden.image)?, &golden).map(|_| ())
            }));
        }
    }
    cases.extend([
        case("settings::sector_tells_the_original_story", original_story),
        case("settings::another_seed_tells_another_story", another_seed),
        case("settings::prompt_longer_than_the_context", long_prompt),
    ]);
    cases
}

/// The 1356-byte build's own output, byte pieces and all.
fn original_story() -> Result<(), Trouble> {
    let original = beside_models("sector-1356-story.txt")?;
    let settings = Settings { raw_bytes: true, exit: true, ..Settings::default() };
    let golden = Golden::of_engine(EngineKind::Sectorllm, PUBLISHED, &settings, Medium::Disk)?;
    let (_, log) = Qemu::q35().boot(&golden.image)?.wait_for_end()?;
    let text = Transcript::parse(&log).text;
    ensure(text.contains(&format!("\n{}\n", original.trim_end_matches('\n'))), || {
        format!("the machine told:\n{text}\nthe original:\n{original}")
    })
}

/// A file in the folders of `UNREALLM_MODELS`, or in `eval` beside them.
fn beside_models(name: &str) -> Result<String, Trouble> {
    let folders = std::env::var_os("UNREALLM_MODELS").unwrap_or_default();
    let beside = |folder: PathBuf| [folder.join(name), folder.with_file_name("eval").join(name)];
    let found = std::env::split_paths(&folders).flat_map(beside).find(|file| file.is_file());
    let found = found.ok_or_else(|| Trouble::Skip(format!("{name} is not beside the models")))?;
    std::fs::read_to_string(found).map_err(|error| Error::io("read the original's story")(error).into())
}

/// So that the tests above cannot pass on a machine that ignores the settings.
fn another_seed() -> Result<(), Trouble> {
    let temperature = parse_decimal("0.8").expect("a number");
    let [seventh, eighth] = [7, 8]
        .map(|seed| golden::tell(&packed(BUILT_IN)?, &Settings { temperature, seed, ..traced(FEW_TOKENS) }));
    let greedy = golden::tell(&packed(BUILT_IN)?, &traced(FEW_TOKENS))?.0;
    let (seventh, eighth) = (seventh?.0, eighth?.0);
    ensure(seventh != eighth && seventh != greedy && eighth != greedy, || {
        format!("{greedy}\n{seventh}\n{eighth}")
    })
}

/// Host and machine refuse it by the same sentence.
fn long_prompt() -> Result<(), Trouble> {
    let settings = Settings { prompt: "dog ".repeat(600), ..traced(8) };
    let packed = packed(BUILT_IN)?;
    let Err(Error::Answer { answer, .. }) = golden::tell(&packed, &settings) else {
        return Err(Trouble::Wrong("the host's engine tells a story".into()));
    };
    for word in ["beginning", "tokens", "512"] {
        ensure(answer.contains(word), || format!("no '{word}' in: {answer}"))?;
    }
    let image = golden::image_of(&packed, &embedded::machine_code(), &settings, Medium::Disk)?;
    let outcome = judge(&mut Qemu::q35().boot(&image)?, &[])?;
    let expected = Outcome::Stopped { reason: format!("unreallm: {answer}"), off: true };
    ensure(outcome == expected, || format!("{outcome:?}, not {expected:?}"))
}
