//! `cargo unreal compare`: the engines side by side, as a table, as JSON, as a page.
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{CommandError, open_model};
use crate::{
    cli::CompareArgs,
    compare::{
        CompareError, Comparison, EngineResult, compare as compare_engines, machine, report,
        subject::Subject, text,
    },
    size::Grouped,
};
use model::engine::EngineKind;

/// Compares the engines and tells the result.
pub fn compare(args: &CompareArgs) -> Result<(), CommandError> {
    let input = open_model(&args.model)?;
    let subject = Subject::new(input).map_err(CompareError::from)?;
    let comparison = measure(args, &subject)?;
    let checked = if args.in_emulator { check_machine(&subject)? } else { Vec::new() };
    if let Some(folder) = &args.report {
        let page = report::write(&comparison, folder).map_err(CompareError::from)?;
        if !args.json {
            println!("{}", page.display());
        }
    }
    if args.json {
        println!("{:#}", to_json(&comparison, &checked));
    } else {
        print_table(&comparison);
        for (engine, steps) in &checked {
            println!("{engine} in QEMU: {steps} steps, every token and every logit as on the host");
        }
    }
    Ok(())
}

/// Gets the text and has it read.
fn measure(args: &CompareArgs, subject: &Subject) -> Result<Comparison, CompareError> {
    let (stories, source) = match &args.text {
        Some(path) => (text::from_file(path)?, path.display().to_string()),
        None => {
            let bar = progress_bar("Telling stories", args.stories);
            let stories = text::sampled(subject, args.stories, || bar.inc(1));
            bar.finish_and_clear();
            (stories, format!("{} stories that fp32 told at temperature 1", args.stories))
        }
    };
    let bar = progress_bar("Reading stories", stories.len() as u64);
    let comparison = compare_engines(subject, source, &stories, || bar.inc(1));
    bar.finish_and_clear();
    comparison
}

/// Boots each engine; returns the steps that were the same.
fn check_machine(subject: &Subject) -> Result<Vec<(&'static str, usize)>, CompareError> {
    let (kinds, _) = subject.engines();
    let check =
        |kind: EngineKind| Ok((kind.name(), machine::check(subject, kind, machine::Check::default())?));
    kinds.into_iter().map(check).collect()
}

fn progress_bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.expect("the template above is right"));
    bar.set_message(what);
    bar
}

fn print_table(comparison: &Comparison) {
    let Comparison { model, text, stories, engines, .. } = comparison;
    println!("{model} on {text}: {stories} stories, {} predictions", Grouped(predictions(comparison)));
    println!(
        "{:<8}{:>12}{:>12}{:>12}{:>12}{:>8}{:>12}{:>14}",
        "engine", "nats/token", "above fp32", "perplexity", "KL (nats)", "top-1", "diverges", "model bytes"
    );
    for engine in engines {
        let EngineResult { name, summary, first_divergence, model_bytes, .. } = engine;
        let diverges = match first_divergence {
            Some(position) => format!("token {position}"),
            None => "never".into(),
        };
        println!(
            "{name:<8}{:>12.4}{:>12.4}{:>12.4}{:>12.6}{:>7.2}%{diverges:>12}{:>14}",
            summary.nats,
            summary.nats - engines[0].summary.nats,
            summary.perplexity(),
            summary.kl,
            100.0 * summary.top1,
            Grouped(*model_bytes).to_string()
        );
    }
    for sentence in comparison.notes() {
        println!("{sentence}");
    }
}

fn predictions(comparison: &Comparison) -> u64 {
    comparison.engines[0].summary.predictions as u64
}

fn to_json(comparison: &Comparison, checked: &[(&str, usize)]) -> Value {
    let fp32 = comparison.engines[0].summary.nats;
    let engines: Map<String, Value> = comparison
        .engines
        .iter()
        .map(|engine| {
            let summary = &engine.summary;
            let mut values = json!({
                "nats": summary.nats,
                "perplexity": summary.perplexity(),
                "model_bytes": engine.model_bytes,
                "greedy_story": engine.greedy.text,
            });
            if engine.name != "fp32" {
                values["above_fp32"] = json!(summary.nats - fp32);
                values["kl"] = json!(summary.kl);
                values["top1"] = json!(summary.top1);
                values["first_divergence"] = json!(engine.first_divergence);
                let steps = checked.iter().find(|(name, _)| *name == engine.name).map(|(_, steps)| steps);
                values["saturations"] = json!(engine.saturations);
                values["steps_equal_in_emulator"] = json!(steps);
            }
            (engine.name.to_owned(), values)
        })
        .collect();
    json!({
        "model": comparison.model,
        "text": comparison.text,
        "stories": comparison.stories,
        "stories_cut": comparison.cut,
        "predictions": predictions(comparison),
        "engines": engines,
        "left_out": comparison.left_out,
        "yardsticks": comparison.yardsticks,
    })
}
