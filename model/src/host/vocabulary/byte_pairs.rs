//! GGUF's `gpt2`: byte-level BPE.
//!
//! The text is cut into words by a pre-tokenizer; the bytes of a word are joined, the pair with the
//! lowest merge rank first. The vocabulary writes each byte as a printable character. A byte without
//! a token is left out, and nothing is joined across it, as llama.cpp does.
//!
//! Source: GPT-2's encoder.py; llama.cpp's llm_tokenizer_bpe.
use super::TokenizerError;
use super::packer::{Merges, Parts};
use super::special::{Special, kind};
use super::unicode::classes;
use crate::host::gguf::{GgufVocabulary, TokenType};
use crate::vocabulary::{Header, Kind, Pretokenizer};
use std::collections::{BTreeMap, HashMap};

/// Packs such a tokenizer.
pub(super) fn pack(gguf: &GgufVocabulary) -> Result<Vec<u32>, TokenizerError> {
    let pretokenizer = match &gguf.pre[..] {
        "gpt-2" => Pretokenizer::Gpt2,
        "smollm" => Pretokenizer::SmolLm,
        "llama-bpe" => Pretokenizer::LlamaBpe,
        "default" | "" => Pretokenizer::Default,
        other => return Err(TokenizerError::Pretokenizer(other.to_owned())),
    };
    let special = Special::of(gguf);
    let alphabet = Alphabet::new();
    let mut symbols = Symbols::new(gguf, &special, &alphabet);
    let bytes = alphabet.characters.map(|character| symbols.of(character.to_string().as_bytes()));
    let mut merges = Merges::new();
    for (rank, (left, right)) in gguf.merges.iter().enumerate() {
        if !left.is_empty() && !right.is_empty() {
            let made = symbols.of(&[&left[..], right].concat());
            let pair = (symbols.of(left), symbols.of(right));
            merges.entry(pair).or_insert((rank as u32, made));
        }
    }

    // Llama 3's words are looked up whole (Hugging Face's ignore_merges).
    let looks_up_words = pretokenizer == Pretokenizer::LlamaBpe;
    let word = |&token: &u32| {
        let in_alphabet = alphabet.bytes_of(&gguf.tokens[token as usize]).is_some();
        looks_up_words && in_alphabet && special.types[token as usize] == TokenType::Normal
    };
    let mut whole_words: Vec<u32> = (0..gguf.tokens.len() as u32).filter(word).collect();
    whole_words.retain(|&token| symbols.is(&gguf.tokens[token as usize], token));

    let token = |(token_type, text): (&TokenType, &Vec<u8>)| match kind(*token_type) {
        Kind::Text if *token_type == TokenType::Normal => (Kind::Text, alphabet.text_of(text)),
        kind => (kind, text.clone()),
    };
    Parts {
        tokens: special.types.iter().zip(&gguf.tokens).map(token).collect(),
        other_symbols: symbols.others,
        bytes,
        characters: BTreeMap::new(),
        merges,
        whole_words,
        flags: Header::LEAVE_OUT | special.flags(gguf),
        special: special.sought,
        endings: special.endings,
        pretokenizer,
        classes: classes(pretokenizer),
        bos: special.bos,
        start: special.start,
    }
    .pack()
}

/// Symbols by text in GPT-2's alphabet: the tokens, and parts of tokens that are none.
struct Symbols<'v> {
    alphabet: &'v Alphabet,
    known: HashMap<Vec<u8>, u32>,
    tokens: usize,
    /// The bytes of those that are no tokens.
    others: Vec<Vec<u8>>,
}

impl<'v> Symbols<'v> {
    fn new(gguf: &GgufVocabulary, special: &Special, alphabet: &'v Alphabet) -> Self {
        let mut known = HashMap::with_capacity(gguf.tokens.len());
        for (token, text) in gguf.tokens.iter().enumerate() {
            // What is no text is never made of text.
            if matches!(special.types[token], TokenType::Normal | TokenType::UserDefined | TokenType::Unused)
            {
                known.entry(text.clone()).or_insert(token as u32);
            }
        }
        Self { alphabet, known, tokens: gguf.tokens.len(), others: Vec::new() }
    }

    /// The symbol of a text, a new one where there is none yet.
    fn of(&mut self, text: &[u8]) -> u32 {
        if let Some(&symbol) = self.known.get(text) {
            return symbol;
        }
        let symbol = (self.tokens + self.others.len()) as u32;
        self.others.push(self.alphabet.text_of(text));
        self.known.insert(text.to_vec(), symbol);
        symbol
    }

    fn is(&self, text: &[u8], symbol: u32) -> bool {
        self.known.get(text) == Some(&symbol)
    }
}

/// GPT-2's alphabet (encoder.py, `bytes_to_unicode`): printable bytes of Latin-1 are themselves, the
/// others in their order the characters from U+0100 on.
pub(crate) struct Alphabet {
    /// The character of each byte.
    pub(crate) characters: [char; 256],
    /// The byte of each character.
    bytes: HashMap<char, u8>,
}

impl Alphabet {
    pub(crate) fn new() -> Self {
        let mut others = '\u{100}'..;
        let characters = std::array::from_fn(|byte| match byte as u8 {
            byte @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) => char::from(byte),
            _ => others.next().expect("there are more than 256 characters from U+0100 on"),
        });
        let bytes = characters.iter().zip(0..=u8::MAX).map(|(&character, byte)| (character, byte)).collect();
        Self { characters, bytes }
    }

    /// The bytes that a text in the alphabet stands for; `None` where it is not in the alphabet.
    fn bytes_of(&self, text: &[u8]) -> Option<Vec<u8>> {
        str::from_utf8(text).ok()?.chars().map(|character| self.bytes.get(&character).copied()).collect()
    }

    /// The bytes that a token's text stands for. What is not in the alphabet stands for itself.
    fn text_of(&self, text: &[u8]) -> Vec<u8> {
        self.bytes_of(text).unwrap_or_else(|| text.to_vec())
    }
}
