//! The model in memory, and the loader that puts it there: one allocation a tensor.
use super::layout::{Entry, Kind};
use super::{PackedError, PackedHeader};
use crate::attention::zeroed;
use crate::crc32::Crc32;
use crate::matrix::{Matrix, TILE_ROWS};
use crate::norm::Gain;
use crate::rope::{ROPE_BITS, Rope};
use crate::sector::SectorWeights;
use crate::shape::Shape;
use crate::source::Source;
use crate::tables::{TABLE_BITS, Tables};
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
        let mut reader = TensorReader { source, crc: Crc32::new(), entries: header.entries.iter() };
        let tokenizer = reader.vector(Kind::Tokenizer)?;
        let tokenizer = Tokenizer::parse(tokenizer, shape.vocab_size);
        let tables = Tables { exp2: reader.vector(Kind::Exp2)?, sigmoid: reader.vector(Kind::Sigmoid)? };
        let rope = Rope { turns: reader.vector(Kind::Rope)?, pairs: shape.head_size() / 2 };
        let embedding = if shape.shared_classifier { None } else { Some(reader.matrix(Kind::Embedding)?) };
        let mut layers = Vec::with_capacity(shape.n_layers);
        for _ in 0..shape.n_layers {
            layers.push(Layer {
                rms_att: reader.gain(Kind::RmsAtt)?,
                wqkv: reader.matrix(Kind::Wqkv)?,
                wo: reader.matrix(Kind::Wo)?,
                rms_ffn: reader.gain(Kind::RmsFfn)?,
                w13: reader.matrix(Kind::W13)?,
                w2: reader.matrix(Kind::W2)?,
            });
        }
        let rms_final = reader.gain(Kind::RmsFinal)?;
        let classifier = reader.matrix(Kind::Classifier)?;
        let sector = if shape == Shape::STORIES260K { Some(reader.sector()?) } else { None };
        let found = reader.crc.finish();
        if found != header.payload_crc {
            return Err(PackedError::Crc { part: "data", expected: header.payload_crc, found });
        }
        let tokenizer = tokenizer.map_err(PackedError::Tokenizer)?;
        let name = header.name.clone();
        let model =
            Self { shape, name, tokenizer, tables, rope, embedding, layers, rms_final, classifier, sector };
        match model.number_out_of_range() {
            Some(kind) => Err(PackedError::Number(kind)),
            None => Ok(model),
        }
    }

    /// A tensor with a number that the engine's arithmetic does not expect. Weights and gains may be
    /// anything.
    fn number_out_of_range(&self) -> Option<Kind> {
        let above_one = |table: &[u32]| table.iter().any(|&entry| entry > 1 << TABLE_BITS);
        let scales = |matrix: &Matrix| matrix.scales.iter().any(|&scale| scale > i32::MAX as u32);
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
struct TensorReader<'a, S> {
    source: &'a mut S,
    crc: Crc32,
    entries: core::slice::Iter<'a, Entry>,
}

impl<S: Source> TensorReader<'_, S> {
    /// The next directory entry, which is of `kind`: the header was checked against the shape.
    fn entry(&mut self, kind: Kind) -> Result<Entry, PackedError<S::Error>> {
        let entry = self.entries.next().filter(|entry| entry.kind == kind);
        entry.copied().ok_or(PackedError::Directory { entry: kind as usize })
    }

    /// Reads `bytes` bytes as numbers.
    fn numbers<T: Pod>(&mut self, kind: Kind, bytes: u64) -> Result<Vec<T>, PackedError<S::Error>> {
        let no_memory = || PackedError::OutOfMemory { kind, bytes };
        let size = usize::try_from(bytes).map_err(|_| no_memory())?;
        let mut numbers = zeroed::<T>(size / size_of::<T>()).map_err(|_| no_memory())?;
        let bytes = bytemuck::cast_slice_mut(&mut numbers);
        self.source.read(bytes).map_err(PackedError::Read)?;
        self.crc.update(bytes);
        Ok(numbers)
    }

    /// Reads what fills up to the next tensor.
    fn padding(&mut self, entry: &Entry) -> Result<(), PackedError<S::Error>> {
        let bytes = entry.padded_bytes() - entry.bytes();
        self.numbers::<u8>(entry.kind, bytes).map(drop)
    }

    fn vector<T: Pod>(&mut self, kind: Kind) -> Result<Vec<T>, PackedError<S::Error>> {
        let entry = self.entry(kind)?;
        let vector = self.numbers(kind, entry.bytes())?;
        self.padding(&entry)?;
        Ok(vector)
    }

    fn sector(&mut self) -> Result<SectorWeights, PackedError<S::Error>> {
        let kind = Kind::Sector;
        let entry = self.entry(kind)?;
        let [embedding, rms_att, rms_ffn, rms_final, turns, exp, silu, scales] =
            SectorWeights::WORDS.map(|words| 4 * words as u64);
        let [wqkv, wo, w13, w2] = SectorWeights::BYTES.map(|bytes| bytes as u64);
        let weights = SectorWeights {
            embedding: self.numbers(kind, embedding)?,
            rms_att: self.numbers(kind, rms_att)?,
            rms_ffn: self.numbers(kind, rms_ffn)?,
            rms_final: self.numbers(kind, rms_final)?,
            turns: self.numbers(kind, turns)?,
            exp: self.numbers(kind, exp)?,
            silu: self.numbers(kind, silu)?,
            scales: self.numbers(kind, scales)?,
            wqkv: self.numbers(kind, wqkv)?,
            wo: self.numbers(kind, wo)?,
            w13: self.numbers(kind, w13)?,
            w2: self.numbers(kind, w2)?,
        };
        self.padding(&entry)?;
        Ok(weights)
    }

    fn gain(&mut self, kind: Kind) -> Result<Gain, PackedError<S::Error>> {
        let entry = self.entry(kind)?;
        let values = self.numbers(kind, entry.bytes())?;
        self.padding(&entry)?;
        Ok(Gain { values, exponent: entry.exponent })
    }

    fn matrix(&mut self, kind: Kind) -> Result<Matrix, PackedError<S::Error>> {
        let entry = self.entry(kind)?;
        let (rows, cols) = (entry.rows as usize, entry.cols as usize);
        let scale_bytes = 4 * (Matrix::blocks(rows) * TILE_ROWS) as u64;
        let scales = self.numbers(kind, scale_bytes)?;
        let tiles = self.numbers(kind, entry.bytes() - scale_bytes)?;
        self.padding(&entry)?;
        let (exponent, fraction_bits) = (entry.exponent, entry.fraction_bits);
        Ok(Matrix { rows, cols, exponent, fraction_bits, scales, tiles })
    }
}
