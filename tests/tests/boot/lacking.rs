//! Machines without a serial port or without a screen, and one whose keyboard is not left in peace.
use std::{thread::sleep, time::Duration};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, Golden, synthetic, traced},
    nasty_bios::Faults,
    outcome::{EXIT_TOLD, Outcome, judge},
    qemu::Qemu,
    screen::squeezed,
    transcript::Transcript,
};
use protocol::settings::Settings;
use serde_json::json;
use unreallm::{embedded, image::Medium};

use crate::case::{Trouble, case, ensure};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let no_screen = |qemu| Qemu { extra: vec!["-vga".into(), "none".into()], ..qemu };
    vec![
        case("lacking::serial_port_pc", || no_serial_port(Qemu::default())),
        case("lacking::serial_port_q35", || no_serial_port(Qemu::q35())),
        case("lacking::serial_port_and_still_switched_off", no_serial_port_off),
        case("lacking::screen_pc", move || is_told(&no_screen(Qemu::default()))),
        case("lacking::screen_q35", move || is_told(&no_screen(Qemu::q35()))),
        case("lacking::quiet_keyboard", || quiet_keyboard(None)),
        // The BIOS's plain functions do not give F11, and a story must not wait for another key.
        case("lacking::quiet_keyboard_f11_by_enhanced_functions", || {
            quiet_keyboard(Some(Faults { swallows_new_keys: true, ..Faults::default() }))
        }),
        case("lacking::quiet_keyboard_f11_without_enhanced_functions", || {
            let faults = Faults { swallows_new_keys: true, no_enhanced_keys: true, ..Faults::default() };
            quiet_keyboard(Some(faults))
        }),
    ]
}

/// The story is on the screen, and the machine then asks for the next one there.
fn no_serial_port(qemu: Qemu) -> Result<(), Trouble> {
    /// Characters that fit the screen also where much else is on it.
    const SHOWN: usize = 1000;
    let golden = Golden::new(BUILT_IN, &Settings::default(), Medium::Disk)?;
    let story: Vec<char> = squeezed(&golden.text).chars().collect();
    let end: String = story[story.len().saturating_sub(SHOWN)..].iter().collect();
    let mut machine = Qemu { no_serial: true, ..qemu }.boot(&golden.image)?;
    loop {
        let screen = machine.screen()?;
        if screen.squeezed().contains(&end) && screen.text().trim_end().contains("tok/s") {
            return Ok(());
        }
        machine.check_time("the story on the screen", screen.text().as_bytes())?;
        sleep(Duration::from_millis(50));
    }
}

fn no_serial_port_off() -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(16), Medium::Disk)?;
    let (status, log) = Qemu { no_serial: true, ..Qemu::default() }.boot(&golden.image)?.wait_for_end()?;
    ensure(log.is_empty(), || "a log without a serial port".into())?;
    ensure(status.code() == Some(EXIT_TOLD), || format!("exit status {status}"))
}

fn is_told(qemu: &Qemu) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(16), Medium::Disk)?;
    let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
    ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
}

/// Keys that mean nothing, and many more letters than the BIOS's buffer holds, while a story is told.
fn quiet_keyboard(faults: Option<Faults>) -> Result<(), Trouble> {
    const KEYS: [&str; 25] = [
        "f1",
        "f11",
        "f12",
        "up",
        "left",
        "home",
        "pgdn",
        "insert",
        "delete",
        "caps_lock",
        "num_lock",
        "scroll_lock",
        "pause",
        "sysrq",
        "shift",
        "shift_r",
        "ctrl",
        "alt",
        "alt_r",
        "meta_l",
        "menu",
        "kp_5",
        "kp_enter",
        "less",
        "tab",
    ];
    let packed = synthetic("288,768,6,6,6,512,512")?; // slow enough to type beside it
    let golden = Golden::of_packed(&packed, &embedded::machine_code(), &traced(160), Medium::Disk)?;
    let mut machine = Qemu { faults, ..Qemu::q35() }.boot(&golden.image)?;
    machine.wait_for("the first token", |log| !Transcript::parse(log).trace.is_empty())?;
    let letters = ["a", "s", "spc", "x"].into_iter().cycle().take(200);
    for key in KEYS.into_iter().chain(letters) {
        let keys = json!({ "keys": [{ "type": "qcode", "data": key }], "hold-time": 2 });
        machine.qmp()?.execute("send-key", keys)?;
        sleep(Duration::from_millis(5));
    }
    let meanwhile = Transcript::parse(&machine.serial()?).trace.len();
    ensure(meanwhile < golden.trace.len(), || "the story was over before the keys were".into())?;
    let outcome = judge(&mut machine, &golden.trace)?;
    ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
}
