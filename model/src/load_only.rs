//! The least time that a token could take: one pass over the weights that does nothing but load them.
use crate::matrix::{Matrix, Tile};
use crate::packed::Model;
use crate::simd::Simd;

/// The bytes that each token needs: the tiles of all layers and of the classifier.
pub fn weight_bytes(model: &Model) -> u64 {
    matrices(model).map(|matrix| size_of_val(matrix.tiles) as u64).sum()
}

/// Loads all weights once, by aligned 16-byte loads into four accumulators where `simd` knows any
/// SIMD. Returns what the accumulators hold, so that no compiler can leave the loads out.
pub fn pass(model: &Model, simd: Simd) -> u32 {
    matrices(model).fold(0, |sum, matrix| sum.wrapping_add(load(matrix.tiles, simd)))
}

fn matrices<'a>(model: &'a Model) -> impl Iterator<Item = &'a Matrix<'a>> {
    let in_layers = model.layers.iter().flat_map(|layer| [&layer.wqkv, &layer.wo, &layer.w13, &layer.w2]);
    in_layers.chain([&model.classifier])
}

fn load(tiles: &[Tile], simd: Simd) -> u32 {
    match simd {
        Simd::Scalar => scalar(tiles),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: an `Sse2` or `Sse41` exists only where its creator promised that SSE2 works.
        Simd::Sse2(_) | Simd::Sse41(_) => unsafe { sse2(tiles) },
    }
}

#[optimize(speed)]
fn scalar(tiles: &[Tile]) -> u32 {
    let words = tiles.iter().flat_map(|tile| tile.rows());
    words.fold(0, |sum, &word| sum.wrapping_add(u32::from_le_bytes(word)))
}

/// In assembly, so that it is the same four loads on every machine, whatever a compiler thinks of.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[target_feature(enable = "sse2")]
fn sse2(tiles: &[Tile]) -> u32 {
    let mut sums = [0u32; 4];
    if tiles.is_empty() {
        return 0;
    }
    // SAFETY: the loop reads the 64 bytes of each of the tiles, which are aligned to 64 and at least
    // one, and writes the 16 bytes of `sums`. It uses only the registers that it names.
    unsafe {
        core::arch::asm!(
            "pxor xmm0, xmm0",
            "pxor xmm1, xmm1",
            "pxor xmm2, xmm2",
            "pxor xmm3, xmm3",
            "2:",
            "paddd xmm0, [{tile}]",
            "paddd xmm1, [{tile} + 16]",
            "paddd xmm2, [{tile} + 32]",
            "paddd xmm3, [{tile} + 48]",
            "add {tile}, 64",
            "dec {count}",
            "jnz 2b",
            "paddd xmm0, xmm1",
            "paddd xmm2, xmm3",
            "paddd xmm0, xmm2",
            "movups [{sums}], xmm0",
            tile = inout(reg) tiles.as_ptr() => _,
            count = inout(reg) tiles.len() => _,
            sums = in(reg) sums.as_mut_ptr(),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            options(nostack),
        );
    }
    sums.into_iter().fold(0, u32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_loads_every_byte() {
        let tiles: alloc::vec::Vec<Tile> =
            (0..5u8).map(|i| Tile(core::array::from_fn(|j| i.wrapping_mul(51) ^ j as u8))).collect();
        let sums = Simd::all().into_iter().map(|simd| load(&tiles, simd));
        assert!(
            sums.clone().all(|sum| sum == load(&tiles, Simd::Scalar)),
            "{:?}",
            sums.collect::<alloc::vec::Vec<_>>()
        );
    }
}
