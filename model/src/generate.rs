//! The loop around the engine, as in llama2.c: first the prompt's tokens, then sampled ones, until
//! the story ends. The machine and the host run this same code, so their traces can be compared.
use crate::engine::{Engine, EngineError};
use crate::sampler::Sampler;
use crate::vocabulary::{Piece, Vocabulary};

/// What stands between a story and the next.
const BETWEEN_STORIES: &[u8] = b"\n\n";

/// A story in the making.
pub struct Generator<'a, E: ?Sized> {
    engine: &'a mut E,
    vocabulary: &'a Vocabulary<'a>,
    sampler: Sampler<'a>,
    options: Options,
    /// What the first token prints.
    opening: Piece<'a>,
    /// The prompt's tokens after the first position.
    prompt: &'a [u32],
    token: u32,
    pos: usize,
    ended: bool,
}

/// What a [`Generator`] is asked to do.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Forward passes at most; 0 means as many as the context holds. Past it the window rolls.
    pub steps: usize,
    /// Calculate a CRC of the logits at each step.
    pub trace: bool,
    /// Begin another story where one ends.
    pub endless: bool,
    /// Give pieces as the vocabulary has them.
    pub raw_bytes: bool,
}

/// What one forward pass brought.
pub struct Step<'t> {
    /// The position of the token that went in.
    pub pos: usize,
    /// The token that went in.
    pub token: u32,
    /// The token that comes next: from the prompt, or sampled.
    pub next: u32,
    /// Whether `next` is of the prompt.
    pub prompt: bool,
    /// CRC-32 of the logits, where a trace was asked for.
    pub logits_crc: Option<u32>,
    /// What `next` prints; nothing where it ends the story.
    pub piece: Piece<'t>,
}

impl<'a, E: Engine + ?Sized> Generator<'a, E> {
    /// A story that begins with `prompt`: tokens without a leading BOS, empty for none.
    ///
    /// # Errors
    /// The prompt does not fit the context; there is none, and the model needs one.
    pub fn new(
        engine: &'a mut E,
        vocabulary: &'a Vocabulary<'a>,
        sampler: Sampler<'a>,
        prompt: &'a [u32],
        options: Options,
    ) -> Result<Self, EngineError> {
        let (first, prompt, opening) = match (vocabulary.bos_first(), prompt) {
            (false, &[first, ref rest @ ..]) => {
                (first, rest, vocabulary.decode(first, first, options.raw_bytes))
            }
            _ => (vocabulary.start().ok_or(EngineError::NeedsBeginning)?, prompt, Piece::Text(&[])),
        };
        let (tokens, context) = (1 + prompt.len(), engine.context());
        if tokens > context {
            return Err(EngineError::PromptTooLong { tokens, context });
        }
        Ok(Self { engine, vocabulary, sampler, options, opening, prompt, token: first, pos: 0, ended: false })
    }

    /// What the first token prints, for before the first step: nothing where it is not the prompt's.
    pub fn opening(&self) -> Piece<'a> {
        self.opening
    }

    /// Positions after which the story stops.
    pub fn limit(&self) -> usize {
        if self.options.steps == 0 { self.engine.context() } else { self.options.steps }
    }

    /// Makes one forward pass; `None` when the story has ended.
    #[inline(never)] // a small frame: what is in it is reached by short instructions
    pub fn step(&mut self) -> Option<Step<'a>> {
        if self.ended || self.pos >= self.limit() {
            return None;
        }
        let (pos, token) = (self.pos, self.token);
        let known = self.prompt.get(pos).copied();
        let (mut logits_crc, prompt) = (None, known.is_some());
        let next = match known {
            // Half of a small model's time goes into logits.
            Some(next) if !self.options.trace => {
                self.engine.read(token, pos);
                next
            }
            _ => {
                let logits = self.engine.forward(token, pos);
                logits_crc = self.options.trace.then(|| crate::crc32::logits_crc(logits));
                known.unwrap_or_else(|| self.sampler.sample(logits))
            }
        };
        let ends = self.vocabulary.ends(next) || self.engine.ends(next);
        self.ended = ends && !self.options.endless;
        let piece = match ends {
            true if self.ended => Piece::Text(&[]),
            true => Piece::Text(BETWEEN_STORIES),
            false => self.vocabulary.decode(token, next, self.options.raw_bytes),
        };
        // Where a story ends the next one starts.
        self.token = if ends { self.vocabulary.start().unwrap_or(next) } else { next };
        self.pos += 1;
        Some(Step { pos, token, next, prompt, logits_crc, piece })
    }
}
