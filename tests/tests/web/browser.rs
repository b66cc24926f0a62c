//! The whole page in Chromium: it boots, tells the host's story, and takes a prompt.
use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use machine::browser::{Chromium, Tab};
use protocol::{settings::Settings, trace::TraceRecord};
use serde_json::{Value, json};
use unreallm::web::images;

use crate::{
    case::{Trouble, case, ensure},
    page::{self, BUILT_IN, PUBLISHED},
    told::Told,
};

/// The longest that a browser lives.
const LIMIT: Duration = Duration::from_secs(240);
/// From opening the page to the first token.
const FIRST_TOKEN: Duration = Duration::from_secs(10);
/// From there to the end of the story.
const STORY: Duration = Duration::from_secs(120);
/// From a change to its being drawn.
const REDRAWN: Duration = Duration::from_secs(5);
/// Characters of a story's end that are surely in sight.
const STORY_END: usize = 100;
/// The page says this while the machine tells a story.
const TELLING: &str = "document.getElementById('status')?.textContent === 'Telling a story'";
/// The page says this when the machine has printed a story's last line.
const ENDED: &str = "document.getElementById('status')?.textContent === 'The end'";

/// The machine waits for a line.
const ASKS: &str = r"/^> $/m.test(unreallm.text.slice(unreallm.text.lastIndexOf('\n') + 1))";

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("web_page::tells_the_published_story_as_the_host_does", || whole_story(PUBLISHED)),
        case("web_page::tells_the_built_in_story_as_the_host_does", || whole_story(BUILT_IN)),
        case("web_page::a_prompt_in_the_form_is_continued", prompt_in_form),
        case("web_page::beginnings_typed_at_the_machine_are_continued", prompts_at_the_machine),
        case("web_page::fits_a_phone", phone),
        case("web_page::is_under_5_mb", size),
    ]
}

/// A tab with the page and a model in it, and when it was opened.
fn open(query: &str) -> Result<(Tab, Instant), Trouble> {
    let url = page::serve(&page::folder()?)?;
    let mut tab = Chromium::start(LIMIT)?.tab()?;
    tab.resize(1280, 900, 1.0, false)?;
    let opened = Instant::now();
    tab.open(&format!("{url}{query}"))?;
    Ok((tab, opened))
}

/// The page's trace so far.
fn trace(tab: &mut Tab) -> Result<Vec<TraceRecord>, Trouble> {
    let records = tab.value("unreallm.trace")?;
    let record = |record: &Value| {
        let number = |key: &str| record[key].as_u64().unwrap_or(u64::MAX);
        TraceRecord {
            pos: number("position") as usize,
            next: number("next") as u32,
            logits_crc: u32::from_str_radix(record["crc"].as_str().unwrap_or_default(), 16)
                .unwrap_or_default(),
        }
    };
    Ok(records.as_array().map(|records| records.iter().map(record).collect()).unwrap_or_default())
}

/// Compares the last story on the page with the host's, and gives that.
fn compare(tab: &mut Tab, model: &str, prompt: &str) -> Result<Told, Trouble> {
    let image = page::image(&page::folder()?, model)?;
    let told = Told::new(&image, &Settings { prompt: prompt.into(), ..images::settings() })?;
    told.equals(&trace(tab)?)?;
    let text = tab.value("unreallm.text")?.as_str().unwrap_or_default().replace('\r', "");
    ensure(text.contains(told.text.trim()), || format!("the page has another story: {text}"))?;
    Ok(told)
}

/// Where pictures are wanted, takes one.
fn picture(tab: &mut Tab, name: &str) -> Result<(), Trouble> {
    if let Some(folder) = env::var_os("UNREALLM_PICTURES") {
        tab.picture(&PathBuf::from(folder).join(format!("{name}.png")))?;
    }
    Ok(())
}

fn whole_story(model: &str) -> Result<(), Trouble> {
    page::image(&page::folder()?, model)?;
    let (mut tab, opened) = open(&format!("?model={model}"))?;
    tab.wait("window.unreallm && unreallm.trace.length > 0", FIRST_TOKEN)?;
    let first = opened.elapsed();
    ensure(first <= FIRST_TOKEN, || format!("the first token came after {first:?}"))?;
    tab.wait(ENDED, STORY)?;
    compare(&mut tab, model, "")?;
    // The page's clock is too coarse to choose by, and v86 has no SSE4.1.
    let chosen = tab.value(r"/^simd    SSE2\r?$/m.test(unreallm.text)")?;
    ensure(chosen == true, || "another kernel than SSE2's, or a time for it".into())?;
    let screen = tab.value("document.querySelector('#screen').innerText")?;
    let last = tab.value(r"(/^\[\d+ tokens, [^\r\n]*/m.exec(unreallm.text) ?? ['no last line'])[0]")?;
    let (screen, last) = (screen.as_str().unwrap_or_default(), last.as_str().unwrap_or_default());
    ensure(screen.contains(last), || format!("the screen lacks {last:?}: {screen}"))?;
    let rate = tab.value("document.getElementById('rate').textContent")?;
    eprintln!("{model} in Chromium: first token {first:.2?} after opening, {rate} tokens/s");
    picture(&mut tab, &format!("page-{model}"))
}

