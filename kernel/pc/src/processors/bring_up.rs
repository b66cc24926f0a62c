//! Starting the application processors.
use super::workers::{self, Worker, Workers};
use super::{sleep, start};
use crate::clock::Clock;
use crate::cpu::{Cpu, Features};
use crate::faults;
use crate::local_apic::LocalApic;
use core::fmt;
use firmware::acpi::{MAX_PROCESSORS, ProcessorList};

/// How long a processor may take until it reports. Emulators on a busy host are slow.
const ANSWER_MICROS: u64 = 500_000;

/// The workers, and what to say about them.
pub struct BroughtUp {
    /// The processors.
    pub workers: Workers,
    wanted: usize,
    outcome: Outcome,
}

enum Outcome {
    /// One was asked for.
    One,
    /// There is no local APIC, or no table that lists processors.
    NoApic,
    /// So many processors are listed; that many did not answer.
    Listed { listed: usize, silent: usize },
}

/// Starts up to `wanted` processors of those that were `found`, this one included.
pub fn bring_up(wanted: usize, found: Option<&ProcessorList>, cpu: &Cpu, clock: &Clock) -> BroughtUp {
    let wanted = wanted.clamp(1, MAX_PROCESSORS);
    let alone = |outcome| BroughtUp { workers: Workers::alone(), wanted, outcome };
    if wanted == 1 {
        return alone(Outcome::One);
    }
    if !cpu.features.contains(Features::APIC) {
        return alone(Outcome::NoApic);
    }
    let Some(found) = found else {
        return alone(Outcome::NoApic);
    };
    // SAFETY: the firmware's table says so.
    let apic = unsafe { LocalApic::new(found.local_apic) };
    sleep::prepare(apic);
    let own = apic.id();
    let others = || found.ids().iter().copied().filter(|&id| id != own).take(wanted - 1);
    others().for_each(|id| apic.stop(id));
    apic.wait_after_stop(clock);

    let mut workers = Workers::of(apic, clock);
    let mut silent = 0;
    for id in others() {
        start::expect(Worker::new(workers.next(), apic, clock), cpu);
        apic.start(id, start::PAGE, clock);
        let begun = clock.now();
        while !workers::is_ready(workers.next()) && clock.micros_since(begun) < ANSWER_MICROS {
            faults::check_others();
            core::hint::spin_loop();
        }
        if workers::is_ready(workers.next()) {
            workers.add();
        } else {
            apic.stop(id); // it must not wake up on somebody else's stack
            silent += 1;
        }
    }
    BroughtUp { workers, wanted, outcome: Outcome::Listed { listed: found.listed, silent } }
}

impl fmt::Display for BroughtUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, wanted) = (self.workers.size(), self.wanted);
        match self.outcome {
            Outcome::NoApic => {
                write!(f, "1 of {wanted}: the machine lists no others (no ACPI table or no local APIC)")
            }
            Outcome::Listed { silent, .. } if silent > 0 => {
                write!(f, "{size} of {wanted}: {silent} did not answer and are left out")
            }
            Outcome::Listed { listed, .. } if size < wanted => {
                write!(f, "{size} of {wanted}: the machine has {listed}")
            }
            Outcome::Listed { listed, .. } if listed > size => write!(f, "{size} of the machine's {listed}"),
            Outcome::One | Outcome::Listed { .. } => write!(f, "{size}"),
        }
    }
}
