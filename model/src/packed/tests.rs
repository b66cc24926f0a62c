use super::*;
use crate::engine::{Engine, EngineKind};
use crate::host::checkpoint::Checkpoint;
use crate::host::gguf::TensorType;
use crate::host::pack::{PackError, pack};
use crate::host::packed::fit_name;
use crate::host::synth::{SyntheticGguf, parse_shape, write_checkpoint};
use crate::host::vocabulary::llama2c;
use crate::int8::Int8;
use crate::simd::Simd;
use crate::source::EndOfSource;
use proptest::prelude::*;
use std::io::Cursor;

/// A small packed model with every kind of tensor but the 1356-byte mode's.
fn small() -> Vec<u8> {
    packed("12,20,2,3,1,-30,5")
}

fn packed(shape: &str) -> Vec<u8> {
    packed_for(EngineKind::Int8, shape).unwrap()
}

fn packed_for(engine: EngineKind, shape: &str) -> Result<Vec<u8>, PackError> {
    let shape = parse_shape(shape).unwrap();
    let mut file = Cursor::new(Vec::new());
    write_checkpoint(&shape, 1, &mut file).unwrap();
    let mut checkpoint = Checkpoint::open(file).unwrap();
    let mut out = Cursor::new(Vec::new());
    let vocabulary = llama2c::pack(&vec![0; 4 + 8 * shape.vocab_size]).unwrap();
    pack(engine, &mut checkpoint, &vocabulary, "größer", &mut out, |_, _| {})?;
    Ok(out.into_inner())
}

/// A small packed model of a GGUF, with weights in groups.
fn in_groups(tensor_type: TensorType) -> Vec<u8> {
    let model = SyntheticGguf::of_shape("32,48,2,2,1,-300,5").unwrap();
    let mut file = Cursor::new(Vec::new());
    // Rows of 48 end within a group.
    let type_of = |_: &str, columns: usize| if columns == 32 { tensor_type } else { TensorType::F16 };
    model.write(1, type_of, &mut file).unwrap();
    let mut checkpoint = Checkpoint::open(file).unwrap();
    let mut out = Cursor::new(Vec::new());
    let vocabulary = llama2c::pack(&vec![0; 4 + 8 * 300]).unwrap();
    pack(EngineKind::Int8, &mut checkpoint, &vocabulary, "groups", &mut out, |_, _| {}).unwrap();
    out.into_inner()
}

fn load(mut bytes: &[u8]) -> Result<Packed, PackedError<EndOfSource>> {
    let packed = Packed::read(&mut bytes)?;
    packed.check()?;
    Ok(packed)
}

