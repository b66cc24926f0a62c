//! A model of any size, refined on request: layer by layer from its file, each matrix for exact inputs.
use super::Steady;
use crate::host::checkpoint::{Checkpoint, CheckpointError, Weight};
use crate::host::coding::choose;
use crate::host::dense::{dot, gram, transposed};
use crate::host::fp32::{Inputs, LayerWeights, Layers};
use crate::host::pack::matrix;
use crate::host::quantize::Feeding;
use crate::matrix::Coding;
use crate::packed::{Entry, Kind, Packed};
use rayon::prelude::*;
use std::io::{Read, Seek};

/// Changes whenever this refines otherwise than before, so that nobody takes what an earlier version has kept.
pub const VERSION: u32 = 1;
/// How many texts the model writes.
pub const TEXTS: usize = 8;
/// Tokens of a text, where the context holds as many.
const TEXT_TOKENS: usize = 384;

/// Tokens of each text that a model with this context writes.
pub fn text_tokens(seq_len: usize) -> usize {
    TEXT_TOKENS.min(seq_len)
}

/// The numbers of the entries whose matrices can be refined: those that inputs are multiplied by and whose weights
/// the file has as numbers. None where it has codes, which are kept.
pub fn entries<R: Read + Seek>(packed: &Packed, checkpoint: &Checkpoint<R>) -> Vec<usize> {
    let is_refined = |entry: &Entry| {
        matches!(entry.kind, Kind::Wqkv | Kind::Wo | Kind::W13 | Kind::W2 | Kind::Classifier)
            && !choose(checkpoint, entry.kind, entry.layer.into()).as_codes
    };
    let entries = packed.header.entries.iter().enumerate();
    entries.filter(|(_, entry)| is_refined(entry)).map(|(at, _)| at).collect()
}

/// Rounds the matrices of a model that was packed for the int8 engine again, from its checkpoint, for inputs as
/// `texts` bring them. `progress` is told how many matrices of how many are done.
///
/// # Errors
/// A checkpoint that cannot be read.
pub fn refine<R: Read + Seek>(
    packed: &mut Packed,
    checkpoint: &mut Checkpoint<R>,
    texts: &[Vec<u32>],
    progress: impl FnMut(u64, u64),
) -> Result<(), CheckpointError> {
    let shape = checkpoint.shape();
    let layers = Layers::of(checkpoint.config());
    let embedding = checkpoint.read(Weight::TokenEmbedding, 0)?;
    let row = |&token: &u32| &embedding[token as usize * shape.dim..][..shape.dim];
    // The residual stream of each text (positions, dim).
    let mut streams: Vec<Vec<f32>> =
        texts.iter().map(|text| text.iter().flat_map(row).copied().collect()).collect();
    drop(embedding);
    let entries = entries(packed, checkpoint);
    let mut refiner = Refiner { packed, checkpoint, entries, done: 0, progress };
    for layer in 0..shape.n_layers {
        let weights = LayerWeights::read(refiner.checkpoint, layer)?;
        let forward = |x: &mut Vec<f32>| {
            let cache = || vec![0.0; x.len() / shape.dim * shape.kv_dim()];
            let (mut keys, mut values) = (cache(), cache());
            layers.forward(&weights, x, 0, (&mut keys, &mut values), &Steady)
        };
        let inputs: Vec<Inputs> = streams.par_iter_mut().map(forward).collect();
        drop(weights);
        let lengths = lengths(&streams, shape.dim);
        let all = |of: fn(&Inputs) -> &Vec<f32>| inputs.iter().map(of).collect::<Vec<_>>();
        refiner.round(Kind::Wqkv, layer, &all(|inputs| &inputs.wqkv), None)?;
        refiner.round(Kind::Wo, layer, &all(|inputs| &inputs.wo), Some(&lengths))?;
        refiner.round(Kind::W13, layer, &all(|inputs| &inputs.w13), None)?;
        refiner.round(Kind::W2, layer, &all(|inputs| &inputs.w2), Some(&lengths))?;
    }
    let rms_final = refiner.checkpoint.read(Weight::RmsFinal, 0)?;
    let inputs: Vec<Vec<f32>> = streams.iter().map(|x| layers.rmsnorm(x, &rms_final, &Steady)).collect();
    refiner.round(Kind::Classifier, 0, &inputs.iter().collect::<Vec<_>>(), None)?;
    packed.seal();
    Ok(())
}

/// Takes the matrices of these entries from a model that was refined from the same checkpoint, and may have another
/// context. `false` where that one's are others, and nothing was taken.
pub fn adopt(packed: &mut Packed, refined: &Packed, entries: &[usize]) -> bool {
    let form = |packed: &Packed, at: usize| {
        let entry = packed.header.entries.get(at)?;
        let Entry { kind, layer, rows, cols, coding, .. } = *entry;
        Some((kind, layer, rows, cols, coding))
    };
    if entries.iter().any(|&at| form(packed, at) != form(refined, at)) {
        return false;
    }
    for &at in entries {
        packed.header.entries[at].exponent = refined.header.entries[at].exponent;
        packed.tensor_mut(at).copy_from_slice(refined.tensor(at));
    }
    packed.seal();
    true
}

/// What is rounded, and from what.
struct Refiner<'a, R, P> {
    packed: &'a mut Packed,
    checkpoint: &'a mut Checkpoint<R>,
    /// As [`entries`] has them.
    entries: Vec<usize>,
    /// How many of them are done.
    done: u64,
    progress: P,
}

impl<R: Read + Seek, P: FnMut(u64, u64)> Refiner<'_, R, P> {
    /// Rounds a matrix, if it is one of the entries, for each text's inputs (positions, cols). Where what it gives is
    /// added to the residual stream, an error counts as much less as the stream is longer there: `lengths`.
    fn round(
        &mut self,
        kind: Kind,
        layer: usize,
        inputs: &[&Vec<f32>],
        lengths: Option<&[f32]>,
    ) -> Result<(), CheckpointError> {
        let at = self.packed.position(kind, layer).filter(|at| self.entries.contains(at));
        let Some(at) = at else { return Ok(()) };
        let entry = self.packed.header.entries[at];
        let cols = entry.cols as usize;
        let squares = squares(inputs, cols, lengths);
        let feeding = match entry.coding {
            Coding::Rows => Feeding::for_rows(&squares, cols),
            Coding::Groups(_) => Feeding::for_groups(&squares, cols),
        };
        let residual_bits = self.packed.header.norm.residual_bits;
        let matrix = matrix(self.checkpoint, residual_bits, &entry, feeding.as_ref())?;
        self.packed.replace_matrix(at, &matrix);
        self.done += 1;
        (self.progress)(self.done, self.entries.len() as u64);
        Ok(())
    }
}

/// The length of each position's residual stream.
fn lengths(streams: &[Vec<f32>], dim: usize) -> Vec<f32> {
    streams.iter().flat_map(|x| x.chunks_exact(dim)).map(|x| dot(x, x).sqrt()).collect()
}

/// `XᵀX` (cols, cols) over the positions of all texts, each row of X divided by its length in `lengths`. At least the
/// lower half.
fn squares(inputs: &[&Vec<f32>], cols: usize, lengths: Option<&[f32]>) -> Vec<f32> {
    let mut all: Vec<f32> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
    for (row, length) in all.chunks_exact_mut(cols).zip(lengths.into_iter().flatten()) {
        // A stream of zeros has inputs of zeros.
        row.iter_mut().for_each(|x| *x /= length.max(f32::MIN_POSITIVE));
    }
    gram(&transposed(&all, cols), all.len() / cols)
}

#[cfg(test)]
mod tests;
