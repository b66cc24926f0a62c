//! Made-up tokenizers for random models, of any size, and of both kinds that a GGUF can have.
//!
//! First the special tokens, then all 256 bytes, then words of small letters, the short ones first, each
//! also with a space before it. A word is joined from itself without its last letter, and that letter.
use crate::host::gguf::{Metadata, Strings, TokenType};
use crate::host::vocabulary::Alphabet;
use thiserror::Error;

/// What joins pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenizerKind {
    /// SentencePiece's rule.
    Llama,
    /// Byte-level BPE.
    Gpt2,
}

/// A tokenizer to be made up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tokenizer {
    /// What joins pieces.
    pub kind: TokenizerKind,
    /// How a text is cut before, for [`TokenizerKind::Gpt2`].
    pub pre: &'static str,
    /// The first tokens of the vocabulary, which are no text.
    pub special: &'static [&'static str],
    /// Begin of sequence.
    pub bos: u32,
    /// End of sequence.
    pub eos: u32,
    /// Whether BOS stands before each text.
    pub add_bos: bool,
}

/// Tokens that a tokenizer does not have room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "a tokenizer has at least {needed} tokens, the special ones and all bytes, the shape has {vocab_size}; \
     take more"
)]
pub struct SmallVocabulary {
    /// Tokens of the shape.
    pub vocab_size: usize,
    /// The least that there can be.
    pub needed: usize,
}

impl Tokenizer {
    /// As Llama 2's.
    pub const LLAMA: Self = Self {
        kind: TokenizerKind::Llama,
        pre: "default",
        special: &["<unk>", "<s>", "</s>"],
        bos: 1,
        eos: 2,
        add_bos: true,
    };

    /// As SmolLM2's: it has a BOS, which does not stand before a text.
    pub const SMOLLM: Self = Self {
        kind: TokenizerKind::Gpt2,
        pre: "smollm",
        special: &["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        bos: 1,
        eos: 2,
        add_bos: false,
    };

    /// As Llama 3's, but for the special tokens' place.
    pub const LLAMA3: Self = Self {
        kind: TokenizerKind::Gpt2,
        pre: "llama-bpe",
        special: &["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"],
        bos: 0,
        eos: 2,
        add_bos: true,
    };

    /// Adds the keys of a tokenizer with so many tokens.
    pub fn push_to(&self, metadata: &mut Metadata, vocab_size: usize) -> Result<(), SmallVocabulary> {
        let needed = self.special.len() + 256;
        if vocab_size < needed {
            return Err(SmallVocabulary { vocab_size, needed });
        }
        let mut tokens: Vec<String> = self.special.iter().map(|&token| token.to_owned()).collect();
        let special = |token: &String| if token == "<unk>" { TokenType::Unknown } else { TokenType::Control };
        let mut types: Vec<TokenType> = tokens.iter().map(special).collect();
        match self.kind {
            TokenizerKind::Llama => {
                tokens.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
                types.resize(needed, TokenType::Byte);
                let characters = ['▁'].into_iter().chain('a'..='z').map(String::from);
                tokens.extend(characters.chain(words('▁')).take(vocab_size - needed));
                let scores: Vec<f32> = (0..vocab_size).map(|token| -(token as f32)).collect();
                metadata.push("tokenizer.ggml.model", "llama");
                metadata.push("tokenizer.ggml.scores", &scores[..]);
            }
            TokenizerKind::Gpt2 => {
                let alphabet = Alphabet::new();
                tokens.extend(alphabet.characters.map(String::from));
                let words = words(alphabet.characters[usize::from(b' ')]).take(vocab_size - needed);
                let mut merges = Strings::default();
                for word in words {
                    let last = word.len() - 1; // the last letter is ASCII
                    merges.push(format!("{} {}", &word[..last], &word[last..]).as_bytes());
                    tokens.push(word);
                }
                metadata.push("tokenizer.ggml.model", "gpt2");
                metadata.push("tokenizer.ggml.pre", self.pre);
                metadata.push("tokenizer.ggml.merges", merges);
            }
        }
        types.resize(vocab_size, TokenType::Normal);
        let types: Vec<i32> = types.into_iter().map(|token_type| token_type as i32).collect();
        metadata.push("tokenizer.ggml.tokens", tokens.iter().collect::<Strings>());
        metadata.push("tokenizer.ggml.token_type", &types[..]);
        metadata.push("tokenizer.ggml.bos_token_id", self.bos);
        metadata.push("tokenizer.ggml.eos_token_id", self.eos);
        metadata.push("tokenizer.ggml.add_bos_token", self.add_bos);
        Ok(())
    }
}

/// Words of two letters or more, and letters after a space, in an order in which each comes after
/// what it is without its last letter.
fn words(space: char) -> impl Iterator<Item = String> {
    const LETTERS: usize = 26;
    (1..).flat_map(move |length: u32| {
        let word = move |number: usize| {
            let letter = |place| (b'a' + (number / LETTERS.pow(place) % LETTERS) as u8) as char;
            (0..length).rev().map(letter).collect::<String>()
        };
        let after_space = (0..LETTERS.pow(length)).map(move |number| format!("{space}{}", word(number)));
        let longer = if length == 1 { 0 } else { LETTERS.pow(length) };
        after_space.chain((0..longer).map(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gguf::GgufVocabulary;
    use crate::host::vocabulary::pack_gguf;
    use crate::vocabulary::{SpecialTokens, Vocabulary};
    use std::collections::HashSet;

    #[test]
    fn words_are_joined_and_bytes_are_left() {
        for tokenizer in [Tokenizer::LLAMA, Tokenizer::SMOLLM, Tokenizer::LLAMA3] {
            for vocab_size in [259, 300, 32_000] {
                let mut metadata = Metadata::default();
                tokenizer.push_to(&mut metadata, vocab_size).unwrap();
                let gguf = GgufVocabulary::of(&metadata).unwrap();
                let distinct: HashSet<&Vec<u8>> = gguf.tokens.iter().collect();
                assert_eq!((gguf.tokens.len(), distinct.len()), (vocab_size, vocab_size));
                assert_eq!((gguf.bos, gguf.add_bos), (Some(tokenizer.bos), tokenizer.add_bos));
                let packed = pack_gguf(&gguf).unwrap();
                let vocabulary = Vocabulary::parse(&packed, vocab_size).unwrap();
                let text = " abc de fé 10";
                let ids = vocabulary.encode(text, SpecialTokens::AreText).unwrap();
                if vocab_size == 32_000 {
                    assert!(ids.len() <= 10, "{tokenizer:?}: {} tokens of words and bytes", ids.len());
                }
                assert!(ids.iter().all(|&id| id as usize >= tokenizer.special.len()));
            }
        }
    }

    #[test]
    fn too_few_tokens_are_refused() {
        let refused = Tokenizer::LLAMA.push_to(&mut Metadata::default(), 258);
        assert_eq!(refused, Err(SmallVocabulary { vocab_size: 258, needed: 259 }));
    }
}
