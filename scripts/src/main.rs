//! The host program behind `cargo unreal`.
fn main() {}
