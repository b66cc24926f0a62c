//! What a block is, and what can be done with every kind of block.
use super::super::types::TensorType;
use bytemuck::{Pod, Zeroable};
use half::f16;

/// How a group's codes become numbers: `scale · code + offset`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Affine {
    /// The distance of two codes.
    pub scale: f32,
    /// The number of code 0.
    pub offset: f32,
}

impl Affine {
    /// Without an offset. Minus zero is the one that changes no product when it is added: plus zero
    /// would turn the product -0 into 0.
    pub(super) const fn linear(scale: f32) -> Self {
        Self { scale, offset: -0.0 }
    }

    /// The number that a code stands for.
    pub const fn value(self, code: i8) -> f32 {
        self.scale * code as f32 + self.offset
    }
}

/// Blocks as they are: number `j` is `groups[j / columns].value(q[j])`.
#[derive(Clone, PartialEq, Debug)]
pub struct Codes {
    /// A code for each number; without offset they lie around 0, with an offset from 0 on.
    pub q: Vec<i8>,
    /// Scale and offset of each group.
    pub groups: Vec<Affine>,
    /// Numbers in a group: 16 or 32.
    pub columns: usize,
}

/// A block of `N` numbers in `G` groups of equal length; the fields are as they stand in a file.
pub(super) trait Block<const N: usize, const G: usize>: Pod {
    /// The codes, and what they stand for.
    fn unpack(&self) -> ([i8; N], [Affine; G]);

    /// The block for finite numbers; `None` if a scale would be too large for its 16 bits.
    fn pack(values: &[f32; N]) -> Option<Self>;
}

/// An IEEE 754 half, two bytes at any address.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(super) struct Half(pub(super) [u8; 2]);

impl Half {
    /// The nearest half, unless that is infinite.
    pub(super) fn new(value: f32) -> Option<Self> {
        let half = f16::from_f32(value);
        half.is_finite().then_some(Self(half.to_le_bytes()))
    }

    /// Its value, exactly.
    pub(super) fn get(self) -> f32 {
        f16::from_le_bytes(self.0).to_f32()
    }
}

/// The functions of a tensor type, for whole blocks.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// Numbers from as many bytes as there are numbers.
    pub(super) dequantize: fn(&[u8], &mut [f32]),
    /// Codes, where the type has them.
    pub(super) codes: Option<fn(&[u8]) -> Codes>,
    /// Bytes from finite numbers, or the first block that has a number that is too large.
    pub(super) quantize: fn(&[f32]) -> Result<Vec<u8>, usize>,
}

impl Format {
    /// The functions of a type that is written as blocks `B`.
    pub(super) const fn of<B: Block<N, G>, const N: usize, const G: usize>(kind: TensorType) -> Self {
        assert!(size_of::<B>() == kind.block_bytes() && align_of::<B>() == 1);
        assert!(N == kind.block_elements() && N.is_multiple_of(G));
        Self {
            dequantize: dequantize::<B, N, G>,
            codes: Some(codes::<B, N, G>),
            quantize: quantize::<B, N, G>,
        }
    }
}

fn dequantize<B: Block<N, G>, const N: usize, const G: usize>(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytemuck::cast_slice::<u8, B>(bytes).iter().zip(out.as_chunks_mut::<N>().0) {
        let (q, groups) = block.unpack();
        for ((out, q), group) in out.chunks_exact_mut(N / G).zip(q.chunks_exact(N / G)).zip(groups) {
            for (out, &q) in out.iter_mut().zip(q) {
                *out = group.value(q);
            }
        }
    }
}

fn codes<B: Block<N, G>, const N: usize, const G: usize>(bytes: &[u8]) -> Codes {
    let blocks: &[B] = bytemuck::cast_slice(bytes);
    let mut codes = Codes {
        q: Vec::with_capacity(blocks.len() * N),
        groups: Vec::with_capacity(blocks.len() * G),
        columns: N / G,
    };
    for block in blocks {
        let (q, groups) = block.unpack();
        codes.q.extend(q);
        codes.groups.extend(groups);
    }
    codes
}

fn quantize<B: Block<N, G>, const N: usize, const G: usize>(values: &[f32]) -> Result<Vec<u8>, usize> {
    let blocks = values.as_chunks::<N>().0;
    let mut bytes = Vec::with_capacity(blocks.len() * size_of::<B>());
    for (index, values) in blocks.iter().enumerate() {
        let block = B::pack(values).ok_or(index)?;
        bytes.extend_from_slice(bytemuck::bytes_of(&block));
    }
    Ok(bytes)
}
