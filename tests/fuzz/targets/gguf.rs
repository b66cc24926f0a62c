//! GGUF files. The tensors of one that is accepted lie in it, can be read in any pieces, and do not
//! overlap; written again it is read as the same; and what its metadata says of a model and its
//! tokenizer is refused or good, and packed or refused. It is a GGUF for who tells foreign files
//! apart, too.
#![no_main]
use libfuzzer_sys::fuzz_target;
use model::host::foreign::{FIRST_BYTES, Foreign};
use model::host::gguf::{Gguf, GgufVocabulary, GgufWriter, LlamaConfig, TensorInfo};
use model::host::vocabulary::pack_gguf;
use model::vocabulary::{SpecialTokens, Vocabulary};
use std::io::Cursor;

fuzz_target!(|data: &[u8]| {
    let foreign = Foreign::of(&data[..data.len().min(FIRST_BYTES)]);
    let mut reader = Cursor::new(data);
    let Ok(gguf) = Gguf::read(&mut reader) else { return };
    assert_eq!(foreign, Some(Foreign::Gguf));

    let (mut rows, mut row_by_row, mut row) = (Vec::new(), Vec::<u8>::new(), Vec::new());
    for tensor in &gguf.tensors {
        tensor.read_rows(&mut reader, 0..tensor.rows(), &mut rows).expect("the tensor lies in the file");
        assert_eq!(rows, data[tensor.offset as usize..tensor.end() as usize]);
        row_by_row.clear();
        for i in 0..tensor.rows() {
            tensor.read_rows(&mut reader, i..i + 1, &mut row).expect("so does each row");
            row_by_row.extend(&row);
        }
        assert_eq!(row_by_row, rows);
    }
    // Each byte belongs to one tensor at most.
    assert!(gguf.tensors.iter().map(|tensor| tensor.bytes).sum::<u64>() <= data.len() as u64);

    if let Ok(config) = LlamaConfig::of(&gguf) {
        assert!(config.head_size.is_multiple_of(2) && config.head_count.is_multiple_of(config.head_count_kv));
        assert_eq!(config.tensors().count(), gguf.tensors.len());
    }
    if let Ok(vocabulary) = GgufVocabulary::of(&gguf.metadata) {
        let tokens = vocabulary.tokens.len();
        assert_eq!((vocabulary.scores.len(), vocabulary.types.len()), (tokens, tokens));
        assert!(vocabulary.ending().into_iter().all(|id| (id as usize) < tokens));
        if let Ok(packed) = pack_gguf(&vocabulary) {
            let packed = Vocabulary::parse(&packed, tokens).expect("what is packed passes the checks");
            let _ = packed.encode("a\u{e9} 12<|im_end|>", SpecialTokens::AreTokens);
        }
    }
    // A file of a few bytes may ask for gigabytes of padding; that is good, but takes too long.
    if gguf.alignment <= 4096 {
        assert_written_again_is_the_same(data, &gguf);
    }
});

fn assert_written_again_is_the_same(data: &[u8], gguf: &Gguf) {
    let mut writer = GgufWriter::new(gguf.metadata.clone());
    for tensor in &gguf.tensors {
        writer.add(&tensor.name, &tensor.dims, tensor.tensor_type).expect("what was read can be written");
    }
    let mut file = Vec::new();
    let bytes_of = |tensor: &TensorInfo| &data[tensor.offset as usize..tensor.end() as usize];
    let bytes = |tensor: &TensorInfo, out: &mut dyn std::io::Write| {
        out.write_all(bytes_of(gguf.tensor(&tensor.name).expect("a tensor of the file")))
    };
    writer.write(&mut file, bytes).expect("as many bytes as the tensor has");
    let again = Gguf::read(&mut Cursor::new(&file)).expect("what was written can be read");
    // The first file may have other gaps; and a value that is no number differs from itself.
    assert_eq!(format!("{:?}", again.metadata), format!("{:?}", gguf.metadata));
    for (new, old) in again.tensors.iter().zip(&gguf.tensors) {
        assert_eq!((&new.name, &new.dims, new.tensor_type), (&old.name, &old.dims, old.tensor_type));
        assert_eq!(&file[new.offset as usize..new.end() as usize], bytes_of(old));
    }
    assert_eq!(again.tensors.len(), gguf.tensors.len());
}
