//! The least time that a token could take: one pass over the weights that does nothing but load them.
use crate::matrix::Matrix;
use crate::packed::Model;
use crate::simd::Simd;

/// The bytes that each token needs: the tiles of all layers and of the classifier, without their factors.
pub fn weight_bytes(model: &Model) -> u64 {
    matrices(model).map(|matrix| size_of_val(matrix.tiles) as u64).sum()
}

/// Loads all weights once. Returns what they add up to, so that no compiler can leave the loads out.
pub fn pass(model: &Model, simd: Simd) -> u32 {
    matrices(model).fold(0, |sum, matrix| sum.wrapping_add(simd.load(matrix.tiles)))
}

fn matrices<'a>(model: &'a Model) -> impl Iterator<Item = &'a Matrix<'a>> {
    let in_layers = model.layers.iter().flat_map(|layer| [&layer.wqkv, &layer.wo, &layer.w13, &layer.w2]);
    in_layers.chain([&model.classifier])
}
