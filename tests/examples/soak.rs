//! A long run: tells stories without end, compares every token and every logit with the host's, and
//! looks whether the machine's heap stays as it was.
//!
//! ```text
//! cargo run --release --package unreallm-tests --example soak -- [STEPS]
//! ```
use std::{
    error::Error,
    time::{Duration, Instant},
};

use machine::{
    Emulator,
    golden::{BUILT_IN, Golden, image_of, packed, traced},
    qemu::Qemu,
    transcript::Transcript,
};
use protocol::settings::Settings;
use unreallm::{embedded, image::Medium};

/// Tokens, where the command line names no number.
const STEPS: u32 = 20_000;
/// A machine on a slow host tells a hundred a second.
const LIMIT: Duration = Duration::from_secs(600);

fn main() -> Result<(), Box<dyn Error>> {
    let steps = std::env::args().nth(1).map_or(Ok(STEPS), |steps| steps.parse())?;
    let settings = Settings { steps, endless: true, ..traced(0) };
    let golden = Golden::new(BUILT_IN, &settings, Medium::Disk)?;
    let interactive = Settings { exit: false, interactive: true, ..settings };
    let image = image_of(&packed(BUILT_IN)?, &embedded::machine_code(), &interactive, Medium::Disk)?;
    let mut machine = Qemu { limit: LIMIT, ..Qemu::q35() }.boot(&image)?;
    let free = |log: &[u8]| -> Option<u32> {
        let text = Transcript::parse(log).text;
        let line = text.lines().rfind(|line| line.starts_with("memory ") && line.ends_with(" KB free"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let answered = |log: &[u8]| log.ends_with(b"\n> ");
    machine.wait_for("the prompt", answered)?;
    // One short story first: the first one allocates what the others use again.
    let mut kilobytes = Vec::new();
    let start = Instant::now();
    for line in ["/steps 1\r", "\r", "/stats\r", &format!("/steps {steps}\r"), "\r", "/stats\r"] {
        let before = machine.serial()?.len();
        machine.send(line.as_bytes())?;
        let log = machine.wait_for(line.trim(), |log| log.len() > before + line.len() && answered(log))?;
        if line.starts_with("/stats") {
            kilobytes.push(free(&log).ok_or("no 'KB free' in /stats")?);
        }
    }
    let trace = Transcript::parse(&machine.serial()?).trace;
    let long = &trace[1..]; // behind the short story
    let same = long.iter().zip(&golden.trace).take_while(|(machine, host)| machine == host).count();
    println!(
        "{} of {} steps as on the host, in {:.0} s; heap {} KB free before, {} KB after",
        same,
        golden.trace.len(),
        start.elapsed().as_secs_f64(),
        kilobytes[0],
        kilobytes[1]
    );
    if same != golden.trace.len() || long.len() != same || kilobytes[0] != kilobytes[1] {
        return Err("the machine did not stay as it was".into());
    }
    Ok(())
}