fn prompt_in_form() -> Result<(), Trouble> {
    let (mut tab, _) = open(&format!("?model={BUILT_IN}"))?;
    tab.wait(ENDED, STORY)?;
    tab.click("#prompt")?;
    tab.press("the little robot")?;
    tab.press("\n")?;
    tab.wait("unreallm.booted === 2", FIRST_TOKEN)?;
    tab.wait(ENDED, STORY)?;
    compare(&mut tab, BUILT_IN, "the little robot").map(drop)
}

/// The machine takes lines from its keyboard and from its serial port, one story after another.
fn prompts_at_the_machine() -> Result<(), Trouble> {
    let (mut tab, _) = open(&format!("?model={BUILT_IN}"))?;
    tab.wait(ENDED, STORY)?;
    for (place, beginning) in [("#keyboard", "the little robot"), ("#terminal", "one night. the moon")] {
        tab.wait(ASKS, FIRST_TOKEN)?;
        tab.click(place)?;
        // The BIOS keeps 15 keys; a burst of more would be lost while the emulator waits its turn.
        for typed in 1..=beginning.len() {
            tab.press(&beginning[typed - 1..typed])?;
            let echo = format!("unreallm.text.endsWith({})", json!(format!("\n> {}", &beginning[..typed])));
            tab.wait(&echo, REDRAWN)?;
        }
        tab.press("\n")?;
        tab.wait(TELLING, FIRST_TOKEN)?;
        tab.wait(ENDED, STORY)?;
        let told = compare(&mut tab, BUILT_IN, beginning)?;
        let line =
            tab.value(&format!("unreallm.text.includes({})", json!(format!("\n> {beginning}\r\n"))))?;
        ensure(line == true, || format!("the machine did not show the line {beginning:?} as it was typed"))?;
        for shown in ["#screen", "#terminal .xterm-rows"] {
            shows(&mut tab, shown, &told.text)?;
        }
        let (tokens, rate) = (number(&mut tab, "tokens")?, number(&mut tab, "rate")?);
        ensure(tokens == told.trace.len() as f64 && rate > 0.0, || {
            format!("the page counts {tokens} tokens at {rate} a second of {}", told.trace.len())
        })?;
    }
    picture(&mut tab, "prompts")
}

/// Waits until an element has a story's end in sight. Lines break where the element is full, so that
/// white space does not count.
fn shows(tab: &mut Tab, element: &str, story: &str) -> Result<(), Trouble> {
    let text: Vec<char> = story.chars().filter(|c| !c.is_whitespace()).collect();
    let end: String = text[text.len().saturating_sub(STORY_END)..].iter().collect();
    let sight = format!("document.querySelector({}).innerText", json!(element));
    Ok(tab.wait(&format!(r"{sight}.replace(/\s/g, '').includes({})", json!(end)), REDRAWN)?)
}

/// A number under the screen.
fn number(tab: &mut Tab, id: &str) -> Result<f64, Trouble> {
    let shown = tab.value(&format!("Number(document.getElementById('{id}').textContent)"))?;
    Ok(shown.as_f64().unwrap_or(f64::NAN))
}

fn phone() -> Result<(), Trouble> {
    let (mut tab, _) = open(&format!("?model={BUILT_IN}"))?;
    tab.resize(390, 844, 2.0, true)?;
    tab.wait(ENDED, STORY)?;
    let wide = tab.value("document.documentElement.scrollWidth")?;
    ensure(wide.as_u64().is_some_and(|wide| wide <= 390), || format!("the page is {wide} wide"))?;
    picture(&mut tab, "phone")
}

fn size() -> Result<(), Trouble> {
    let page = page::folder()?;
    let list = std::fs::read(page.join("page.json")).map_err(|error| Trouble::Wrong(error.to_string()))?;
    let list: Value = serde_json::from_slice(&list).map_err(|error| Trouble::Wrong(error.to_string()))?;
    let files = list["files"].as_object().cloned().unwrap_or_default();
    let bytes = |images: &str| {
        let counts = |name: &str| !name.starts_with("images/") || name == images;
        files.iter().filter(|(name, _)| counts(name)).filter_map(|(_, bytes)| bytes.as_u64()).sum::<u64>()
    };
    for model in list["models"].as_array().into_iter().flatten() {
        let image = model["image"].as_str().unwrap_or_default();
        if page::RANDOM.iter().any(|(name, ..)| image.contains(name)) {
            continue; // they are there for v86 alone
        }
        let bytes = bytes(image);
        ensure((1_000_000..5_000_000).contains(&bytes), || {
            format!("with {image} the page has {bytes} bytes")
        })?;
    }
    Ok(())
}
