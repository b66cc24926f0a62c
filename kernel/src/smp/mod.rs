//! More processors: found in ACPI's tables, started by INIT and start-up IPIs, put to work on rows
//! and heads. They sleep when no story is told.

pub mod acpi;
#[cfg(target_os = "none")]
pub mod crew;
#[cfg(target_os = "none")]
mod local_apic;
#[cfg(target_os = "none")]
mod physical;
#[cfg(target_os = "none")]
mod stacks;
#[cfg(target_os = "none")]
pub mod start;

#[cfg(target_os = "none")]
pub use crew::Crew;

#[cfg(target_os = "none")]
mod assemble;
#[cfg(target_os = "none")]
pub use assemble::{Assembled, assemble};
#[cfg(target_os = "none")]
pub use physical::find;
