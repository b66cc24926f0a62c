//! The model in memory, and the loader that puts it there: one allocation a tensor.
use super::layout::{Entry, Kind, TENSOR_ALIGN};
use super::{PackedError, PackedHeader};
use crate::allocation::zeroed;
use crate::crc32::Crc32;
use crate::matrix::{Matrix, TILE_ROWS};
use crate::norm::Gain;
use crate::rope::Rope;
use crate::scaled::SCALE_BITS;
use crate::sector::SectorWeights;
use crate::shape::Shape;
use crate::source::Source;
use crate::tables::Tables;
use crate::tokenizer::Tokenizer;
use alloc::string::String;
use alloc::vec::Vec;
use bytemuck::Pod;

/// A model, ready to run.
pub struct Model {
    /// Its shape.
    pub shape: Shape,
    /// Its name.
    pub name: String,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The tables of 2^-x and of the logistic function.
    pub tables: Tables,
    /// The RoPE table.
    pub rope: Rope,
    /// The embedding, where it is not the classifier.
    embedding: Option<Matrix>,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// Gains before the classifier.
    pub rms_final: Gain,
    /// The classifier (vocab_size, dim).
    pub classifier: Matrix,
    /// The weights of the 1356-byte mode, where the shape is that of stories260K.
    pub sector: Option<SectorWeights>,
}

/// A transformer layer's weights, by llama2.c's names.
pub struct Layer {
    /// Gains before attention (dim,).
    pub rms_att: Gain,
    /// wq, wk and wv, one below the other (dim + 2 kv_dim, dim).
    pub wqkv: Matrix,
    /// wo (dim, dim).
    pub wo: Matrix,
    /// Gains before the feed-forward layer (dim,).
    pub rms_ffn: Gain,
    /// w1 and w3, one below the other (2 hidden_dim, dim).
    pub w13: Matrix,
    /// w2 (dim, hidden_dim).
    pub w2: Matrix,
}

impl Model {
    /// The embedding (vocab_size, dim).
    pub fn embedding(&self) -> &Matrix {
        self.embedding.as_ref().unwrap_or(&self.classifier)
    }

    /// Reads a model's tensors; the source stands where [`PackedHeader::read`] left it.
    pub fn load<S: Source>(header: &PackedHeader, source: &mut S) -> Result<Self, PackedError<S::Error>> {
        let shape = header.shape;
        let entries = header.entries.iter();
        let mut reader = TensorReader { source, crc: Crc32::new(), entries, error: None };
        let tokenizer = reader.vector(Kind::Tokenizer);
        let tables = Tables { exp2: reader.vector(Kind::Exp2), sigmoid: reader.vector(Kind::Sigmoid) };
        let rope = Rope { turns: reader.vector(Kind::Rope), pairs: shape.head_size() / 2 };
        let embedding = if shape.shared_classifier { None } else { Some(reader.matrix(Kind::Embedding)) };
        let layers = (0..shape.n_layers).map(|_| reader.layer()).collect();
        let rms_final = reader.gain(Kind::RmsFinal);
        let classifier = reader.matrix(Kind::Classifier);
        let sector = (shape == Shape::STORIES260K).then(|| reader.sector());
        reader.finish(header.payload_crc)?;
        let tokenizer = Tokenizer::parse(tokenizer, shape.vocab_size).map_err(PackedError::Tokenizer)?;
        let name = header.name.clone();
        let model =
            Self { shape, name, tokenizer, tables, rope, embedding, layers, rms_final, classifier, sector };
        if let Some(kind) = model.number_out_of_range() {
            return Err(PackedError::Number(kind));
        }
        Ok(model)
    }

    /// A tensor with a number that the engine's arithmetic does not expect. Weights and gains may be
    /// anything.
    fn number_out_of_range(&self) -> Option<Kind> {
        use crate::{rope::ROPE_BITS, tables::TABLE_BITS};
        let above_one = |table: &[u32]| table.iter().any(|&entry| entry > 1 << TABLE_BITS);
        let scales = |matrix: &Matrix| matrix.scales.iter().any(|&scale| scale >> SCALE_BITS > 0);
        let in_layers = |matrix: fn(&Layer) -> &Matrix| self.layers.iter().any(|layer| scales(matrix(layer)));
        let mut turns = self.rope.turns.as_flattened().iter();
        [
            (Kind::Exp2, above_one(&self.tables.exp2)),
            (Kind::Sigmoid, above_one(&self.tables.sigmoid)),
            (Kind::Rope, turns.any(|turn| turn.unsigned_abs() > 1 << ROPE_BITS)),
            (Kind::Embedding, scales(self.embedding())),
            (Kind::Wqkv, in_layers(|layer| &layer.wqkv)),
            (Kind::Wo, in_layers(|layer| &layer.wo)),
            (Kind::W13, in_layers(|layer| &layer.w13)),
            (Kind::W2, in_layers(|layer| &layer.w2)),
            (Kind::Classifier, scales(&self.classifier)),
        ]
        .into_iter()
        .find_map(|(kind, bad)| bad.then_some(kind))
    }
}

