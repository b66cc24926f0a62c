//! Packed models made of any bytes, and run.
use model::crc32::crc32;
use model::engine::Engine;
use model::int8::Int8;
use model::packed::{HEADER_PREFIX, MAGIC, Packed, PackedError, PackedHeader, VERSION};
use model::sectorllm::Sectorllm;
use model::simd::Simd;
use model::source::EndOfSource;

/// Why an engine is always there.
const MEMORY: &str = "there is memory for a small model";
/// Positions that are read of each model.
const POSITIONS: usize = 3;
/// Models that would take more memory are not loaded: a fuzzer's inputs are small, so they lie.
const MOST_MEMORY: u64 = 16 << 20;

/// Writes a packed model's magic, version and both CRCs over what is there, so that the rest of the
/// header and the tensors are read at all. Bytes that are too few stay as they are.
pub fn repair(bytes: &mut [u8]) {
    if bytes.len() < HEADER_PREFIX {
        return;
    }
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let size = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes")) as usize;
    let Some((header, payload)) = bytes.split_at_mut_checked(size) else { return };
    if size >= HEADER_PREFIX {
        header[20..24].copy_from_slice(&crc32(payload).to_le_bytes());
        let crc = crc32(&header[20..]);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Reads a packed model, header and tensors. `None` where the header promises more than there is.
pub fn load(bytes: &[u8]) -> Option<Result<Packed, PackedError<EndOfSource>>> {
    let mut rest = bytes;
    let header = match PackedHeader::read(&mut rest) {
        Ok(header) => header,
        Err(error) => return Some(Err(error)),
    };
    if header.packed_bytes() > bytes.len() as u64 || header.memory(POSITIONS).total() > MOST_MEMORY {
        return None;
    }
    Some(Packed::read_payload(header, &mut rest).and_then(|packed| packed.check().map(|()| packed)))
}

/// Runs the first positions of a model with all SIMD and asserts that all give the same logits.
pub fn run(packed: &Packed) {
    let shape = packed.header.shape;
    let context = POSITIONS.min(shape.seq_len);
    let last = shape.vocab_size as u32 - 1;
    let all_logits: Vec<Vec<i32>> = Simd::all()
        .into_iter()
        .map(|simd| {
            let mut engine: Box<dyn Engine> = match (packed.model(), packed.sectorllm()) {
                (Some(model), _) => Box::new(Int8::new(model, context, simd).expect(MEMORY)),
                (None, weights) => {
                    Box::new(Sectorllm::new(weights.expect("one of the two"), context).expect(MEMORY))
                }
            };
            // One position past the context, so that the window rolls.
            let logits = (0..=context).map(|pos| {
                let token = last.saturating_sub(pos as u32);
                engine.forward(token, pos).to_vec()
            });
            logits.collect::<Vec<_>>().concat()
        })
        .collect();
    assert!(all_logits.iter().all(|logits| logits.len() == (context + 1) * shape.vocab_size));
    assert!(all_logits.iter().all(|logits| *logits == all_logits[0]), "SIMD differs");
}
