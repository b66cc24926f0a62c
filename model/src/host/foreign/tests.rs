use super::*;
use crate::host::synth::NAMED;
use crate::shape::Shape;

/// A version 0 header.
fn header(shape: &Shape, vocab_size: i32) -> Vec<u8> {
    let Shape { dim, hidden_dim, n_layers, n_heads, n_kv_heads, seq_len, .. } = *shape;
    let sizes = [dim, hidden_dim, n_layers, n_heads, n_kv_heads].map(|size| size as i32);
    sizes.into_iter().chain([vocab_size, seq_len as i32]).flat_map(i32::to_le_bytes).collect()
}

/// What is said of a file.
fn said(first: &[u8]) -> String {
    Foreign::of(first).map_or_else(|| "nothing".to_owned(), |foreign| foreign.to_string())
}

/// These bytes, then others that are no text and no zeros.
fn with_noise(first: &[u8]) -> Vec<u8> {
    let noise = (0..600u32).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 24) as u8);
    first.iter().copied().chain(noise).collect()
}

#[test]
fn a_checkpoint_is_never_foreign() {
    let dims = [640, 896, 1152, 1408]; // they begin like pickles: 80 02, 80 03, 80 04, 80 05
    let shapes =
        NAMED.map(|named| named.shape).into_iter().chain(dims.map(|dim| Shape { dim, ..NAMED[1].shape }));
    for shape in shapes {
        for vocab_size in [shape.vocab_size as i32, -(shape.vocab_size as i32)] {
            let mut first = header(&shape, vocab_size);
            assert_eq!(Foreign::of(&first), None, "{shape}: the header alone");
            first.resize(FIRST_BYTES, 0);
            assert_eq!(Foreign::of(&first), None, "{shape}: weights of zero");
            first[510..512].copy_from_slice(&[0x55, 0xAA]);
            first[257..262].copy_from_slice(b"ustar");
            assert_eq!(Foreign::of(&first), None, "{shape}: weights that look like magic numbers");
        }
        let version_1 = [b"24ka", &1i32.to_le_bytes()[..], &header(&shape, 512)].concat();
        assert_eq!(Foreign::of(&version_1), None, "{shape}, version 1");
        assert_eq!(Foreign::of(b"24ka"), None, "cut behind the magic number");
    }
}

#[test]
fn a_header_with_a_few_wrong_numbers_is_left_to_its_reader() {
    let (good, noise) = (header(&Shape::STORIES260K, 512), with_noise(&[]));
    let changed = |places: &[usize], value: i32| {
        let mut first = [&good[..], &noise].concat();
        places.iter().for_each(|place| first[4 * place..][..4].copy_from_slice(&value.to_le_bytes()));
        Foreign::of(&first)
    };
    for value in [0, -12, i32::MIN, i32::MAX] {
        for place in 0..SIZES {
            assert_eq!(changed(&[place], value), None, "{value} at {place}");
        }
        assert!(matches!(changed(&[0, 1, 3, 6], value), Some(Foreign::Unknown(_))), "{value} at four places");
    }
    assert_eq!(Foreign::of(&good[..27]), None, "cut in the header");
}

#[test]
fn formats_are_known_by_their_first_bytes() {
    let safetensors = |length: u64| {
        let json = br#"{"model.embed_tokens.weight":{"dtype":"BF16","shape":[49152,576],"data_offsets":[0,56623104]}}"#;
        with_noise(&[&length.to_le_bytes()[..], json].concat())
    };
    let legacy_torch = [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];
    let elf = b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3E\0";
    let cases: [(&[u8], Foreign); 14] = [
        (b"GGUF\x03\0\0\0\x10\x01\0\0\0\0\0\0", Foreign::Gguf),
        (b"tjgg\x03\0\0\0\x00\x7D\0\0", Foreign::OldGgml),
        (b"lmgg\x00\x7D\0\0", Foreign::OldGgml),
        (b"PK\x03\x04\0\0\x08\x08\0\0\0\0\0\0archive/data.pkl", Foreign::PytorchZip),
        (b"PK\x03\x04\x14\0\0\0\x08\0model.bin", Foreign::Zip),
        (&legacy_torch, Foreign::Pickle),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}", Foreign::Pickle),
        (elf, Foreign::Elf),
        (b"\x1F\x8B\x08\x08\0\0\0\0", Foreign::Compressed("gunzip")),
        (b"\x28\xB5\x2F\xFD\x04\x58", Foreign::Compressed("zstd -d")),
        (b"\xFD7zXZ\0\0\x04", Foreign::Compressed("unxz")),
        (b"BZh91AY&SY", Foreign::Compressed("bunzip2")),
        (b"7z\xBC\xAF\x27\x1C\0\x04", Foreign::Compressed("7z x")),
        (b"\x89PNG\r\n\x1A\n", Foreign::Unknown(*b"\x89PNG")),
    ];
    for (first, wanted) in cases {
        assert_eq!(Foreign::of(&with_noise(first)), Some(wanted));
    }
    assert_eq!(Foreign::of(&safetensors(98)), Some(Foreign::Safetensors));
    assert!(matches!(Foreign::of(&safetensors(1 << 40)), Some(Foreign::Unknown(_))), "too long a header");

    let mut sector = with_noise(&[0xEB, 0x58, 0x90]);
    sector[510..512].copy_from_slice(&[0x55, 0xAA]);
    assert_eq!(Foreign::of(&sector), Some(Foreign::Disk));
    let mut archive = b"model.bin".to_vec();
    archive.resize(FIRST_BYTES, 0);
    archive[257..262].copy_from_slice(b"ustar");
    assert_eq!(Foreign::of(&archive), Some(Foreign::Tar));
    assert_eq!(Foreign::of(&[0; FIRST_BYTES]), Some(Foreign::Zeros));
    assert_eq!(Foreign::of(&[]), Some(Foreign::Empty));
}

#[test]
fn texts_are_told_apart() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1056540\n";
    assert!(said(pointer).contains("`git lfs pull`"));
    let page = format!("<!DOCTYPE html><html><title>404</title></html>{}", " ".repeat(60));
    assert!(said(page.as_bytes()).contains("a page of the web (HTML)"));
    assert_eq!(Foreign::of(b"\xEF\xBB\xBF\n <HTML>"), Some(Foreign::Html));
    assert_eq!(Foreign::of(br#"{"architectures": ["LlamaForCausalLM"]}"#), Some(Foreign::Json));
    assert_eq!(Foreign::of("Once upon a time, größer €".as_bytes()), Some(Foreign::Text));
    assert_eq!(
        Foreign::of(&"€ ".repeat(300).as_bytes()[..600 - 2]),
        Some(Foreign::Text),
        "cut in a character"
    );
    assert!(matches!(Foreign::of(&with_noise(b"text and then bytes of none")), Some(Foreign::Unknown(_))));
}

#[test]
fn every_sentence_says_what_would_help() {
    let all = MAGICS.map(|(.., foreign)| foreign).into_iter().chain([
        Foreign::Empty,
        Foreign::Zeros,
        Foreign::Safetensors,
        Foreign::PytorchZip,
        Foreign::Pickle,
        Foreign::Html,
        Foreign::Json,
        Foreign::Text,
        Foreign::Unknown(*b"\x89PNG"),
    ]);
    for foreign in all.filter(|foreign| *foreign != Foreign::Gguf) {
        let sentence = foreign.to_string();
        let helps = ["download", "convert_hf_to_gguf.py makes", "name ", "git lfs pull"];
        assert!(helps.iter().any(|help| sentence.contains(help)), "{sentence}");
    }
}
