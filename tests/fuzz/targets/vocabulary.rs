//! The prompt encoder with any vocabulary: byte pieces, and behind them pieces and scores of the
//! fuzzer. Whatever pieces a text is merged into, they are the text.
#![no_main]
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use model::encoder::Encoder;
use model::tokenizer::{FIRST_BYTE, Tokenizer};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    pieces: Vec<(&'a [u8], i16)>,
    text: &'a str,
}

fuzz_target!(|input: Input| {
    let mut file = 0u32.to_le_bytes().to_vec();
    let mut add = |piece: &[u8], score: f32| {
        file.extend(score.to_le_bytes());
        file.extend((piece.len() as i32).to_le_bytes());
        file.extend(piece);
    };
    ["<unk>", "<s>", "</s>"].iter().for_each(|piece| add(piece.as_bytes(), 0.0));
    (0..=255).for_each(|byte| add(format!("<0x{byte:02X}>").as_bytes(), 0.0));
    // A piece with "<" might go on where a byte piece ends: llama2.c would then merge the byte's name.
    let pieces = input.pieces.iter().filter(|(piece, _)| !piece.contains(&b'<'));
    let count = pieces.map(|(piece, score)| add(piece, (*score).into())).count();

    let tokenizer = Tokenizer::parse(file, 3 + 256 + count).expect("a tokenizer as llama2.c writes it");
    let encoder = Encoder::new(&tokenizer).expect("there is memory for a small vocabulary");
    let tokens = encoder.encode(input.text).expect("every byte has a piece");
    let text = tokens.iter().flat_map(|&token| match token.checked_sub(FIRST_BYTE) {
        Some(byte @ 0..=255) => vec![byte as u8],
        _ => tokenizer.piece(token).to_vec(),
    });
    let wanted = if input.text.is_empty() { String::new() } else { format!(" {}", input.text) };
    assert_eq!(String::from_utf8_lossy(&text.collect::<Vec<_>>()), wanted);
});
