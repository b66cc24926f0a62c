//! More processors: started by INIT and start-up IPIs, put to work on parts of a job.
//!
//! In reading order: [`bring_up`] starts those that the firmware lists; each comes in at [`start`] on a
//! stack of its own ([`stacks`]), and then works as [`workers`] says.
mod bring_up;
mod stacks;
pub mod start;
mod workers;

pub use bring_up::{BroughtUp, bring_up};
pub use workers::Workers;
