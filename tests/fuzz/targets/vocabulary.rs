//! The prompt encoder with any vocabulary: byte pieces, and behind them pieces and scores of the
//! fuzzer. Whatever pieces a text is merged into, they are the text.
//!
//! The input is lines: the last one is the text, the others are a byte of score and a piece.
#![no_main]
use libfuzzer_sys::{Corpus, fuzz_target};
use model::encoder::Encoder;
use model::tokenizer::{FIRST_BYTE, Tokenizer};

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let text = lines.pop().map(str::from_utf8);
    let Some(Ok(text)) = text else { return Corpus::Reject };

    let mut file = 0u32.to_le_bytes().to_vec();
    let mut add = |piece: &[u8], score: u8| {
        file.extend(f32::from(score).to_le_bytes());
        file.extend((piece.len() as i32).to_le_bytes());
        file.extend(piece);
    };
    ["<unk>", "<s>", "</s>"].iter().for_each(|piece| add(piece.as_bytes(), 0));
    (0..=255).for_each(|byte| add(format!("<0x{byte:02X}>").as_bytes(), 0));
    // A piece with "<" might go on where a byte piece ends: llama2.c would then merge the byte's name.
    let pieces =
        lines.iter().filter_map(|line| line.split_first()).filter(|(_, piece)| !piece.contains(&b'<'));
    let count = pieces.map(|(&score, piece)| add(piece, score)).count();

    let tokenizer = Tokenizer::parse(&file, 3 + 256 + count).expect("a tokenizer as llama2.c writes it");
    let encoder = Encoder::new(&tokenizer).expect("there is memory for a small vocabulary");
    let tokens = encoder.encode(text).expect("every byte has a piece");
    let pieces = tokens.iter().flat_map(|&token| match token.checked_sub(FIRST_BYTE) {
        Some(byte @ 0..=255) => vec![byte as u8],
        _ => tokenizer.piece(token).to_vec(),
    });
    let wanted = if text.is_empty() { String::new() } else { format!(" {text}") };
    assert_eq!(String::from_utf8_lossy(&pieces.collect::<Vec<_>>()), wanted);
    Corpus::Keep
});
