//! The text that is read: the user's, or stories that the fp32 model tells.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use model::host::{
    fp32::Fp32,
    score::{log_softmax, stories},
};
use rayon::prelude::*;

use super::{greedy, subject::Subject};

/// Tokens of a sampled story at most.
const SAMPLED_TOKENS: usize = 256;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The file is not text.
    #[error(
        "{path} is not UTF-8 text: byte {at} does not belong to a character; convert it first (iconv does)"
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first wrong byte.
        at: usize,
    },
    /// The file has no stories.
    #[error("{path} has no text; put stories into it, with <|endoftext|> on a line between two")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The stories of a text file.
///
/// # Errors
/// A file that is not there, not UTF-8 or empty.
pub fn from_file(path: &Path) -> Result<Vec<String>, TextError> {
    let bytes = fs::read(path).map_err(|cause| TextError::Read { path: path.into(), cause })?;
    let text = String::from_utf8(bytes)
        .map_err(|error| TextError::NotUtf8 { path: path.into(), at: error.utf8_error().valid_up_to() })?;
    let stories: Vec<String> = stories(&text).into_iter().map(str::to_owned).collect();
    if stories.is_empty() { Err(TextError::Empty { path: path.into() }) } else { Ok(stories) }
}

/// Stories that the fp32 model tells at temperature 1, from seeds 1, 2, 3, ...
pub fn sampled(subject: &Subject, count: u64, progress: impl Fn() + Sync) -> Vec<String> {
    let context = subject.weights.shape.seq_len.min(SAMPLED_TOKENS);
    let tell = |seed| {
        let mut engine = Fp32::new(&subject.weights, context);
        let mut random = XorShift::new(seed);
        let vocabulary = &subject.text().vocabulary;
        let (mut token, mut tokens) = (vocabulary.start().unwrap_or_default(), Vec::new());
        for pos in 0..context {
            let logits = engine.forward(token, pos);
            token = sample(logits, random.uniform());
            if vocabulary.ends(token) {
                break;
            }
            tokens.push(token);
        }
        progress();
        greedy::text_of(vocabulary, &tokens)
    };
    (1..=count).into_par_iter().map(tell).filter(|story| !story.trim().is_empty()).collect()
}

/// The token at which the sum of the probabilities passes `coin`, from 0 to 1.
fn sample(logits: &[f32], coin: f64) -> u32 {
    let mut sum = 0.0;
    for (token, log) in log_softmax(logits.iter().map(|&logit| logit.into())).into_iter().enumerate() {
        sum += log.exp();
        if coin < sum {
            return token as u32;
        }
    }
    logits.len() as u32 - 1 // rounding kept the sum just below 1
}

/// Marsaglia's xorshift64*: 64 bits of state, never 0.
struct XorShift(u64);

impl XorShift {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike: spread them over all bits (Fibonacci hashing).
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to 1, 1 left out.
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        from_file(file.path()).unwrap_err().to_string()
    }

    #[test]
    fn a_text_that_cannot_be_read_is_refused() {
        assert!(refused(b"").contains("has no text"));
        assert!(refused(b" \n<|endoftext|>\n\n").contains("has no text"));
        assert!(refused(b"Once\xFFupon").contains("not UTF-8 text: byte 4"));
        let missing = from_file(Path::new("/no/such.txt")).unwrap_err().to_string();
        assert!(missing.starts_with("/no/such.txt cannot be read"));
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_should_be() {
        let logits = [0.5f32, 0.25, 0.125, 0.125].map(f32::ln);
        let mut random = XorShift::new(1);
        let mut counts = [0u32; 4];
        for _ in 0..10_000 {
            counts[sample(&logits, random.uniform()) as usize] += 1;
        }
        for (count, expected) in counts.into_iter().zip([5000u32, 2500, 1250, 1250]) {
            assert!(count.abs_diff(expected) < 200, "{counts:?}");
        }
    }
}
