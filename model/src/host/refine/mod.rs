//! Weights that are rounded with the model's inputs in mind: other integers in the same format, which cost the machine
//! nothing and are nearer to fp32.
//!
//! Nothing but the model is needed: it writes the texts itself ([`write_texts`]). They go through the layers in fp32,
//! and what comes into a matrix says how the errors of its rounding are fed on ([`super::quantize::Feeding`]). There are
//! two ways, as models differ by a factor of ten thousand:
//!
//! - [`small`]: a llama2.c checkpoint of up to a million weights, always. All of it is in memory twice, exact and as
//!   rounded so far, and each matrix makes up for the errors before it, too. Seconds for a million weights.
//! - [`requested`]: any other model, on request. A layer at a time is in memory, and each matrix is rounded for exact
//!   inputs; what a file has as codes is kept. Minutes for a hundred million weights.
//!
//! docs/choices.md has what each brings.
pub mod requested;
pub mod small;
mod text;

pub use text::write_texts;

use super::fp32::Rounding;

/// fp32 with exponentials of f64: libraries differ in the last bit of f32's, and packed models should not.
#[derive(Clone, Copy)]
struct Steady;

impl Rounding for Steady {
    fn exp(&self, x: f32) -> f32 {
        f64::from(x).exp() as f32
    }

    fn sigmoid(&self, x: f32) -> f32 {
        (1.0 / (1.0 + f64::from(-x).exp())) as f32
    }
}
