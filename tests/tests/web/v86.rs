//! The page's disk images in v86 under Node: the machine's numbers are the host's.
use std::time::Duration;

use libtest_mimic::Trial;
use machine::browser::node;
use protocol::{settings::Settings, trace::TraceRecord};
use serde_json::json;
use unreallm::web::images;

use crate::{
    case::{Trouble, case, ensure},
    page::{self, BUILT_IN, PUBLISHED},
    told::Told,
};

/// The longest that a story may take; it is some seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// A prompt for the machine.
const PROMPT: &str = "The little robot";

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let mut cases: Vec<Trial> = [BUILT_IN, PUBLISHED]
        .into_iter()
        .map(|model| case(&format!("v86::trace_{model}"), move || trace(model, "").map(drop)))
        .collect();
    cases
        .extend(page::RANDOM.map(|(model, ..)| case(&format!("v86::trace_{model}"), move || numbers(model))));
    cases.push(case("v86::trace_of_a_prompt", || {
        let text = trace(BUILT_IN, PROMPT)?;
        ensure(text.contains(PROMPT), || format!("the story does not begin with {PROMPT:?}: {text}"))
    }));
    cases
}

/// Compares a whole story, and gives what the machine said without its trace.
fn trace(model: &str, prompt: &str) -> Result<String, Trouble> {
    let page = page::folder()?;
    let image = page::image(&page, model)?;
    let settings = Settings { prompt: prompt.into(), ..images::settings() };
    let told = Told::new(&image, &settings)?;
    let shown = node::boot(&page, model, &json!({ "prompt": prompt }), LIMIT)?;
    let (records, text) = TraceRecord::split(&shown.serial);
    told.equals(&records)?;
    let text = text.replace('\r', "");
    ensure(text.contains(told.text.trim()), || format!("the story is not in what the machine said: {text}"))?;
    let last = text.lines().find(|line| line.starts_with('[')).unwrap_or("[");
    ensure(shown.screen.iter().any(|row| row.trim_end() == last), || {
        format!("the screen lacks {last:?}:\n{}", shown.screen.join("\n"))
    })?;
    Ok(text)
}

/// Compares the numbers alone: a random model's text is no text.
fn numbers(model: &str) -> Result<(), Trouble> {
    let page = page::folder()?;
    let settings = Settings { prompt: PROMPT.into(), ..images::settings() };
    let told = Told::new(&page::image(&page, model)?, &settings)?;
    let shown = node::boot(&page, model, &json!({ "prompt": PROMPT }), LIMIT)?;
    told.equals(&TraceRecord::split(&shown.serial).0)?;
    ensure(told.trace.len() > PROMPT.len() / 2, || format!("only {} forward passes", told.trace.len()))
}
