//! The model in memory: its tensors in one piece, as the disk holds them, and the views of it that an
//! engine reads.
use super::layout::{Entry, Kind, TENSOR_ALIGN};
use super::{PackedError, PackedHeader};
use crate::allocation::zeroed;
use crate::crc32::CRC32_OF_MANY;
use crate::engine::EngineKind;
use crate::matrix::{Matrix, SCALE_BITS, TILE_BYTES, Tile};
use crate::norm::{NormWeight, RmsNorm};
use crate::rope::{ROPE_BITS, Rope};
use crate::sectorllm::SectorllmWeights;
use crate::shape::Shape;
use crate::source::Source;
use crate::tables::{TABLE_BITS, Tables};
use crate::vocabulary::{Vocabulary, VocabularyError};
use alloc::vec::Vec;
use bytemuck::{Pod, cast_slice, cast_slice_mut};

/// A packed model in memory.
pub struct Packed {
    /// What it says of itself.
    pub header: PackedHeader,
    /// All tensors, as the disk holds them. 64 bytes an item: so every tensor lies where its type may lie.
    pub(crate) payload: Vec<Tile>,
}

const _: () = assert!(TENSOR_ALIGN == TILE_BYTES as u64);

/// Bytes that are read and checked at once, while they are in a cache.
const PIECE: usize = 1 << 16;

impl Packed {
    /// Reads header and tensors.
    ///
    /// # Errors
    /// As [`PackedHeader::read`] and [`Packed::read_payload`].
    pub fn read<S: Source>(source: &mut S) -> Result<Self, PackedError<S::Error>> {
        let header = PackedHeader::read(source)?;
        Self::read_payload(header, source)
    }

    /// Reads the tensors and checks their CRC; the source stands where [`PackedHeader::read`] left it.
    ///
    /// # Errors
    /// What the source says; no memory; a CRC that is not the header's.
    pub fn read_payload<S: Source>(
        header: PackedHeader,
        source: &mut S,
    ) -> Result<Self, PackedError<S::Error>> {
        let bytes = header.payload_bytes();
        // A length that 32 bits do not hold is refused as memory that is not there.
        let length = usize::try_from(bytes / TENSOR_ALIGN).unwrap_or(usize::MAX);
        let mut payload = zeroed(length).map_err(|_| PackedError::OutOfMemory { bytes })?;
        let mut crc = CRC32_OF_MANY.digest();
        for piece in cast_slice_mut(&mut payload).chunks_mut(PIECE) {
            source.read(piece).map_err(PackedError::Read)?;
            crc.update(piece);
        }
        let (expected, found) = (header.payload_crc, crc.finalize());
        if expected != found {
            return Err(PackedError::Crc { part: "data", expected, found });
        }
        Ok(Self { header, payload })
    }

    /// Where the tensors begin in memory.
    pub fn address(&self) -> usize {
        self.payload.as_ptr().addr()
    }

    /// The first block of an entry's matrix.
    pub fn first_block(&self, entry: &Entry) -> &[u8] {
        let payload = self.header.packed_bytes() - self.header.payload_bytes();
        let at = (u64::from(entry.offset) - payload) as usize + size_of::<u32>() * entry.scales();
        &cast_slice(&self.payload)[at..][..entry.coding.block_bytes(entry.cols as usize)]
    }

    /// What every engine's model has.
    ///
    /// # Errors
    /// A vocabulary that is damaged or of another model.
    pub fn text(&self) -> Result<Text<'_>, VocabularyError> {
        let mut tensors = Tensors::of(self);
        let vocabulary = Vocabulary::parse(tensors.next(Kind::Vocabulary), self.header.shape.vocab_size)?;
        Ok(Text { name: &self.header.name, shape: self.header.shape, vocabulary, tables: tensors.tables() })
    }

    /// The weights for the int8 engine; `None` where the model was packed for another.
    pub fn model(&self) -> Option<Model<'_>> {
        if self.header.engine != EngineKind::Int8 {
            return None;
        }
        let shape = self.header.shape;
        let mut tensors = Tensors::of(self);
        let _: &[u8] = tensors.next(Kind::Vocabulary);
        let tables = tensors.tables();
        let rope = Rope { table: tensors.next(Kind::Rope), pairs: shape.head_size / 2 };
        let embedding = (!shape.shared_classifier).then(|| tensors.matrix(Kind::Embedding));
        let layers = (0..shape.n_layers).map(|_| tensors.layer()).collect();
        let rms_final = tensors.norm_weight(Kind::RmsFinal);
        let classifier = tensors.matrix(Kind::Classifier);
        Some(Model { shape, norm: self.header.norm, tables, rope, embedding, layers, rms_final, classifier })
    }

    /// The weights of the 1356-byte mode; `None` where the model was packed for another engine.
    pub fn sectorllm(&self) -> Option<SectorllmWeights<'_>> {
        if self.header.engine != EngineKind::Sectorllm {
            return None;
        }
        let mut tensors = Tensors::of(self);
        let _: &[u8] = tensors.next(Kind::Vocabulary);
        tensors.tables();
        Some(SectorllmWeights::new(tensors.next(Kind::Sectorllm)))
    }

    /// Whether all numbers are as the engine's arithmetic expects them, although the CRCs are right. Weights
    /// may be anything.
    ///
    /// # Errors
    /// What is not.
    pub fn check<E>(&self) -> Result<(), PackedError<E>> {
        self.text().map_err(PackedError::Vocabulary)?;
        let mut tensors = Tensors::of(self);
        for entry in &self.header.entries {
            let bytes = tensors.next_bytes(entry.kind).1;
            let (bytes, limit) = match entry.kind {
                Kind::Exp2 | Kind::Sigmoid => (bytes, 1 << TABLE_BITS),
                Kind::Rope => (bytes, 1 << ROPE_BITS),
                _ => (&bytes[..size_of::<u32>() * entry.scales()], (1 << SCALE_BITS) - 1),
            };
            let magnitude = |number: i32| match entry.kind {
                Kind::Rope => number.unsigned_abs(),
                _ => number as u32,
            };
            if cast_slice(bytes).iter().any(|&number| magnitude(number) > limit) {
                return Err(PackedError::Number(entry.kind));
            }
        }
        Ok(())
    }
}

