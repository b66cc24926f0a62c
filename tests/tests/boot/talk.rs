//! Talking to the machine, at the keyboard and over serial: what is typed is answered on both
//! consoles, and the stories are the host's, number by number.
use std::{thread::sleep, time::Duration, time::Instant};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    bochs::Bochs,
    golden::{BUILT_IN, Golden, image_of, packed, packed_for, synthetic, tell},
    outcome::EXIT_TOLD,
    qemu::{Qemu, QemuMachine},
    transcript::Transcript,
};
use model::engine::EngineKind;
use protocol::{settings::Settings, trace::TraceRecord};
use serde_json::json;
use unreallm::{embedded, image::Medium};

use crate::case::{Trouble, case, ensure};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("talk::conversation", conversation),
        case("talk::stories_past_the_window", past_the_window),
        case("talk::noise_is_survived", noise),
        case("talk::esc_stops_the_story", esc),
        case("talk::bochs", bochs),
        case("talk::keys_are_echoed_at_once", echo),
        case("talk::a_line_typed_meanwhile_is_answered", meanwhile),
    ]
}

/// Beginnings of stories.
const PROMPTS: [&str; 20] = [
    "once",
    "a cat",
    "tom",
    "one day",
    "lily and tom",
    "the sun",
    "a big dog",
    "mom said",
    "a red ball",
    "in the park",
    "sam",
    "a bird",
    "the little boy",
    "anna ran",
    "it was hot",
    "ben",
    "a tree",
    "the end",
    "a frog",
    "good night",
];

/// A machine that shows its prompt at once.
fn boot(settings: &Settings) -> Result<QemuMachine, Trouble> {
    boot_image(&Golden::new(BUILT_IN, settings, Medium::Disk)?.image)
}

fn boot_image(image: &[u8]) -> Result<QemuMachine, Trouble> {
    let mut machine = Qemu::q35().boot(image)?;
    machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    Ok(machine)
}

fn settings() -> Settings {
    Settings { steps: 24, trace: true, interactive: true, ..Settings::default() }
}

/// Types a line on the PS/2 keyboard.
fn press(machine: &mut QemuMachine, line: &str) -> Result<(), Trouble> {
    for character in line.chars() {
        let key = match character {
            ' ' => "spc".to_owned(),
            '/' => "slash".to_owned(),
            '.' => "dot".to_owned(),
            '\r' => "ret".to_owned(),
            '\x1b' => "esc".to_owned(),
            letter => letter.to_string(),
        };
        let keys = json!({ "keys": [{ "type": "qcode", "data": key }], "hold-time": 10 });
        machine.qmp()?.execute("send-key", keys)?;
        sleep(Duration::from_millis(25));
    }
    Ok(())
}

/// Enters a line, on one console or the other, and waits for the next prompt. Gives what came.
fn enter(machine: &mut QemuMachine, line: &str, by_keyboard: bool) -> Result<String, Trouble> {
    let before = machine.serial()?.len();
    let line = format!("{line}\r");
    if by_keyboard {
        press(machine, &line)?
    } else {
        machine.send(line.as_bytes())?
    }
    let log = machine.wait_for(&format!("an answer to {line:?}"), |log| {
        log.len() > before + line.len() && log.ends_with(b"\n> ")
    })?;
    Ok(String::from_utf8_lossy(&log[before..]).into_owned())
}

/// Holds all that the machine has told so far against the host's steps.
fn is_as_on_the_host(machine: &mut QemuMachine, expected: &[TraceRecord]) -> Result<(), Trouble> {
    let trace = Transcript::parse(&machine.serial()?).trace;
    let first = trace.iter().zip(expected).position(|(machine, host)| machine != host);
    ensure(first.is_none() && trace.len() == expected.len(), || {
        format!("{} steps, {} on the host, the first other one is {first:?}", trace.len(), expected.len())
    })
}

/// Two stories of more than two windows, one after the other, with either engine.
fn past_the_window() -> Result<(), Trouble> {
    for engine in [EngineKind::Int8, EngineKind::Sectorllm] {
        let mut now = Settings { steps: 1100, endless: true, ..settings() };
        let golden = Golden::of_engine(engine, BUILT_IN, &now, Medium::Disk)?;
        let mut machine = boot_image(&golden.image)?;
        let packed = packed_for(engine, BUILT_IN)?;
        let mut expected = Vec::new();
        for prompt in ["once", "a cat"] {
            prompt.clone_into(&mut now.prompt);
            enter(&mut machine, prompt, false)?;
            expected.extend(tell(&packed, &now)?.1);
        }
        ensure(expected.len() > 4 * 512, || format!("the host stopped after {} steps", expected.len()))?;
        is_as_on_the_host(&mut machine, &expected)?;
    }
    Ok(())
}