/// Reads tensors in the directory's order and adds them to the CRC.
///
/// The first error stays: after it all tensors are empty, and [`Self::finish`] returns it. To return
/// it from each read would double the loader's code, which has to fit a 64 KB segment.
struct TensorReader<'a, S: Source> {
    source: &'a mut S,
    crc: Crc32,
    entries: core::slice::Iter<'a, Entry>,
    error: Option<PackedError<S::Error>>,
}

/// The entry that stands for one that is missing.
const NO_ENTRY: Entry =
    Entry { kind: Kind::Tokenizer, layer: 0, rows: 0, cols: 0, exponent: 0, fraction_bits: 0, offset: 0 };

impl<S: Source> TensorReader<'_, S> {
    /// The first error, if there was one; then the CRC is checked.
    fn finish(self, expected: u32) -> Result<(), PackedError<S::Error>> {
        match (self.error, self.crc.finish()) {
            (Some(error), _) => Err(error),
            (None, found) if found != expected => Err(PackedError::Crc { part: "data", expected, found }),
            _ => Ok(()),
        }
    }

    /// The next directory entry, which is of `kind`: the header was checked against the shape.
    fn entry(&mut self, kind: Kind) -> Entry {
        match self.entries.next() {
            Some(entry) if entry.kind == kind => *entry,
            _ => {
                self.error.get_or_insert(PackedError::Directory { entry: kind as usize });
                NO_ENTRY
            }
        }
    }

    /// Fills `out` with the next bytes.
    #[inline(never)]
    fn fill(&mut self, out: &mut [u8]) {
        if self.error.is_none() {
            match self.source.read(out) {
                Ok(()) => self.crc.update(out),
                Err(error) => self.error = Some(PackedError::Read(error)),
            }
        }
    }

    /// Reads `bytes` bytes as numbers.
    fn numbers<T: Pod>(&mut self, kind: Kind, bytes: u64) -> Vec<T> {
        if self.error.is_some() {
            return Vec::new();
        }
        // A length that 32 bits do not hold is refused as memory that is not there.
        let count = usize::try_from(bytes).unwrap_or(usize::MAX) / size_of::<T>();
        let Ok(mut numbers) = zeroed::<T>(count) else {
            self.error = Some(PackedError::OutOfMemory { kind, bytes });
            return Vec::new();
        };
        self.fill(bytemuck::cast_slice_mut(&mut numbers));
        numbers
    }

    /// Reads what fills up to the next tensor: less than [`TENSOR_ALIGN`] bytes.
    fn padding(&mut self, entry: &Entry) {
        let mut bytes = [0; TENSOR_ALIGN as usize];
        let count = (entry.padded_bytes() - entry.bytes()) as usize;
        self.fill(&mut bytes[..count]);
    }

    fn vector<T: Pod>(&mut self, kind: Kind) -> Vec<T> {
        let entry = self.entry(kind);
        let vector = self.numbers(kind, entry.bytes());
        self.padding(&entry);
        vector
    }

    fn layer(&mut self) -> Layer {
        Layer {
            rms_att: self.gain(Kind::RmsAtt),
            wqkv: self.matrix(Kind::Wqkv),
            wo: self.matrix(Kind::Wo),
            rms_ffn: self.gain(Kind::RmsFfn),
            w13: self.matrix(Kind::W13),
            w2: self.matrix(Kind::W2),
        }
    }

    fn sector(&mut self) -> SectorWeights {
        let kind = Kind::Sector;
        let entry = self.entry(kind);
        let [embedding, rms_att, rms_ffn, rms_final, turns, exp, silu, scales] =
            SectorWeights::WORDS.map(|words| 4 * words as u64);
        let [wqkv, wo, w13, w2] = SectorWeights::BYTES.map(|bytes| bytes as u64);
        let weights = SectorWeights {
            embedding: self.numbers(kind, embedding),
            rms_att: self.numbers(kind, rms_att),
            rms_ffn: self.numbers(kind, rms_ffn),
            rms_final: self.numbers(kind, rms_final),
            turns: self.numbers(kind, turns),
            exp: self.numbers(kind, exp),
            silu: self.numbers(kind, silu),
            scales: self.numbers(kind, scales),
            wqkv: self.numbers(kind, wqkv),
            wo: self.numbers(kind, wo),
            w13: self.numbers(kind, w13),
            w2: self.numbers(kind, w2),
        };
        self.padding(&entry);
        weights
    }

    fn gain(&mut self, kind: Kind) -> Gain {
        let entry = self.entry(kind);
        let values = self.numbers(kind, entry.bytes());
        self.padding(&entry);
        Gain { values, exponent: entry.exponent }
    }

    fn matrix(&mut self, kind: Kind) -> Matrix {
        let entry = self.entry(kind);
        let (rows, cols) = (entry.rows as usize, entry.cols as usize);
        let scale_bytes = 4 * (Matrix::blocks(rows) * TILE_ROWS) as u64;
        let scales = self.numbers(kind, scale_bytes);
        let tiles = self.numbers(kind, entry.bytes().saturating_sub(scale_bytes));
        self.padding(&entry);
        let (exponent, fraction_bits) = (entry.exponent, entry.fraction_bits);
        Matrix { rows, cols, exponent, fraction_bits, scales, tiles }
    }
}
