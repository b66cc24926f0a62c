//! This computer's processors: how many of them have nothing to do.
use std::{fs, thread};

/// Processors that are free, as far as is known: all that this program may use, less the average of those that were
/// wanted in the last minute.
pub fn free() -> u32 {
    let all = thread::available_parallelism().map_or(1, |all| all.get() as u32);
    // Source: proc(5). Elsewhere there is no such file.
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok());
    idle(all, load.unwrap_or(0.0))
}

/// Of `all` processors those that a load leaves, to the nearest whole one.
fn idle(all: u32, load: f64) -> u32 {
    all.saturating_sub(load.round() as u32)
}

/// What to say where a machine is to have more processors than this computer has free.
pub fn too_many(wanted: u32, free: u32) -> Option<String> {
    (wanted > 1 && wanted > free).then(|| {
        let has = match free {
            0 => "no processor".to_owned(),
            1 => "one processor".to_owned(),
            free => format!("{free} processors"),
        };
        format!(
            "This computer has {has} free now, and the machine gets {wanted}: they take turns, and may tell no \
             faster than --cpus {}.",
            free.max(1)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_takes_processors() {
        for (all, load, left) in [(8, 0.0, 8), (8, 0.4, 8), (8, 1.6, 6), (2, 1.0, 1), (2, 9.5, 0)] {
            assert_eq!(idle(all, load), left, "{all} with a load of {load}");
        }
    }

    #[test]
    fn only_more_than_there_are_is_too_many() {
        assert_eq!(too_many(1, 0), None);
        assert_eq!(too_many(4, 4), None);
        let warning = too_many(4, 1).unwrap();
        assert!(warning.contains("one processor free") && warning.contains("gets 4"), "{warning}");
    }
}
