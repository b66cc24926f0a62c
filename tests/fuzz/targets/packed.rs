//! Packed models: the input as it is, and with magic, version and CRCs repaired. A header that is
//! accepted has a valid shape, tensors one behind the other, and reads back as it was written; a model
//! that is accepted runs, with the same logits from all SIMD.
#![no_main]
use harness::model_file::{load, repair, run};
use libfuzzer_sys::fuzz_target;
use model::packed::{PackedHeader, TENSOR_ALIGN};

fuzz_target!(|data: &[u8]| {
    check(data);
    let mut repaired = data.to_vec();
    repair(&mut repaired);
    check(&repaired);
});

fn check(bytes: &[u8]) {
    if let Ok(header) = PackedHeader::read(&mut &bytes[..]) {
        check_header(&header);
    }
    if let Some(Ok(packed)) = load(bytes) {
        let text = packed.text().expect("a model that was checked");
        assert_eq!(text.shape, packed.header.shape);
        assert_eq!(text.vocabulary.vocab_size(), text.shape.vocab_size);
        let layers = packed.model().map_or(text.shape.n_layers, |model| model.layers.len());
        assert_eq!(layers, text.shape.n_layers);
        run(&packed);
    }
}

fn check_header(header: &PackedHeader) {
    assert_eq!(header.shape.check(), Ok(()));
    let mut end = u64::from(PackedHeader::bytes_for(header.entries.len()));
    for entry in &header.entries {
        assert_eq!(u64::from(entry.offset), end);
        assert_eq!(end % TENSOR_ALIGN, 0);
        end += entry.padded_bytes();
        for exponent in [entry.exponent, entry.fraction_bits] {
            assert!(exponent.unsigned_abs() < 1 << 16, "{entry:?}");
        }
    }
    assert_eq!(header.packed_bytes(), end);
    assert!(end <= u64::from(u32::MAX));
    assert!(header.memory(header.shape.seq_len).total() > 0);
    let written = header.to_bytes();
    let read = PackedHeader::read(&mut &written[..]).expect("a header that was read can be written");
    assert_eq!(read, *header);
}
