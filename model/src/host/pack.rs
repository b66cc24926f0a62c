//! The packer: reads a checkpoint tensor by tensor, quantizes, and writes the packed model in the
//! order in which the machine will read it.
use super::checkpoint::{Checkpoint, CheckpointError, Weight};
use super::coding::{Choice, choose, parts, weights};
use super::quantize::{
    Feeding, QuantizedMatrix, fraction_bits_after_norm, quantize_groups, quantize_matrix,
    quantize_norm_weight,
};
use super::sectorllm::sectorllm_bytes;
use crate::crc32::CRC32_OF_MANY;
use crate::engine::EngineKind;
use crate::matrix::Coding;
use crate::packed::{Entry, Kind, Packed, PackedHeader, TENSOR_ALIGN, layout};
use crate::rope::ROPE_BITS;
use crate::sampler::LOGIT_BITS;
use crate::shape::Shape;
use crate::tables::{EXP2_ENTRIES, EXP2_POINT_BITS, SIGMOID_ENTRIES, SIGMOID_POINT_BITS, TABLE_BITS};
use crate::vocabulary::{Vocabulary, VocabularyError};
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Why a model cannot be packed.
#[derive(Debug)]
pub enum PackError {
    /// The checkpoint is not good.
    Checkpoint(CheckpointError),
    /// The vocabulary is not the model's.
    Vocabulary(VocabularyError),
    /// The packed model could not be written.
    Write(io::Error),
    /// The packed model would be longer than 4 GB.
    TooLarge,
    /// The 1356-byte mode runs one shape only.
    NotForSectorllm {
        /// The model's shape.
        shape: Shape,
    },
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(error) => write!(f, "{error}"),
            Self::Vocabulary(error) => write!(f, "{error}"),
            Self::Write(error) => write!(f, "the packed model cannot be written: {error}"),
            Self::NotForSectorllm { shape } => write!(
                f,
                "the 1356-byte mode runs models of the shape of stories260K only, this one is {shape}; \
                 use the engine int8"
            ),
            Self::TooLarge => {
                f.write_str("the packed model would be larger than 4 GB, the most that can be run")
            }
        }
    }
}

impl std::error::Error for PackError {}

impl From<CheckpointError> for PackError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

/// The header of a checkpoint's packed model with this shape, which may have another context than the
/// checkpoint's, before anything is packed: all its sizes are right, it has no name, and what the packer chooses
/// is 0.
///
/// # Errors
/// A packed model that would be too large.
pub fn plan<R: Read + Seek>(
    engine: EngineKind,
    checkpoint: &Checkpoint<R>,
    shape: Shape,
    vocabulary: &[u32],
) -> Result<PackedHeader, PackError> {
    let vocabulary_bytes = u32::try_from(size_of_val(vocabulary)).map_err(|_| PackError::TooLarge)?;
    let norm = checkpoint.config().norm();
    let coding = |_, kind, layer: u16| Some(choose(checkpoint, kind, layer.into()).coding);
    let entries = layout(engine, &shape, vocabulary_bytes, coding, PackedHeader::bytes_for)
        .ok_or(PackError::TooLarge)?;
    Ok(PackedHeader { engine, shape, norm, name: String::new(), payload_crc: 0, entries })
}

/// Packs a checkpoint and its vocabulary ([`super::vocabulary`]) for an engine into `out`, from where it stands on.
/// `progress` is told how many bytes of how many have been written. Returns the header.
pub fn pack<R: Read + Seek, W: Write + Seek>(
    engine: EngineKind,
    checkpoint: &mut Checkpoint<R>,
    vocabulary: &[u32],
    name: &str,
    out: &mut W,
    mut progress: impl FnMut(u64, u64),
) -> Result<PackedHeader, PackError> {
    let shape = checkpoint.shape();
    Vocabulary::parse(vocabulary, shape.vocab_size).map_err(PackError::Vocabulary)?;
    if engine == EngineKind::Sectorllm && shape != Shape::STORIES260K {
        return Err(PackError::NotForSectorllm { shape });
    }
    let mut header = PackedHeader { name: name.to_owned(), ..plan(engine, checkpoint, shape, vocabulary)? };
    let residual_bits = header.norm.residual_bits;
    let total = header.packed_bytes();
    let start = out.stream_position().map_err(PackError::Write)?;
    // The header holds a CRC of all that follows: its place is kept, it is written last.
    out.write_all(&vec![0; header.to_bytes().len()]).map_err(PackError::Write)?;
    let mut crc = CRC32_OF_MANY.digest();
    for entry in &mut header.entries {
        let mut bytes = tensor(checkpoint, vocabulary, residual_bits, entry)?;
        debug_assert_eq!(bytes.len() as u64, entry.bytes());
        bytes.resize(bytes.len().next_multiple_of(TENSOR_ALIGN as usize), 0);
        crc.update(&bytes);
        out.write_all(&bytes).map_err(PackError::Write)?;
        progress(u64::from(entry.offset) + bytes.len() as u64, total);
    }
    header.payload_crc = crc.finalize();
    out.seek(SeekFrom::Start(start)).map_err(PackError::Write)?;
    out.write_all(&header.to_bytes()).map_err(PackError::Write)?;
    out.seek(SeekFrom::Start(start + total)).map_err(PackError::Write)?;
    Ok(header)
}

