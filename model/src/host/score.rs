//! How well engines predict a text, and how far they are from the fp32 reference.
use super::fp32::Fp32;
use crate::engine::Engine;
use crate::vocabulary::{EncodeError, SpecialTokens, Vocabulary};

/// What stands between two stories of a text file, on a line of its own.
pub const STORY_END: &str = "<|endoftext|>";

/// Positions that the reference reads at once.
const READ_TOGETHER: usize = 16;

/// The stories of a text: what stands between the lines [`STORY_END`], without the white space
/// around it.
pub fn stories(text: &str) -> Vec<&str> {
    text.split(STORY_END).map(str::trim).filter(|story| !story.is_empty()).collect()
}

/// A story's tokens, from BOS on where the model has it first, at most `context` of them; and whether it was cut.
pub fn story_tokens(
    vocabulary: &Vocabulary,
    story: &str,
    context: usize,
) -> Result<(Vec<u32>, bool), EncodeError> {
    let mut tokens: Vec<u32> = vocabulary.bos().filter(|_| vocabulary.bos_first()).into_iter().collect();
    tokens.extend(vocabulary.encode(story, SpecialTokens::AreText)?);
    let cut = tokens.len() > context;
    tokens.truncate(context);
    Ok((tokens, cut))
}

/// One engine's prediction of one token.
#[derive(Clone, Copy, Debug)]
pub struct Prediction {
    /// Loss: -ln of the probability that the engine gave to the token that came.
    pub nats: f64,
    /// Kullback-Leibler divergence from the reference, Σ p ln(p / q), in nats; 0 for the reference.
    pub kl: f64,
    /// Whether the engine's likeliest token is the reference's.
    pub top1: bool,
}

/// Reads `tokens` with the reference and the other engines side by side. Returns a list of
/// predictions for each: the reference's first, then the others' in their order.
pub fn read_story(
    reference: &mut Fp32<'_>,
    others: &mut [&mut dyn Engine],
    tokens: &[u32],
) -> Vec<Vec<Prediction>> {
    let mut readings = vec![Vec::new(); 1 + others.len()];
    let mut pos = 0;
    reference_reads(reference, tokens, |truth, target| {
        let truth_top = top(truth);
        readings[0].push(Prediction { nats: -truth[target], kl: 0.0, top1: true });
        for (engine, reading) in others.iter_mut().zip(&mut readings[1..]) {
            let logits = engine.forward(tokens[pos], pos);
            let guess = log_softmax(logits.iter().map(|&logit| f64::from(logit) / 65536.0));
            let kl = truth.iter().zip(&guess).map(|(p, q)| p.exp() * (p - q)).sum();
            reading.push(Prediction { nats: -guess[target], kl, top1: top(&guess) == truth_top });
        }
        pos += 1;
    });
    readings
}

/// Has the reference read `tokens`, and calls `predicted` for each but the first: with ln of the probabilities
/// that it gave to every token there, and the token that came.
pub fn reference_reads(reference: &mut Fp32<'_>, tokens: &[u32], mut predicted: impl FnMut(&[f64], usize)) {
    let Some((_, targets)) = tokens.split_first() else { return };
    for (piece, targets) in targets.chunks(READ_TOGETHER).enumerate() {
        let pos = piece * READ_TOGETHER;
        let logits = reference.forward_all(&tokens[pos..][..targets.len()], pos);
        for (logits, &target) in logits.chunks_exact(logits.len() / targets.len()).zip(targets) {
            predicted(&log_softmax(logits.iter().map(|&logit| logit.into())), target as usize);
        }
    }
}

/// Means over many predictions.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// How many predictions.
    pub predictions: usize,
    /// Mean loss in nats a token.
    pub nats: f64,
    /// Mean KL divergence from the reference, in nats.
    pub kl: f64,
    /// Share of predictions whose likeliest token is the reference's.
    pub top1: f64,
}

impl Summary {
    /// The summary of predictions; zeros for none.
    pub fn of<'p>(predictions: impl IntoIterator<Item = &'p Prediction>) -> Self {
        let mut sum = Self { predictions: 0, nats: 0.0, kl: 0.0, top1: 0.0 };
        for prediction in predictions {
            sum.predictions += 1;
            sum.nats += prediction.nats;
            sum.kl += prediction.kl;
            sum.top1 += f64::from(u8::from(prediction.top1));
        }
        let n = sum.predictions.max(1) as f64;
        Self { predictions: sum.predictions, nats: sum.nats / n, kl: sum.kl / n, top1: sum.top1 / n }
    }

    /// e to the mean loss.
    pub fn perplexity(&self) -> f64 {
        self.nats.exp()
    }
}

/// ln of the probabilities that logits mean.
pub fn log_softmax(logits: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut logits: Vec<f64> = logits.collect();
    let max = logits.iter().fold(f64::NEG_INFINITY, |max, &logit| max.max(logit));
    let log_sum = logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln() + max;
    logits.iter_mut().for_each(|logit| *logit -= log_sum);
    logits
}

/// The place of the largest value, the first of equal ones.
pub fn top(values: &[f64]) -> usize {
    let best = values
        .iter()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (i, &value)| if value > best.1 { (i, value) } else { best });
    best.0
}
