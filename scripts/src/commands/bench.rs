//! `cargo unreal bench`: how fast the machine is, and how near to what it could be.
use std::{
    fs, iter,
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use model::host::synth::{parse_shape, write_checkpoint};
use protocol::benchmark::Report;
use serde::Serialize;
use serde_json::json;

use super::{CommandError, open_model};
use crate::{
    bench::{
        BenchError,
        figures::{self, Figures, processors},
        hosted,
        machine::{self, Pc},
        other_image::{self, Patience},
        plot,
        statistics::Spread,
        subject::Subject,
    },
    beside::WriteError,
    cli::{BenchArgs, ModelArgs},
    emulator::{EmulatorError, program::Program},
};

/// The seed of random checkpoints.
const SEED: u64 = 1;
/// Memory of the PC that boots the other image, in MiB.
const OTHER_MIB: u32 = 128;

/// A model on a number of processors in one QEMU, and all that was measured.
struct Row<'s> {
    subject: &'s Subject,
    cpus: u32,
    qemu: &'s Emulator,
    image: PathBuf,
    reports: Vec<Report>,
}

/// A QEMU, and its version.
struct Emulator {
    program: Program,
    version: String,
}

/// The other image beside the first row.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OtherImage {
    /// Its tokens a second.
    pub tokens_per_second: f64,
    /// How many times as fast the first row is.
    pub ratio: f64,
}

/// All that a run of the benchmark found.
pub struct Measurements {
    /// The rows of the table.
    pub rows: Vec<Figures>,
    /// The versions of the QEMUs that ran them.
    pub qemus: Vec<String>,
    /// The other program's image.
    pub other: Option<OtherImage>,
}

/// Measures and tells.
pub fn bench(args: &BenchArgs) -> Result<(), CommandError> {
    let Measurements { rows, qemus, other } = measure(args)?;
    if let Some(path) = &args.plot {
        let failed = |cause| WriteError { path: path.clone(), cause };
        let lines = figures::lines(&rows, qemus.len());
        fs::write(path, plot::tokens_over_parameters(&lines).map_err(BenchError::Plot)?).map_err(failed)?;
    }
    if args.json {
        let (steps, repeat) = (args.steps, args.repeat);
        println!("{:#}", json!({ "steps": steps, "repeat": repeat, "rows": rows, "vs_image": other }));
    } else {
        figures::print(&rows);
        if qemus.len() > 1 {
            print!("\nTokens a second:\n{}", figures::side_by_side(&rows, &qemus));
        }
        if let (Some(other), Some(first)) = (other, rows.first()) {
            println!("\n{}", other.sentence(&first.model));
        }
    }
    Ok(())
}

impl OtherImage {
    fn sentence(self, first: &str) -> String {
        let Self { tokens_per_second, ratio } = self;
        format!("The other image: {tokens_per_second:.2} tok/s; {first} is {ratio:.2} × as fast.")
    }
}

/// Measures.
///
/// # Errors
/// Where a model cannot be had, or a machine does not come to its report.
pub fn measure(args: &BenchArgs) -> Result<Measurements, CommandError> {
    let folder = tempfile::Builder::new().prefix("unreallm-").tempdir().map_err(CommandError::Temporary)?;
    let programs = args.emulator_path.iter().map(|path| Ok(Program::at(path, &args.emulator_data)));
    let qemus: Vec<Emulator> = iter::once(Program::installed())
        .chain(programs)
        .map(|program| {
            let program = program?;
            Ok(Emulator { version: program.version()?, program })
        })
        .collect::<Result<_, EmulatorError>>()?;
    let names = args.models.iter();
    let subjects: Vec<Subject> =
        names.map(|name| open(name, args, folder.path())).collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for (i, subject) in subjects.iter().enumerate() {
        for &cpus in &args.cpus {
            let image = folder.path().join(format!("{i}-{cpus}.img"));
            machine::write_image(subject, cpus, args.steps, &image)?;
            let row = |qemu| Row { subject, cpus, qemu, image: image.clone(), reports: Vec::new() };
            rows.extend(qemus.iter().map(row));
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
            let (name, on, qemu) = (&row.subject.name, processors(row.cpus), &row.qemu.version);
            bar.set_message(format!("{name} on {on}, QEMU {qemu}"));
            let (pc, patience) = (pc(args, row.qemu, row.cpus), Duration::from_secs(args.patience));
            row.reports.push(machine::boot(row.subject, pc, &row.image, patience)?);
            bar.inc(1);
        }
        for (subject, runs) in subjects.iter().zip(&mut hosted).take(hosted_runs) {
            bar.set_message(format!("{} on the host", subject.name));
            runs.push(hosted::measure(subject, args.steps as usize)?);
            bar.inc(1);
        }
        if let Some(image) = &args.vs_image {
            bar.set_message(image.display().to_string());
            let (pc, patience) = (pc(args, &qemus[0], 1), Patience(Duration::from_secs(args.patience)));
            other.push(other_image::printing_time(image, pc, OTHER_MIB, patience)?.as_secs_f64());
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let mut figures: Vec<Figures> = rows
        .iter()
        .map(|Row { subject, cpus, qemu, reports, .. }| {
            figures::of_machine(subject, *cpus, &qemu.version, reports)
        })
        .collect();
    figures.extend(
        subjects.iter().zip(&hosted).take(hosted_runs).map(|(subject, runs)| figures::of_host(subject, runs)),
    );
    // The time is from the first token to the last.
    let other = args.vs_tokens.zip((!other.is_empty()).then(|| Spread::of(other)));
    let other = other.map(|(tokens, seconds)| f64::from(tokens - 1) / seconds.median);
    let other = other.zip(figures.first()).map(|(tokens_per_second, first)| OtherImage {
        tokens_per_second,
        ratio: first.tokens_per_second.median / tokens_per_second,
    });
    Ok(Measurements { rows: figures, qemus: qemus.into_iter().map(|qemu| qemu.version).collect(), other })
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

fn pc(args: &BenchArgs, qemu: &Emulator, cpus: u32) -> Pc {
    Pc { program: qemu.program.clone(), machine: args.machine, accelerator: args.accel, cpus }
}

fn progress(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("Measuring {wide_bar} {pos}/{len} {msg}");
    bar.set_style(style.expect("the template above is right"));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_has_two_digits() {
        let other = OtherImage { tokens_per_second: 3.8, ratio: 1.456 };
        assert_eq!(other.sentence("15M"), "The other image: 3.80 tok/s; 15M is 1.46 × as fast.");
    }
}
