//! What was measured, as figures and as tables.
use model::phase::Phase;
use protocol::benchmark::Report;
use serde::Serialize;

use super::{hosted, plot, statistics::Spread, subject::Subject};

/// What a row of the table says.
#[derive(Serialize)]
pub struct Figures {
    /// The model.
    pub model: String,
    /// Its parameters.
    pub parameters: u64,
    /// Processors; none for the hosted engine.
    pub cpus: Option<u32>,
    /// The version of the QEMU; none for the hosted engine.
    pub qemu: Option<String>,
    /// Tokens a second of a story.
    pub tokens_per_second: Spread,
    /// Millions of parameters times tokens a second.
    pub million_parameters_per_second: f64,
    /// Tokens a second of a prompt.
    pub prompt_tokens_per_second: Option<Spread>,
    /// Megabytes a second from the disk.
    pub load_mb_per_second: Option<Spread>,
    /// Megabytes a second of a load-only pass.
    pub floor_mb_per_second: Spread,
    /// Milliseconds of one.
    pub floor_ms: f64,
    /// The time of the load-only pass in percent of a token's, run by run.
    pub percent_of_floor: Spread,
    /// Milliseconds of each phase in a token, medians.
    pub phases_ms: Option<Vec<(&'static str, f64)>>,
}

/// So many processors, in words.
pub fn processors(cpus: u32) -> String {
    if cpus == 1 { "1 CPU".into() } else { format!("{cpus} CPUs") }
}

/// Of a machine with `cpus` processors in the QEMU of this version.
pub fn of_machine(subject: &Subject, cpus: u32, qemu: &str, reports: &[Report]) -> Figures {
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
        cpus: Some(cpus),
        qemu: Some(qemu.to_owned()),
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

/// Of the hosted engine.
pub fn of_host(subject: &Subject, runs: &[hosted::Hosted]) -> Figures {
    let spread = |value: &dyn Fn(&hosted::Hosted) -> f64| Spread::of(runs.iter().map(value));
    let tokens = spread(&|run| run.story.rate());
    Figures {
        model: subject.name.clone(),
        parameters: subject.packed.header.shape.parameters(),
        cpus: None,
        qemu: None,
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

/// The tables, on standard output.
pub fn print(figures: &[Figures]) {
    println!(
        "{:<14}{:>7}{:>9}{:>9}{:>17}{:>11}{:>9}{:>8}{:>11}{:>11}{:>11}",
        "model",
        "CPUs",
        "QEMU",
        "tok/s",
        "(min - max)",
        "M × tok/s",
        "prompt",
        "load",
        "load-only",
        "",
        "of it"
    );
    println!(
        "{:<14}{:>7}{:>9}{:>9}{:>17}{:>11}{:>9}{:>8}{:>11}{:>11}{:>11}",
        "", "", "", "", "", "", "tok/s", "MB/s", "ms", "MB/s", ""
    );
    let optional =
        |spread: Option<Spread>| spread.map_or(String::new(), |spread| format!("{:.0}", spread.median));
    for row in figures {
        let Spread { median, min, max } = row.tokens_per_second;
        println!(
            "{:<14}{:>7}{:>9}{median:>9.1}{:>17}{:>11.0}{:>9}{:>8}{:>11.3}{:>11.0}{:>10.1}%",
            row.model,
            row.cpus.map_or("host".into(), |cpus| cpus.to_string()),
            row.qemu.as_deref().unwrap_or_default(),
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
    print!("{:<14}{:>7}{:>9}", "model", "CPUs", "QEMU");
    println!("{}", Phase::ALL.map(|phase| format!("{:>12}", phase.name())).concat());
    for row in figures {
        let (Some(phases), Some(cpus), Some(qemu)) = (&row.phases_ms, row.cpus, &row.qemu) else { continue };
        let times: String = phases.iter().map(|(_, ms)| format!("{ms:>12.3}")).collect();
        println!("{:<14}{cpus:>7}{qemu:>9}{times}", row.model);
    }
}

/// Tokens a second with a column for each QEMU, which every model and number of processors ran on in this order.
pub fn side_by_side(figures: &[Figures], versions: &[String]) -> String {
    let columns = |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>14}")).collect::<String>();
    let head = versions.iter().map(|version| format!("QEMU {version}")).collect();
    let mut table = format!("{:<14}{:>7}{}\n", "model", "CPUs", columns(head));
    let machines: Vec<&Figures> = figures.iter().filter(|row| row.cpus.is_some()).collect();
    for rows in machines.chunks(versions.len()) {
        let rates = rows.iter().map(|row| format!("{:.1}", row.tokens_per_second.median)).collect();
        let cpus = rows[0].cpus.unwrap_or_default();
        table += &format!("{:<14}{cpus:>7}{}\n", rows[0].model, columns(rates));
    }
    table
}

/// A line of the plot for each number of processors, on each of `qemus` QEMUs, and for the host.
pub fn lines(figures: &[Figures], qemus: usize) -> Vec<plot::Line> {
    let mut lines: Vec<plot::Line> = Vec::new();
    for row in figures {
        let name = match (row.cpus.map(processors), &row.qemu) {
            (Some(processors), Some(version)) if qemus > 1 => format!("{processors}, QEMU {version}"),
            (Some(processors), _) => processors,
            (None, _) => "the host, one thread".into(),
        };
        let point = (row.parameters as f64 / 1e6, row.tokens_per_second.median);
        match lines.iter_mut().find(|line| line.0 == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_qemu_has_its_column() {
        let subject = |cpus, qemu: &str, rate: f64| Figures {
            model: "15M".into(),
            parameters: 15_191_712,
            cpus: Some(cpus),
            qemu: Some(qemu.into()),
            tokens_per_second: Spread::of([rate]),
            million_parameters_per_second: 15.2 * rate,
            prompt_tokens_per_second: None,
            load_mb_per_second: None,
            floor_mb_per_second: Spread::of([2000.0]),
            floor_ms: 7.0,
            percent_of_floor: Spread::of([50.0]),
            phases_ms: None,
        };
        let versions = ["7.2.22", "10.0.2"].map(String::from);
        let figures: Vec<Figures> = [(1, 90.0, 95.0), (2, 160.0, 170.0)]
            .into_iter()
            .flat_map(|(cpus, old, new)| [subject(cpus, &versions[0], old), subject(cpus, &versions[1], new)])
            .collect();
        let table = side_by_side(&figures, &versions);
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["model", "CPUs", "QEMU", "7.2.22", "QEMU", "10.0.2"]);
        assert_eq!(words[1..], [["15M", "1", "90.0", "95.0"], ["15M", "2", "160.0", "170.0"]]);
        let names: Vec<String> = lines(&figures, 2).into_iter().map(|line| line.0).collect();
        assert_eq!(names[..2], ["1 CPU, QEMU 7.2.22", "1 CPU, QEMU 10.0.2"]);
    }
}
