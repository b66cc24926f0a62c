//! The prompt encoder with the project's own vocabulary: decoding the tokens of any text brings the
//! text back, but for control characters that no screen should get.
#![no_main]
use harness::text::{bedtime, printable, printed};
use libfuzzer_sys::fuzz_target;
use model::encoder::Encoder;
use model::tokenizer::Tokenizer;
use std::sync::OnceLock;

static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
static ENCODER: OnceLock<Encoder> = OnceLock::new();

fuzz_target!(|text: &str| {
    let tokenizer = TOKENIZER.get_or_init(bedtime);
    let encoder = ENCODER.get_or_init(|| Encoder::new(tokenizer).expect("there is memory for 1,024 slots"));
    let tokens = encoder.encode(text).expect("every byte has a piece");
    assert!(tokens.iter().all(|&token| (token as usize) < tokenizer.vocab_size()));
    assert_eq!(String::from_utf8_lossy(&printed(tokenizer, &tokens)), printable(text));
});