/// Packs a checkpoint for an engine of this program.
///
/// # Errors
/// As [`pack`].
pub fn pack_in_memory<R: Read + Seek>(
    engine: EngineKind,
    checkpoint: &mut Checkpoint<R>,
    vocabulary: &[u32],
    name: &str,
) -> Result<Packed, PackError> {
    let mut out = io::Cursor::new(Vec::new());
    pack(engine, checkpoint, vocabulary, name, &mut out, |_, _| {})?;
    Ok(Packed::read(&mut &out.into_inner()[..]).expect("what was just packed can be read"))
}

/// The bytes of one tensor; fills in what its entry says about its numbers.
fn tensor<R: Read + Seek>(
    checkpoint: &mut Checkpoint<R>,
    vocabulary: &[u32],
    residual_bits: i32,
    entry: &mut Entry,
) -> Result<Vec<u8>, PackError> {
    let shape = checkpoint.shape();
    let layer = entry.layer.into();
    if entry.kind == Kind::Rope {
        return Ok(bytes_of(&rope_table(shape.seq_len, &checkpoint.config().rope_frequencies)));
    }
    let mut read = |weight| checkpoint.read(weight, layer);
    match entry.kind {
        Kind::Vocabulary => return Ok(bytes_of(vocabulary)),
        Kind::Exp2 => return Ok(bytes_of(&exp2_table())),
        Kind::Sigmoid => return Ok(bytes_of(&sigmoid_table())),
        Kind::RmsAtt => return Ok(norm_weight(entry, &read(Weight::RmsAtt)?)),
        Kind::RmsFfn => return Ok(norm_weight(entry, &read(Weight::RmsFfn)?)),
        Kind::RmsFinal => return Ok(norm_weight(entry, &read(Weight::RmsFinal)?)),
        Kind::Sectorllm => return Ok(sectorllm_bytes(checkpoint)?),
        _ => {}
    }
    let matrix = matrix(checkpoint, residual_bits, entry, None)?;
    entry.exponent = matrix.exponent;
    entry.fraction_bits = matrix.fraction_bits;
    Ok([bytemuck::cast_slice(&matrix.scales), matrix.blocks()].concat())
}

/// A matrix as its entry has it. `feeding`: how errors of rounding are fed on, if they are.
pub(super) fn matrix<R: Read + Seek>(
    checkpoint: &mut Checkpoint<R>,
    residual_bits: i32,
    entry: &Entry,
    feeding: Option<&Feeding>,
) -> Result<QuantizedMatrix, CheckpointError> {
    let (kind, layer) = (entry.kind, entry.layer.into());
    let Choice { coding, as_codes } = choose(checkpoint, kind, layer);
    let norm = match kind {
        Kind::Wqkv => Some(checkpoint.read(Weight::RmsAtt, layer)?),
        Kind::W13 => Some(checkpoint.read(Weight::RmsFfn, layer)?),
        _ => None,
    };
    // Numbers are read where they are rounded, or where a norm comes before.
    let numbers: Result<Vec<Vec<f32>>, _> = match coding {
        Coding::Groups(_) if norm.is_none() => Ok(Vec::new()),
        _ => {
            weights(kind, &checkpoint.shape()).iter().map(|&weight| checkpoint.read(weight, layer)).collect()
        }
    };
    let numbers = numbers?;
    let rows: Vec<&[f32]> = numbers.iter().map(Vec::as_slice).collect();
    let fraction_bits = match (norm, kind) {
        (Some(norm), _) => fraction_bits_after_norm(&rows, &norm),
        (None, Kind::Classifier) => LOGIT_BITS,
        _ => residual_bits,
    };
    let cols = entry.cols as usize;
    Ok(match coding {
        Coding::Rows => quantize_matrix(&rows, cols, fraction_bits, feeding),
        Coding::Groups(grouped) => {
            let parts = parts(checkpoint, kind, layer, as_codes)?;
            quantize_groups(&parts, cols, grouped, fraction_bits, feeding)
        }
    })
}

fn norm_weight(entry: &mut Entry, weights: &[f32]) -> Vec<u8> {
    let (values, exponent) = quantize_norm_weight(weights);
    entry.exponent = exponent;
    bytes_of(&values)
}

fn bytes_of<T: bytemuck::Pod>(numbers: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(numbers).to_vec()
}

/// A number from 0 to 1 as a table entry.
fn entry_of(value: f64) -> u32 {
    (value * f64::from(1 << TABLE_BITS)).round() as u32
}

/// The table of 2^-x: see [`crate::tables`].
pub fn exp2_table() -> Vec<u32> {
    (0..EXP2_ENTRIES).map(|i| entry_of((-(i as f64) / f64::from(1 << EXP2_POINT_BITS)).exp2())).collect()
}

/// The table of the logistic function: see [`crate::tables`].
pub fn sigmoid_table() -> Vec<u32> {
    let x = |i: usize| i as f64 / f64::from(1 << SIGMOID_POINT_BITS);
    (0..SIGMOID_ENTRIES).map(|i| entry_of(1.0 / (1.0 + (-x(i)).exp()))).collect()
}

/// RoPE's cosines and sines, `[position][pair][cosine, sine]`.
pub fn rope_table(seq_len: usize, frequencies: &[f64]) -> Vec<[i32; 2]> {
    let one = f64::from(1 << ROPE_BITS);
    let cos_sin = |position: usize, frequency: f64| {
        let (sin, cos) = (position as f64 * frequency).sin_cos();
        [(cos * one).round() as i32, (sin * one).round() as i32]
    };
    (0..seq_len)
        .flat_map(|position| frequencies.iter().map(move |&frequency| cos_sin(position, frequency)))
        .collect()
}
