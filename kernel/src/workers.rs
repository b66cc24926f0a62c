//! The machine's processors, as the engine knows workers.
use firmware::acpi::MAX_PROCESSORS;
use model::workers::Workers;
use pc::processors;
use protocol::settings::MAX_CPUS;

const _: () = assert!(MAX_CPUS as usize == MAX_PROCESSORS, "as many can be asked for as can be listed");

/// The processors that were started, this one first.
pub struct MachineWorkers<'a>(pub &'a processors::Workers);

// SAFETY: `processors::Workers::run` returns when all calls of the job have; what they wrote is then visible.
unsafe impl Workers for MachineWorkers<'_> {
    fn size(&self) -> usize {
        self.0.size()
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        self.0.run(job);
    }
}
