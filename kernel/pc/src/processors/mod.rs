//! More processors: started by INIT and start-up IPIs, each a worker that takes part in every job it comes to.
//!
//! In reading order: [`bring_up`] starts those that the firmware lists; each comes in at [`start`] on a
//! stack of its own ([`stacks`]), then works as [`workers`] says, and sleeps where nothing is to do ([`sleep`]).
mod bring_up;
mod sleep;
mod stacks;
pub mod start;
mod workers;

pub use bring_up::{BroughtUp, bring_up};
pub use workers::Workers;
