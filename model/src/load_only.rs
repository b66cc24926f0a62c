//! The least time that a token could take: one pass over the weights that does nothing but load them.
use crate::matrix::{Matrix, TILE_BYTES, Tile, tiles};
use crate::packed::Model;
use crate::simd::Simd;

/// The bytes that each token needs: the blocks of all layers and of the classifier.
pub fn weight_bytes(model: &Model) -> u64 {
    matrices(model).map(|matrix| matrix.blocks.len() as u64).sum()
}

/// Loads all weights once. Returns what they add up to, so that no compiler can leave the loads out.
pub fn pass(model: &Model, simd: Simd) -> u32 {
    matrices(model).fold(0, |sum, matrix| sum.wrapping_add(simd.load(tiles_in(matrix.blocks))))
}

/// The bytes as tiles, but for the last ones that fill none.
fn tiles_in(bytes: &[u8]) -> &[Tile] {
    tiles(&bytes[..bytes.len() / TILE_BYTES * TILE_BYTES])
}

fn matrices<'a>(model: &'a Model) -> impl Iterator<Item = &'a Matrix<'a>> {
    let in_layers = model.layers.iter().flat_map(|layer| [&layer.wqkv, &layer.wo, &layer.w13, &layer.w2]);
    in_layers.chain([&model.classifier])
}
