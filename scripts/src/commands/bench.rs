//! `cargo unreal bench`: how fast the machine is, and how near to what it could be.
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use model::{
    host::synth::{parse_shape, write_checkpoint},
    phase::Phase,
};
use protocol::benchmark::Report;
use serde::Serialize;
use serde_json::json;

use super::{CommandError, open_model};
use crate::{
    bench::{
        BenchError, hosted,
        machine::{self, Pc},
        other_image::{self, Patience},
        plot,
        statistics::Spread,
        subject::Subject,
    },
    beside::WriteError,
    cli::{BenchArgs, ModelArgs},
};

/// The seed of random checkpoints.
const SEED: u64 = 1;
/// Memory of the PC that boots the other image, in MiB.
const OTHER_MIB: u32 = 128;

/// A model on a number of processors, and all that was measured.
struct Row<'s> {
    subject: &'s Subject,
    cpus: u32,
    image: PathBuf,
    reports: Vec<Report>,
}

/// What a row of the table says.
#[derive(Serialize)]
struct Figures {
    model: String,
    parameters: u64,
    /// Processors; none for the hosted engine.
    cpus: Option<u32>,
    tokens_per_second: Spread,
    million_parameters_per_second: f64,
    prompt_tokens_per_second: Option<Spread>,
    load_mb_per_second: Option<Spread>,
    floor_mb_per_second: Spread,
    floor_ms: f64,
    /// The time of the load-only pass in percent of a token's, run by run.
    percent_of_floor: Spread,
    /// Milliseconds of each phase in a token, medians.
    phases_ms: Option<Vec<(&'static str, f64)>>,
}

/// Measures and tells.
pub fn bench(args: &BenchArgs) -> Result<(), CommandError> {
    let folder = tempfile::Builder::new().prefix("unreallm-").tempdir().map_err(CommandError::Temporary)?;
    let names = args.models.iter();
    let subjects: Vec<Subject> =
        names.map(|name| open(name, args, folder.path())).collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for (i, subject) in subjects.iter().enumerate() {
        for &cpus in &args.cpus {
            let image = folder.path().join(format!("{i}-{cpus}.img"));
            machine::write_image(subject, cpus, args.steps, &image)?;
            rows.push(Row { subject, cpus, image, reports: Vec::new() });
        }
    }
    let hosted_runs = if args.host { subjects.len() } else { 0 };
    let other_runs = usize::from(args.vs_image.is_some());
    let bar = progress((rows.len() + hosted_runs + other_runs) as u64 * u64::from(args.repeat));
    let mut hosted: Vec<Vec<hosted::Hosted>> = subjects.iter().map(|_| Vec::new()).collect();
    let mut other = Vec::new();
    // Run by run, so that a machine that gets slower or faster does so for all.
    for _ in 0..args.repeat {
        for row in &mut rows {
            bar.set_message(format!("{} on {}", row.subject.name, processors(row.cpus)));
            let pc = pc(args, row.cpus);
            row.reports.push(machine::boot(row.subject, pc, &row.image, Duration::from_secs(args.patience))?);
            bar.inc(1);
        }
        for (subject, runs) in subjects.iter().zip(&mut hosted).take(hosted_runs) {
            bar.set_message(format!("{} on the host", subject.name));
            runs.push(hosted::measure(subject, args.steps as usize)?);
            bar.inc(1);
        }
        if let Some(image) = &args.vs_image {
            bar.set_message(image.display().to_string());
            let patience = Patience(Duration::from_secs(args.patience));
            other.push(other_image::printing_time(image, pc(args, 1), OTHER_MIB, patience)?.as_secs_f64());
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let mut figures: Vec<Figures> = rows.iter().map(machine_figures).collect();
    figures.extend(
        subjects.iter().zip(&hosted).take(hosted_runs).map(|(subject, runs)| hosted_figures(subject, runs)),
    );
    let other = args.vs_tokens.zip((!other.is_empty()).then(|| Spread::of(other)));
    let other = other.map(|(tokens, seconds)| f64::from(tokens) / seconds.median);
    if let Some(path) = &args.plot {
        let failed = |cause| WriteError { path: path.clone(), cause };
        fs::write(path, plot::tokens_over_parameters(&lines(&figures)).map_err(BenchError::Plot)?)
            .map_err(failed)?;
    }
    if args.json {
        println!(
            "{:#}",
            json!({ "steps": args.steps, "repeat": args.repeat, "rows": figures, "vs_tokens_per_second": other })
        );
    } else {
        print_table(&figures);
        if let (Some(other), Some(first)) = (other, figures.first()) {
            let ratio = first.tokens_per_second.median / other;
            println!("\nThe other image: {other:.1} tok/s; {} is {ratio:.0} × as fast.", first.model);
        }
    }
    Ok(())
}

/// A model by its name, or a random one of a shape's name.
fn open(name: &str, args: &BenchArgs, folder: &Path) -> Result<Subject, CommandError> {
    let tokenizer = || args.tokenizer.clone();
    let model = |model: String| ModelArgs { model, tokenizer: tokenizer(), context: None, refine: false };
    let input = match parse_shape(name) {
        Ok(shape) => {
            let path = folder.join(format!("{}.bin", name.replace(',', "-")));
            let failed = |cause| WriteError { path: path.clone(), cause };
            let mut file = std::io::BufWriter::new(fs::File::create(&path).map_err(failed)?);
            write_checkpoint(&shape, SEED, &mut file).map_err(failed)?;
            std::io::Write::flush(&mut file).map_err(failed)?;
            open_model(&model(path.display().to_string()))?
        }
        Err(_) => open_model(&model(name.to_owned()))?,
    };
    Ok(Subject::new(input)?)
}

fn pc(args: &BenchArgs, cpus: u32) -> Pc {
    Pc { machine: args.machine, accelerator: args.accel, cpus }
}

fn processors(cpus: u32) -> String {
    if cpus == 1 { "1 CPU".into() } else { format!("{cpus} CPUs") }
}

fn progress(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("Measuring {wide_bar} {pos}/{len} {msg}");
    bar.set_style(style.expect("the template above is right"));
    bar
}

fn machine_figures(row: &Row) -> Figures {
    let Row { subject, cpus, reports, .. } = row;
    let spread = |value: &dyn Fn(&Report) -> f64| Spread::of(reports.iter().map(value));
    let tokens = spread(&|report| report.story.rate());
    let phases = Phase::ALL.iter().map(|&phase| {
        let ms = spread(&|report| {
            let measured = report.phases[phase as usize];
            measured.micros as f64 / 1e3 / measured.count.max(1) as f64
        });
        (phase.name(), ms.median)
    });
    Figures {
        model: subject.name.clone(),
        parameters: subject.packed.header.shape.parameters(),
        cpus: Some(*cpus),
        tokens_per_second: tokens,
        million_parameters_per_second: tokens.median * subject.millions(),
        prompt_tokens_per_second: Some(spread(&|report| report.prompt.rate())),
        load_mb_per_second: Some(spread(&|report| report.load.rate() / 1e6)),
        floor_mb_per_second: spread(&|report| report.load_only.rate() / 1e6),
        floor_ms: spread(&|report| report.load_only.micros as f64 / 1e3).median,
        percent_of_floor: spread(&|report| report.story.rate() * report.load_only.micros as f64 / 1e4),
        phases_ms: Some(phases.collect()),
    }
}

fn hosted_figures(subject: &Subject, runs: &[hosted::Hosted]) -> Figures {
    let spread = |value: &dyn Fn(&hosted::Hosted) -> f64| Spread::of(runs.iter().map(value));
    let tokens = spread(&|run| run.story.rate());
    Figures {
        model: subject.name.clone(),
        parameters: subject.packed.header.shape.parameters(),
        cpus: None,
        tokens_per_second: tokens,
        million_parameters_per_second: tokens.median * subject.millions(),
        prompt_tokens_per_second: None,
        load_mb_per_second: None,
        floor_mb_per_second: spread(&|run| run.load_only.rate() / 1e6),
        floor_ms: spread(&|run| run.load_only.micros as f64 / 1e3).median,
        percent_of_floor: spread(&|run| run.story.rate() * run.load_only.micros as f64 / 1e4),
        phases_ms: None,
    }
}

fn print_table(figures: &[Figures]) {
    println!(
        "{:<14}{:>7}{:>9}{:>17}{:>11}{:>9}{:>8}{:>11}{:>11}{:>11}",
        "model", "CPUs", "tok/s", "(min - max)", "M × tok/s", "prompt", "load", "load-only", "", "of it"
    );
    println!(
        "{:<14}{:>7}{:>9}{:>17}{:>11}{:>9}{:>8}{:>11}{:>11}{:>11}",
        "", "", "", "", "", "tok/s", "MB/s", "ms", "MB/s", ""
    );
    let optional =
        |spread: Option<Spread>| spread.map_or(String::new(), |spread| format!("{:.0}", spread.median));
    for row in figures {
        let Spread { median, min, max } = row.tokens_per_second;
        println!(
            "{:<14}{:>7}{median:>9.1}{:>17}{:>11.0}{:>9}{:>8}{:>11.3}{:>11.0}{:>10.1}%",
            row.model,
            row.cpus.map_or("host".into(), |cpus| cpus.to_string()),
            format!("({min:.1} - {max:.1})"),
            row.million_parameters_per_second,
            optional(row.prompt_tokens_per_second),
            optional(row.load_mb_per_second),
            row.floor_ms,
            row.floor_mb_per_second.median,
            row.percent_of_floor.median,
        );
    }
    println!("\nMilliseconds of a token:");
    print!("{:<14}{:>7}", "model", "CPUs");
    println!("{}", Phase::ALL.map(|phase| format!("{:>12}", phase.name())).concat());
    for row in figures {
        let (Some(phases), Some(cpus)) = (&row.phases_ms, row.cpus) else { continue };
        let times: String = phases.iter().map(|(_, ms)| format!("{ms:>12.3}")).collect();
        println!("{:<14}{cpus:>7}{times}", row.model);
    }
}

/// A line of the plot for each number of processors, and for the host.
fn lines(figures: &[Figures]) -> Vec<plot::Line> {
    let mut lines: Vec<plot::Line> = Vec::new();
    for row in figures {
        let name = row.cpus.map_or("the host, one thread".into(), processors);
        let point = (row.parameters as f64 / 1e6, row.tokens_per_second.median);
        match lines.iter_mut().find(|line| line.0 == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    lines
}