/// 20 prompts and every command, in turn from both consoles.
fn conversation() -> Result<(), Trouble> {
    let mut now = settings();
    let mut machine = boot(&now)?;
    let packed = packed(BUILT_IN)?;
    let mut expected: Vec<TraceRecord> = Vec::new();
    for (i, prompt) in PROMPTS.into_iter().enumerate() {
        let by_keyboard = i % 2 == 1;
        let commands: &[(&str, &str, &str)] = match i {
            2 => &[("/help", "", "/reboot"), ("/nothing", "", "no command /nothing")],
            4 => &[("/temp 0.8", "temperature", "temperature 0.8")],
            6 => &[("/topp 0.5", "topp", "top-p 0.5"), ("/temp cold", "", "must be between 0 and 100")],
            8 => &[("/seed 7", "seed", "seed 7"), ("/seed", "", "seed 7")],
            10 => &[("/steps 16", "steps", "16 steps")],
            12 => &[("/engine sector", "", "no command /engine")],
            14 => &[("/stats", "", "stories  14")],
            _ => &[],
        };
        for &(command, key, answer) in commands {
            let said = enter(&mut machine, command, !by_keyboard)?;
            ensure(said.contains(answer), || format!("{command} was answered by:\n{said}"))?;
            if let Some((_, value)) = command.split_once(' ').filter(|_| !key.is_empty()) {
                now.set(key, value).map_err(|error| Trouble::Wrong(error.to_string()))?;
            }
        }
        prompt.clone_into(&mut now.prompt);
        enter(&mut machine, prompt, by_keyboard)?;
        expected.extend(tell(&packed, &now)?.1);
    }
    now.seed += 1;
    enter(&mut machine, "/again", true)?;
    expected.extend(tell(&packed, &now)?.1);
    is_as_on_the_host(&mut machine, &expected)?;
    machine.send(b"/off\r")?;
    let (status, _) = machine.wait_for_end()?;
    ensure(status.code() == Some(EXIT_TOLD), || format!("exit status {status}"))?;
    // -no-reboot makes QEMU end at a reset.
    let mut machine = boot(&settings())?;
    machine.send(b"/reboot\r")?;
    let (status, _) = machine.wait_for_end()?;
    ensure(status.code() == Some(0), || format!("exit status {status} of a reboot"))
}

/// A short conversation on Bochs, which checks segment limits: stories, one of them stopped, and
/// commands. The interrupt handlers of keyboard, clock and serial port run meanwhile.
fn bochs() -> Result<(), Trouble> {
    let mut now = Settings { steps: 16, ..settings() };
    let golden = Golden::new(BUILT_IN, &now, Medium::Disk)?;
    let packed = packed(BUILT_IN)?;
    let mut machine = Bochs::default().boot(&golden.image)?;
    machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    let mut enter = |line: &str, stop: bool| -> Result<String, Trouble> {
        let before = machine.serial()?.len();
        machine.send(format!("{line}\r").as_bytes())?;
        if stop {
            machine.wait_for("five tokens", |log| Transcript::parse(&log[before..]).trace.len() > 5)?;
            machine.send(b"\x1b")?;
        }
        let log = machine.wait_for(&format!("an answer to {line:?}"), |log| {
            log.len() > before + line.len() && log.ends_with(b"\n> ")
        })?;
        Ok(String::from_utf8_lossy(&log[before..]).into_owned())
    };
    let mut expected = Vec::new();
    let mut trace = Vec::new();
    for (i, prompt) in PROMPTS.into_iter().take(5).enumerate() {
        let commands: &[(&str, &str, &str)] = match i {
            1 => &[("/temp 0.8", "temperature", "temperature 0.8"), ("/seed 7", "seed", "seed 7")],
            2 => &[("/help", "", "/reboot")],
            3 => &[("/stats", "", "stories  3")],
            4 => &[("/steps 0", "steps", "0 steps"), ("/none", "", "no command /none")],
            _ => &[],
        };
        for &(command, key, answer) in commands {
            let said = enter(command, false)?;
            ensure(said.contains(answer), || format!("{command} was answered by:\n{said}"))?;
            if let Some((_, value)) = command.split_once(' ') {
                now.set(key, value).map_err(|error| Trouble::Wrong(error.to_string()))?;
            }
        }
        prompt.clone_into(&mut now.prompt);
        let is_stopped = now.steps == 0;
        let said = enter(prompt, is_stopped)?;
        ensure(said.contains(", stopped]") == is_stopped, || said.clone())?;
        let told = Transcript::parse(said.as_bytes()).trace;
        let mut host = tell(&packed, &now)?.1;
        if is_stopped {
            ensure(told.len() < host.len(), || "the story was not stopped".into())?;
            host.truncate(told.len());
        }
        trace.extend(told);
        expected.extend(host);
    }
    ensure(trace == expected, || format!("the machine has {trace:x?}, the host {expected:x?}"))?;
    machine.send(b"/off\r")?;
    machine.wait_for_end()?;
    Ok(())
}

