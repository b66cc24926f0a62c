//! Every shape: host = machine on random weights, from the smallest odd shapes to 110M.
use std::time::Duration;

use libtest_mimic::Trial;
use machine::{
    golden::{Golden, synthetic, traced},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use unreallm::{embedded, image::Medium};

use crate::case::{case, ensure};

/// dim, hidden, layers, heads, kv heads, vocabulary (negative: a classifier of its own), context.
const ODD: [(&str, &str); 5] = [
    ("one_head", "48,100,2,1,1,300,64"),
    ("one_kv_head", "64,172,2,8,1,509,32"),
    ("one_position", "32,50,1,2,2,77,1"),
    ("own_classifier", "40,60,3,4,2,-203,17"),
    ("one_layer_wide", "96,1000,1,6,3,1001,8"),
];

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let q35 = |memory| Qemu { memory: Some(memory), ..Qemu::q35() };
    let mut machines: Vec<(String, &'static str, u32, Qemu)> =
        ODD.into_iter().map(|(name, shape)| (name.to_owned(), shape, 64, Qemu::q35())).collect();
    machines.extend([
        ("15M_q35".to_owned(), "15M", 16, Qemu::q35()),
        ("15M_pc".to_owned(), "15M", 4, Qemu::default()),
        ("15M_q35_4_gb".to_owned(), "15M", 4, q35(4096)),
        ("42M_q35".to_owned(), "42M", 4, Qemu::q35()),
        ("110M_q35_512_mb".to_owned(), "110M", 3, q35(512)),
    ]);
    machines
        .into_iter()
        .map(|(name, shape, tokens, qemu)| {
            case(&format!("shapes::{name}"), move || {
                let packed = synthetic(shape)?;
                let golden =
                    Golden::of_packed(&packed, &embedded::machine_code(), &traced(tokens), Medium::Disk)?;
                let qemu = Qemu { limit: Duration::from_secs(120), ..qemu };
                let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
                ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
            })
        })
        .collect()
}
