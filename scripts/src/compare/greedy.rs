//! The story that an engine tells when it always takes the likeliest token.
use model::{
    engine::{EngineError, EngineKind},
    generate::{Generator, Options},
    host::fp32::Fp32,
    sampler::Sampler,
    vocabulary::Vocabulary,
};
use protocol::trace::TraceRecord;

use super::subject::Subject;

/// Tokens of a story at most: a model with a long context need not fill it.
pub const MOST_TOKENS: usize = 512;

/// A story told without a prompt.
#[derive(Clone, Debug)]
pub struct Story {
    /// The tokens after BOS; the one that ends the story included.
    pub tokens: Vec<u32>,
    /// What they print.
    pub text: String,
    /// Values that were too large for the engine's residual stream, and limited.
    pub saturations: u32,
}

impl Story {
    /// Bytes of the text before a position; all of it where there is none.
    pub fn text_before(&self, vocabulary: &Vocabulary, position: Option<usize>) -> usize {
        let before = position.map_or(self.text.len(), |at| text_of(vocabulary, &self.tokens[..at]).len());
        self.text.floor_char_boundary(before)
    }
}

/// fp32's story of at most `context` tokens.
pub fn of_fp32(subject: &Subject, context: usize) -> Story {
    let mut engine = Fp32::new(&subject.weights, context);
    let vocabulary = &subject.text().vocabulary;
    let (mut token, mut tokens) = (vocabulary.start().unwrap_or_default(), Vec::new());
    for pos in 0..context {
        let logits = engine.forward(token, pos);
        // The first of equal ones, as in llama2.c.
        let best = logits.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
        token = best.map_or(0, |(best, _)| best as u32);
        tokens.push(token);
        if vocabulary.ends(token) {
            break;
        }
    }
    let text = text_of(vocabulary, &tokens);
    Story { tokens, text, saturations: 0 }
}

/// An integer engine's story of at most `context` tokens.
///
/// # Errors
/// A model that the engine cannot run.
pub fn of_engine(subject: &Subject, kind: EngineKind, context: usize) -> Result<Story, EngineError> {
    let mut tokens = Vec::new();
    let saturations = generate(subject, kind, context, false, |next, _| tokens.push(next))?;
    let text = text_of(&subject.text().vocabulary, &tokens);
    Ok(Story { tokens, text, saturations })
}

/// An integer engine's trace over at most `steps` steps, as the machine prints it.
///
/// # Errors
/// A model that the engine cannot run.
pub fn trace(subject: &Subject, kind: EngineKind, steps: usize) -> Result<Vec<TraceRecord>, EngineError> {
    let mut records = Vec::new();
    generate(subject, kind, steps, true, |_, record| records.extend(record))?;
    Ok(records)
}

/// Generates with the code that the machine runs. Returns the engine's saturations.
fn generate(
    subject: &Subject,
    kind: EngineKind,
    steps: usize,
    trace: bool,
    mut each: impl FnMut(u32, Option<TraceRecord>),
) -> Result<u32, EngineError> {
    let mut engine = subject.engine(kind, subject.weights.shape.seq_len)?;
    let options = Options { steps, trace, ..Options::default() };
    let vocabulary = &subject.text().vocabulary;
    let mut story = Generator::new(engine.as_mut(), vocabulary, Sampler::greedy(), &[], options)?;
    while let Some(step) = story.step() {
        each(step.next, TraceRecord::of(&step));
    }
    Ok(engine.saturations())
}

/// What tokens print after the one that a text starts from. The one that ends a story prints nothing.
pub fn text_of(vocabulary: &Vocabulary, tokens: &[u32]) -> String {
    let mut bytes = Vec::new();
    let mut previous = vocabulary.start().unwrap_or_default();
    for &token in tokens.iter().take_while(|&&token| !vocabulary.ends(token)) {
        bytes.extend_from_slice(vocabulary.decode(previous, token, false).bytes());
        previous = token;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first position at which two lists differ; none where they are the same.
pub fn first_difference(a: &[u32], b: &[u32]) -> Option<usize> {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (same < a.len().max(b.len())).then_some(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found() {
        assert_eq!(first_difference(&[1, 2, 3], &[1, 2, 3]), None);
        assert_eq!(first_difference(&[1, 2, 3], &[1, 5, 3]), Some(1));
        assert_eq!(first_difference(&[1, 2, 3], &[1, 2]), Some(2));
        assert_eq!(first_difference(&[], &[]), None);
    }
}