/// Bytes that mean nothing, and a line that never ends: then it still answers.
fn noise() -> Result<(), Trouble> {
    let now = Settings { prompt: "Tom".into(), ..settings() };
    let mut machine = boot(&now)?;
    let mut bytes: Vec<u8> = (0..=u8::MAX).filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    bytes.extend([0; 500]);
    bytes.extend([0xFF; 500]);
    bytes.extend(b"\x1b[99;99\x03");
    machine.send(&bytes)?;
    sleep(Duration::from_millis(300));
    machine.send(b"\x03")?;
    machine.send(&[b'x'; 10_000])?;
    let said = enter(&mut machine, "", false)?;
    ensure(said.contains("That line has 10000 characters"), || said)?;
    enter(&mut machine, "Tom", false)?;
    let trace = Transcript::parse(&machine.serial()?).trace;
    let expected = tell(&packed(BUILT_IN)?, &now)?.1;
    ensure(trace == expected, || format!("{trace:x?}"))
}

/// Esc stops a story from either console, and what was typed before it is not lost.
fn esc() -> Result<(), Trouble> {
    let mut machine = boot(&Settings { steps: 0, ..settings() })?;
    for by_keyboard in [false, true] {
        let begun = Transcript::parse(&machine.serial()?).trace.len();
        machine.send(b"Once\r")?;
        machine.wait_for("five tokens", |log| Transcript::parse(log).trace.len() > begun + 5)?;
        if by_keyboard {
            press(&mut machine, "/seed\r\x1b")?
        } else {
            machine.send(b"/seed\r\x1b")?
        }
        let log = machine.wait_for("the line typed meanwhile", |log| log.ends_with(b"int8\r\n> "))?;
        let text = Transcript::parse(&log).text;
        ensure(text.matches(", stopped]").count() == 1 + usize::from(by_keyboard), || text)?;
    }
    Ok(())
}

/// A line that is longer than the BIOS's buffer, typed on the keyboard while a story is told, is
/// answered after it.
fn meanwhile() -> Result<(), Trouble> {
    let packed = synthetic("288,768,6,6,6,512,512")?; // slow enough to type beside it
    let now = Settings { steps: 0, ..settings() };
    let mut machine = Qemu::q35().boot(&image_of(&packed, &embedded::machine_code(), &now, Medium::Disk)?)?;
    machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    machine.send(b"\r")?;
    machine.wait_for("five tokens", |log| Transcript::parse(log).trace.len() > 5)?;
    press(&mut machine, "/seed                    31415926535\r")?;
    let typed = Transcript::parse(&machine.serial()?).trace.len();
    let log = machine.wait_for("an answer", |log| log.ends_with(b"int8\r\n> "))?;
    let Transcript { text, trace } = Transcript::parse(&log);
    ensure(typed < trace.len(), || "the story ended too early for this test".into())?;
    ensure(text.contains("seed 31415926535,") && !text.contains("stopped"), || text)
}

/// A key at the idle prompt is on both consoles within 50 ms. A host that is busy with something else
/// may spoil a series, so there are three; the median tells a machine that only looks at each tick
/// of 55 ms, which would need 27 ms.
fn echo() -> Result<(), Trouble> {
    const LIMIT: Duration = Duration::from_millis(50);
    const MEDIAN_LIMIT: Duration = Duration::from_millis(20);
    let mut machine = boot(&settings())?;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut times = echo_times(&mut machine)?;
        times.sort();
        let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
        if slowest <= LIMIT && median <= MEDIAN_LIMIT {
            return Ok(());
        }
        seen.push((median, slowest));
        machine.send(b"\x03")?;
        machine.wait_for("an empty line", |log| log.ends_with(b"\x08"))?;
    }
    Err(Trouble::Wrong(format!("median and slowest echo: {seen:?}")))
}

/// Types some letters, on one console and the other, and gives how long each took to show.
fn echo_times(machine: &mut QemuMachine) -> Result<Vec<Duration>, Trouble> {
    let mut times = Vec::new();
    for (i, letter) in "abcdefghijklmnop".chars().enumerate() {
        sleep(Duration::from_millis(40));
        let typed: String = ('a'..=letter).collect();
        machine.qmp()?;
        let start = Instant::now();
        if i % 2 == 0 {
            machine.send(&[letter as u8])?;
        } else {
            let keys = json!({ "keys": [{ "type": "qcode", "data": letter.to_string() }] });
            machine.qmp()?.execute("send-key", keys)?;
        }
        while !machine.serial()?.ends_with(&[letter as u8])
            || !machine.screen()?.text().contains(&format!("> {typed}"))
        {
            ensure(start.elapsed() < Duration::from_secs(5), || format!("no echo of {letter}"))?;
        }
        times.push(start.elapsed());
    }
    Ok(times)
}
