//! The choice of the next token from the logits, in integers only.
use crate::engine::EngineError;

/// Greedy decoding: the token of the largest logit, the lowest token where several are equal.
pub fn argmax(logits: &[i32]) -> u32 {
    let mut best = (i32::MIN, 0);
    for (token, &logit) in logits.iter().enumerate() {
        if logit > best.0 {
            best = (logit, token as u32);
        }
    }
    best.1
}

/// How tokens are chosen.
pub struct Sampler {}

impl Sampler {
    /// A greedy sampler.
    pub fn greedy() -> Self {
        Self {}
    }

    /// The next token.
    pub fn sample(&mut self, logits: &[i32]) -> Result<u32, EngineError> {
        Ok(argmax(logits))
    }
}

#[cfg(test)]
mod tests {
    use super::argmax;

    #[test]
    fn the_lowest_of_equal_logits_wins() {
        assert_eq!(argmax(&[1, 7, 3, 7]), 1);
        assert_eq!(argmax(&[i32::MIN, i32::MIN]), 0);
    }
}