/// What every engine's model has.
pub struct Text<'m> {
    /// The model's name.
    pub name: &'m str,
    /// Its shape.
    pub shape: Shape,
    /// Its vocabulary.
    pub vocabulary: Vocabulary<'m>,
    /// The tables of 2^-x and of the logistic function.
    pub tables: Tables<'m>,
}

/// The weights for the int8 engine.
#[derive(Clone)]
pub struct Model<'m> {
    /// The shape.
    pub shape: Shape,
    /// The tables of 2^-x and of the logistic function.
    pub tables: Tables<'m>,
    /// What RMSNorm needs to know.
    pub norm: RmsNorm,
    /// The RoPE table.
    pub rope: Rope<'m>,
    /// The embedding, where it is not the classifier.
    embedding: Option<Matrix<'m>>,
    /// The layers, first to last.
    pub layers: Vec<Layer<'m>>,
    /// The norm before the classifier (dim,).
    pub rms_final: NormWeight<'m>,
    /// The classifier (vocab_size, dim).
    pub classifier: Matrix<'m>,
}

/// A transformer layer's weights, by llama2.c's names.
#[derive(Clone)]
pub struct Layer<'m> {
    /// The norm before attention (dim,).
    pub rms_att: NormWeight<'m>,
    /// wq, wk and wv, one below the other (q_dim + 2 kv_dim, dim).
    pub wqkv: Matrix<'m>,
    /// wo (dim, q_dim).
    pub wo: Matrix<'m>,
    /// The norm before the feed-forward layer (dim,).
    pub rms_ffn: NormWeight<'m>,
    /// w1 and w3, one below the other (2 hidden_dim, dim).
    pub w13: Matrix<'m>,
    /// w2 (dim, hidden_dim).
    pub w2: Matrix<'m>,
}

impl<'m> Model<'m> {
    /// The embedding (vocab_size, dim).
    pub fn embedding(&self) -> &Matrix<'m> {
        self.embedding.as_ref().unwrap_or(&self.classifier)
    }
}

/// The tensors one after the other. Their directory was checked against the shape, so kinds and lengths are
/// what is asked for.
struct Tensors<'m> {
    entries: core::slice::Iter<'m, Entry>,
    /// From the next tensor on.
    bytes: &'m [u8],
}

impl<'m> Tensors<'m> {
    fn of(packed: &'m Packed) -> Self {
        Self { entries: packed.header.entries.iter(), bytes: cast_slice(&packed.payload) }
    }

    /// The next tensor's entry and bytes.
    #[inline(never)] // from each kind of number
    fn next_bytes(&mut self, kind: Kind) -> (&'m Entry, &'m [u8]) {
        let entry =
            self.entries.next().filter(|entry| entry.kind == kind).expect("the directory is the shape's");
        let (tensor, rest) = self.bytes.split_at(entry.padded_bytes() as usize);
        self.bytes = rest;
        (entry, &tensor[..entry.bytes() as usize])
    }

    /// The next tensor's numbers.
    fn next<T: Pod>(&mut self, kind: Kind) -> &'m [T] {
        cast_slice(self.next_bytes(kind).1)
    }

    fn tables(&mut self) -> Tables<'m> {
        Tables { exp2: self.next(Kind::Exp2), sigmoid: self.next(Kind::Sigmoid) }
    }

    fn layer(&mut self) -> Layer<'m> {
        Layer {
            rms_att: self.norm_weight(Kind::RmsAtt),
            wqkv: self.matrix(Kind::Wqkv),
            wo: self.matrix(Kind::Wo),
            rms_ffn: self.norm_weight(Kind::RmsFfn),
            w13: self.matrix(Kind::W13),
            w2: self.matrix(Kind::W2),
        }
    }

    fn norm_weight(&mut self, kind: Kind) -> NormWeight<'m> {
        let (entry, bytes) = self.next_bytes(kind);
        NormWeight { values: cast_slice(bytes), exponent: entry.exponent }
    }

    fn matrix(&mut self, kind: Kind) -> Matrix<'m> {
        let (entry, bytes) = self.next_bytes(kind);
        let (rows, cols) = (entry.rows as usize, entry.cols as usize);
        let (scales, blocks) = bytes.split_at(size_of::<u32>() * entry.scales());
        Matrix {
            rows,
            cols,
            coding: entry.coding,
            exponent: entry.exponent,
            fraction_bits: entry.fraction_bits,
            scales: cast_slice(scales),
            blocks,
        }
    }
}
