//! What a text should be after the tokenizer had it.
use model::tokenizer::{BOS, Tokenizer};

/// The project's own tokenizer: 512 pieces with byte fallback.
pub fn bedtime() -> Tokenizer<'static> {
    let file = include_bytes!("../../../model/bedtime260K/bedtime260K.tok.bin");
    Tokenizer::parse(file, 512).expect("the project's own tokenizer is good")
}

/// The text that tokens print, as a story does.
pub fn printed(tokenizer: &Tokenizer, tokens: &[u32]) -> Vec<u8> {
    let previous = std::iter::once(&BOS).chain(tokens);
    let pieces = previous.zip(tokens).map(|(&previous, &token)| tokenizer.decode(previous, token, false));
    pieces.flat_map(|piece| piece.bytes().to_vec()).collect()
}

/// `text` without the control characters that the tokenizer keeps from the screen.
pub fn printable(text: &str) -> String {
    text.chars().filter(|&c| matches!(c, '\t'..='\r' | ' '..) && c != '\x7F').collect()
}
