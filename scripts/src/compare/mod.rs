//! What the small arithmetic costs: fp32, int8 and the 1356-byte mode read the same text, each
//! token predicted by all of them from the same tokens before it.
pub mod greedy;
pub mod machine;
pub mod plots;
pub mod report;
pub mod subject;
pub mod text;
pub mod yardstick;

use model::engine::EngineKind;
use model::{
    engine::{Engine, EngineError},
    host::{
        fp32::Fp32,
        score::{Prediction, Summary, read_story, story_tokens},
    },
    vocabulary::EncodeError,
};
use rayon::prelude::*;

use crate::size::Grouped;
use greedy::Story;
use subject::Subject;

/// Why engines could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The model cannot be opened or packed.
    #[error(transparent)]
    Subject(#[from] subject::SubjectError),
    /// There is no text.
    #[error(transparent)]
    Text(#[from] text::TextError),
    /// The text cannot be written in the model's tokens.
    #[error("the text cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// An engine cannot run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The machine's engine cannot be compared with the host's.
    #[error(transparent)]
    Machine(#[from] machine::MachineError),
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] report::ReportError),
    /// Nothing can be predicted.
    #[error(
        "no story of the text has more than one token within the model's context of {context}; take another text or model"
    )]
    NothingToPredict {
        /// Tokens that the model's context holds.
        context: usize,
    },
}

/// How one engine did.
#[derive(Debug)]
pub struct EngineResult {
    /// `fp32`, `int8` or `sector`.
    pub name: &'static str,
    /// Means over all predictions.
    pub summary: Summary,
    /// Every prediction, story by story.
    pub stories: Vec<Vec<Prediction>>,
    /// Its own greedy story.
    pub greedy: Story,
    /// The first position at which its greedy story differs from fp32's; none for the same story.
    pub first_divergence: Option<usize>,
    /// Bytes of its greedy story's text before that position.
    pub same_text: usize,
    /// Bytes of the model in this engine's form.
    pub model_bytes: u64,
    /// Values that were too large for the residual stream, and limited, in all that it read and told; none for
    /// an engine that does not count them.
    pub saturations: Option<u64>,
}

/// How all engines did. fp32 comes first.
#[derive(Debug)]
pub struct Comparison {
    /// The model's name.
    pub model: String,
    /// Where the text came from, in words.
    pub text: String,
    /// Stories read.
    pub stories: usize,
    /// Stories that were longer than the context, and cut.
    pub cut: usize,
    /// The engines' results.
    pub engines: Vec<EngineResult>,
    /// Engines that cannot run this model, and why.
    pub left_out: Vec<String>,
    /// What other programs were measured to lose here, a sentence each.
    pub yardsticks: Vec<String>,
}

impl Comparison {
    /// What there is to say beside the table, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let cut =
            (self.cut > 0).then(|| format!("{} stories were longer than the context, and cut.", self.cut));
        let limited = self.engines.iter().filter_map(|engine| {
            let values = Grouped(engine.saturations?);
            Some(format!("{values} values of {}'s residual stream were too large for it.", engine.name))
        });
        cut.into_iter()
            .chain(limited)
            .chain(self.left_out.iter().cloned())
            .chain(self.yardsticks.clone())
            .collect()
    }
}

/// Has every engine read `stories`, in parallel over stories, and tell a greedy story of its own.
///
/// # Errors
/// A text that the tokenizer cannot write, or a model that an engine cannot run.
pub fn compare(
    subject: &Subject,
    text: String,
    stories: &[String],
    progress: impl Fn() + Sync,
) -> Result<Comparison, CompareError> {
    let context = subject.weights.shape.seq_len;
    let (kinds, left_out) = subject.engines();
    let text_of = subject.text();
    let tokens: Vec<(Vec<u32>, bool)> = stories
        .iter()
        .map(|story| story_tokens(&text_of.vocabulary, story, context))
        .collect::<Result<_, _>>()?;
    let cut = tokens.iter().filter(|(_, cut)| *cut).count();
    let read = |(tokens, _): &(Vec<u32>, bool)| -> Result<Vec<(Vec<Prediction>, u32)>, EngineError> {
        let positions = tokens.len().max(1);
        let mut engines = kinds
            .iter()
            .map(|&kind| subject.engine(kind, positions))
            .collect::<Result<Vec<Box<dyn Engine + '_>>, _>>()?;
        let mut others: Vec<&mut dyn Engine> = Vec::new();
        for engine in &mut engines {
            others.push(engine.as_mut());
        }
        let readings = read_story(&mut Fp32::new(&subject.weights, positions), &mut others, tokens);
        let saturations = engines.iter().map(|engine| engine.saturations());
        progress();
        Ok(readings.into_iter().zip(std::iter::once(0).chain(saturations)).collect())
    };
    let readings = tokens.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if readings.iter().all(|story| story[0].0.is_empty()) {
        return Err(CompareError::NothingToPredict { context });
    }
    let told = context.min(greedy::MOST_TOKENS);
    let mut own: Vec<Story> = kinds
        .par_iter()
        .map(Some)
        .chain(rayon::iter::once(None))
        .map(|kind| match kind {
            Some(&kind) => greedy::of_engine(subject, kind, told),
            None => Ok(greedy::of_fp32(subject, told)),
        })
        .collect::<Result<_, _>>()?;
    own.rotate_right(1); // fp32 first, as in the readings
    let reference = own[0].tokens.clone();
    let all = std::iter::once(None).chain(kinds.iter().copied().map(Some));
    let engines = all.zip(own).enumerate().map(|(at, (kind, greedy))| {
        let stories: Vec<_> = readings.iter().map(|story| story[at].0.clone()).collect();
        let limited = readings.iter().map(|story| u64::from(story[at].1)).sum::<u64>();
        let first_divergence = greedy::first_difference(&reference, &greedy.tokens);
        EngineResult {
            name: kind.map_or("fp32", EngineKind::name),
            summary: Summary::of(stories.iter().flatten()),
            stories,
            first_divergence,
            saturations: (kind == Some(EngineKind::Int8)).then(|| limited + u64::from(greedy.saturations)),
            same_text: greedy.text_before(&text_of.vocabulary, first_divergence),
            greedy,
            model_bytes: subject.bytes(kind),
        }
    });
    let engines: Vec<EngineResult> = engines.collect();
    let yardsticks = yardstick::of(stories, engines[0].summary.nats).collect();
    Ok(Comparison {
        model: subject.name.clone(),
        text,
        stories: stories.len(),
        cut,
        engines,
        left_out: left_out.to_vec(),
        yardsticks,
    })
}