/// Repairs both CRCs after a change.
fn with_good_crcs(mut bytes: Vec<u8>) -> Vec<u8> {
    let size = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let crc = crate::crc32::crc32(&bytes[size..]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    with_header_crc(bytes)
}

/// Repairs a header's CRC after a change.
fn with_header_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let size = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let crc = crate::crc32::crc32(&bytes[20..size]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn what_was_packed_is_loaded() {
    let bytes = small();
    let packed = load(&bytes).unwrap();
    let (header, text, model) = (&packed.header, packed.text().unwrap(), packed.model().unwrap());
    assert_eq!(header.to_bytes(), bytes[..header.to_bytes().len()]);
    assert_eq!(header.packed_bytes(), bytes.len() as u64);
    assert_eq!(text.name, "größer");
    assert_eq!(model.shape, parse_shape("12,20,2,3,1,-30,5").unwrap());
    assert_eq!(model.layers.len(), 2);
    assert_eq!(text.vocabulary.vocab_size(), 30);
    assert!(packed.sectorllm().is_none());
}

#[test]
fn each_engine_has_weights_of_its_own() {
    let shape = "64,172,5,8,4,512,512";
    let packed = load(&packed_for(EngineKind::Sectorllm, shape).unwrap()).unwrap();
    assert!(packed.sectorllm().is_some() && packed.model().is_none());
    assert_eq!(packed.text().unwrap().vocabulary.vocab_size(), 512);
    let refusal = packed_for(EngineKind::Sectorllm, "12,20,2,3,1,-30,5").unwrap_err().to_string();
    assert!(refusal.contains("this one is 12/20/2/3/1/30/5"), "{refusal}");
}

#[test]
fn tensors_stand_one_after_the_other_and_aligned() {
    let header = load(&small()).unwrap().header;
    let mut end = u64::from(PackedHeader::bytes_for(header.entries.len()));
    for entry in &header.entries {
        assert_eq!(u64::from(entry.offset), end);
        assert_eq!(end % TENSOR_ALIGN, 0);
        end += entry.padded_bytes();
    }
}

#[test]
fn a_model_cut_anywhere_is_refused() {
    let bytes = small();
    for end in 0..bytes.len() {
        assert!(matches!(load(&bytes[..end]), Err(PackedError::Read(EndOfSource))), "cut at {end}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = small();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(load(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn a_header_that_lies_with_a_good_crc_is_refused() {
    let bytes = small();
    let with = |at: usize, value: u32| {
        let mut changed = bytes.clone();
        changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
        load(&with_header_crc(changed)).map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(0, 0), PackedError::Magic));
    assert!(matches!(with(8, VERSION + 1), PackedError::Version(v) if v == VERSION + 1));
    assert!(matches!(with(24, 0), PackedError::Directory { .. }), "payload bytes");
    assert!(matches!(with(28, 0), PackedError::Directory { .. }));
    assert!(matches!(with(28, u32::MAX), PackedError::Directory { .. }));
    assert!(matches!(with(36, 21), PackedError::Directory { .. }), "hidden_dim");
    assert!(matches!(with(32, 0), PackedError::Shape(_)), "dim");
    assert!(matches!(with(52, u32::MAX), PackedError::Shape(_)), "vocab_size");
    assert!(matches!(with(64, 0xFFFF_FFFF), PackedError::Name));
    // Each word of each entry but exponent and fraction bits (3 and 4), which the packer chooses.
    let entries = load(&bytes).unwrap().header.entries.len();
    for entry in 0..entries {
        for word in [0, 1, 2, 5, 6] {
            let error = with(HEADER_PREFIX + 32 * entry + 4 * word, 0x7777_7777);
            assert!(matches!(error, PackedError::Directory { .. }), "entry {entry} word {word}: {error}");
        }
    }
    // A coding that there is not, and one of another length.
    for coding in [1, 4 | 64 << 8, 4 | 32 << 8, 8 | 16 << 8, 8 | 32 << 8 | 2 << 16] {
        let error = with(HEADER_PREFIX + 32 * (entries - 1) + 28, coding);
        assert!(matches!(error, PackedError::Directory { .. }), "coding {coding:#x}: {error}");
    }
    // Exponents that no sum of two of them may overflow: in the classifier's entry.
    for (word, value) in [(3, i32::MIN), (4, i32::MIN), (3, 1 << 16), (4, -(1 << 16))] {
        let error = with(HEADER_PREFIX + 32 * (entries - 1) + 4 * word, value as u32);
        assert!(matches!(error, PackedError::Directory { .. }), "word {word} is {value}: {error}");
    }
    // A vocabulary that ends within a word.
    let mut odd = bytes.clone();
    let bytes_of_vocabulary = load(&bytes).unwrap().header.entries[0].cols - 1;
    for word in [2, 6] {
        let at = HEADER_PREFIX + 4 * word;
        odd[at..at + 4].copy_from_slice(&bytes_of_vocabulary.to_le_bytes());
    }
    assert!(matches!(load(&with_good_crcs(odd)), Err(PackedError::Directory { entry: 0 })));
    let mut huge = bytes.clone();
    huge[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(load(&huge), Err(PackedError::HeaderSize(u32::MAX))));
}

/// Where the scales of a matrix are in the file.
fn scales_of(entry: &Entry) -> impl Iterator<Item = usize> + use<> {
    use Kind::{Classifier, Embedding, W2, W13, Wo, Wqkv};
    let is_matrix = [Embedding, Wqkv, Wo, W13, W2, Classifier].contains(&entry.kind);
    let scales = if is_matrix { (entry.rows as usize).next_multiple_of(16) } else { 0 };
    let start = entry.offset as usize;
    (0..scales).map(move |row| start + 4 * row)
}

proptest! {
    /// Whatever weights a packed model holds, it runs: no overflow (tests are built with checks), no
    /// index out of bounds, the same logits with all SIMD.
    #[test]
    fn any_weights_run(
        noise in prop::collection::vec(any::<u8>(), 64), places: Vec<u32>, which in 0usize..5
    ) {
        let types = [TensorType::Q4_1, TensorType::Q5_1, TensorType::Q8_0, TensorType::F32];
        let mut bytes = types.get(which).map_or_else(small, |&tensor_type| in_groups(tensor_type));
        let header = load(&bytes).unwrap().header;
        let start = header.entries[4].offset as usize; // after the tables, which have a test below
        for (i, place) in places.iter().enumerate() {
            let at = start + *place as usize % (bytes.len() - start - 4);
            bytes[at..at + 4].copy_from_slice(&noise[i % 16 * 4..][..4]);
        }
        for scale in header.entries.iter().flat_map(scales_of) {
            bytes[scale + 2..scale + 4].fill(0); // larger ones are refused
        }
        for entry in 0..header.entries.len() {
            let exponents = HEADER_PREFIX + 32 * entry + 12;
            let noise = [noise[entry] as i8, noise[entry + 1] as i8].map(i32::from);
            bytes[exponents..exponents + 8].copy_from_slice(bytemuck::bytes_of(&noise));
        }
        let packed = load(&with_good_crcs(bytes)).unwrap();
        let mut all_logits = Vec::new();
        for simd in Simd::all() {
            let mut engine = Int8::new(packed.model().unwrap(), 5, simd).unwrap();
            let logits = (0..5).flat_map(|pos| engine.forward(29 - pos as u32, pos).to_vec());
            all_logits.push(logits.collect::<Vec<_>>());
        }
        prop_assert!(all_logits.iter().all(|logits| *logits == all_logits[0]));
    }

    #[test]
    fn any_bytes_are_no_header(mut bytes in prop::collection::vec(any::<u8>(), 20..400)) {
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let size = bytes.len() as u32;
        bytes[12..16].copy_from_slice(&size.to_le_bytes());
        if size as usize >= HEADER_PREFIX {
            bytes = with_header_crc(bytes);
        }
        prop_assert!(load(&bytes).is_err());
    }
}

#[test]
fn numbers_that_no_packer_writes_are_refused() {
    let bytes = small();
    let header = load(&bytes).unwrap().header;
    let mut refused = Vec::new();
    for entry in &header.entries {
        let mut changed = bytes.clone();
        changed[entry.offset as usize..][..4].copy_from_slice(&0x8000_0001u32.to_le_bytes());
        if let Err(PackedError::Number(kind)) = load(&with_good_crcs(changed)) {
            refused.push(kind);
        }
    }
    let layer = [Kind::Wqkv, Kind::Wo, Kind::W13, Kind::W2];
    let tables = [Kind::Exp2, Kind::Sigmoid, Kind::Rope, Kind::Embedding];
    assert_eq!(refused, [&tables[..], &layer, &layer, &[Kind::Classifier]].concat());
}

#[test]
fn memory_is_the_sum_of_what_is_allocated() {
    let packed = load(&small()).unwrap();
    let (header, model) = (&packed.header, packed.model().unwrap());
    let tiles = |matrix: &crate::matrix::Matrix| matrix.blocks.len() + 4 * matrix.scales.len();
    let matrices: usize = model.layers.iter().flat_map(|l| [&l.wqkv, &l.wo, &l.w13, &l.w2]).map(tiles).sum();
    let memory = header.memory(5);
    assert!(memory.weights > matrices as u64);
    assert!(memory.weights < header.packed_bytes() + 4 * 31);
    // 2 layers, 1 key/value head, 8 positions (5 in whole groups), 4 values of 2 bytes and a scale
    // for keys and for values
    assert!(memory.kv_cache >= 2 * 5 * 2 * (2 * 4 + 4), "{}", memory.kv_cache);
    assert_eq!(memory.total(), memory.weights + memory.kv_cache + memory.activations + memory.text);
}

#[test]
fn names_are_cut_between_characters() {
    assert_eq!(fit_name("stories260K"), "stories260K");
    let long = "ü".repeat(40);
    assert_eq!(fit_name(&long), "ü".repeat(32));
    assert_eq!(fit_name(&format!("x{long}")).len(), 63);
}
