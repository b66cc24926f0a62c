//! Starting the application processors.
use super::acpi::{MOST, Processors};
use super::local_apic::LocalApic;
use super::{Crew, crew, start};
use crate::clock::Clock;
use crate::cpu::{Cpu, Features};
use core::fmt;

/// How long a processor may take until it reports. Emulators on a busy host are slow.
const ANSWER_MICROS: u64 = 500_000;

/// A crew, and what to say about it.
pub struct Assembled {
    /// The processors.
    pub crew: Crew,
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
pub fn assemble(wanted: usize, found: Option<&Processors>, cpu: &Cpu, clock: &Clock) -> Assembled {
    let wanted = wanted.clamp(1, MOST);
    let alone = |outcome| Assembled { crew: Crew::alone(), wanted, outcome };
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
    apic.enable();
    let own = apic.id();
    let others = || found.ids().iter().copied().filter(|&id| id != own).take(wanted - 1);
    others().for_each(|id| apic.stop(id));
    apic.wait_after_stop(clock);

    start::prepare(cpu);
    let mut crew = Crew::of(apic);
    let mut silent = 0;
    for id in others() {
        start::expect(crew.next());
        apic.start(id, start::PAGE, clock);
        let begun = clock.now();
        while !crew::is_ready(crew.next()) && clock.micros_since(begun) < ANSWER_MICROS {
            core::hint::spin_loop();
        }
        if crew::is_ready(crew.next()) {
            crew.add(id);
        } else {
            apic.stop(id); // it must not wake up on somebody else's stack
            silent += 1;
        }
    }
    Assembled { crew, wanted, outcome: Outcome::Listed { listed: found.listed, silent } }
}

impl fmt::Display for Assembled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use model::team::Team;
        let (size, wanted) = (self.crew.size(), self.wanted);
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
