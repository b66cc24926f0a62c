//! What other programs were measured to lose on a model and a text, for whoever compares just these.
use std::fmt;

use crate::fetch::sha256;

/// Another program's figures.
#[derive(Debug)]
struct Yardstick {
    /// The program.
    program: &'static str,
    /// SHA-256 of the stories, with a line feed between two.
    text: &'static str,
    /// What fp32 loses with the model's weights, in nats a token: it tells the model.
    fp32_nats: f64,
    /// What the program loses.
    nats: f64,
    /// Its KL divergence from fp32, in nats.
    kl: f64,
    /// How often it has fp32's likeliest token.
    top1: f64,
}

/// llama.cpp rounds the inputs of matrices to 8 bits.
const YARDSTICKS: [Yardstick; 1] = [Yardstick {
    program: "llama.cpp (build 11549, SmolLM2-135M-Instruct.Q4_1.gguf)",
    text: "14b8be4b6357beaaaa431c141040bd0b0cb9fe85b88277545c728b54e089758e",
    fp32_nats: 2.456_897,
    nats: 2.460_323,
    kl: 2.5e-3,
    top1: 0.972,
}];

/// How far fp32's figures may be apart where weights and text are the same.
const SAME: f64 = 1e-4;

/// A sentence for each program that was measured on these stories with the model of which fp32 loses so much.
pub fn of(stories: &[String], fp32_nats: f64) -> impl Iterator<Item = String> {
    let text = sha256(stories.join("\n").as_bytes()).expect("memory can be read");
    let same = move |of: &&Yardstick| of.text == text && (of.fp32_nats - fp32_nats).abs() < SAME;
    YARDSTICKS.iter().filter(same).map(Yardstick::to_string)
}

impl fmt::Display for Yardstick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, nats, kl, top1, fp32_nats, .. } = self;
        let (above, top1) = (nats - fp32_nats, 100.0 * top1);
        write!(
            f,
            "{program} on the same text: {nats:.4} nats/token, {above:.4} above fp32, KL {kl:.4}, top-1 {top1:.1}%."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_stories_and_other_models_have_none() {
        let [yardstick] = &YARDSTICKS;
        assert_eq!(of(&["Once upon a time".into()], yardstick.fp32_nats).count(), 0);
        let sentence = yardstick.to_string();
        assert!(
            sentence.ends_with("2.4603 nats/token, 0.0034 above fp32, KL 0.0025, top-1 97.2%."),
            "{sentence}"
        );
    }
}
