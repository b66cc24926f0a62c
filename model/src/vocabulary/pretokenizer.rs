//! Pre-tokenizers: how a text is cut into words before neighbours are joined. No merge crosses the
//! end of a word.
//!
//! Models are trained with regular expressions for it; here they are tables, and one function that
//! matches them. What a pattern does not match at all, before a match and between two, is a word too.
use super::classes::{Class, Classes};

/// A pre-tokenizer, by GGUF's name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pretokenizer {
    /// The whole text is one word (SentencePiece, llama2.c).
    None = 0,
    /// `gpt-2`.
    Gpt2 = 1,
    /// `smollm`: each number alone, and `gpt-2` in between.
    SmolLm = 2,
    /// `llama-bpe`: Llama 3's.
    LlamaBpe = 3,
    /// `default`: what llama.cpp takes where a file names none.
    Default = 4,
}

/// A set of kinds of characters, a bit each: those of [`Class`], and some of them apart.
type Set = u8;
const LETTER: Set = 1 << Class::Letter as u8;
const PUNCTUATION: Set = 1 << Class::Punctuation as u8;
const DIGIT: Set = 1 << 5;
const SPACE: Set = 1 << 6;
const LINE_END: Set = 1 << 7;
/// `\p{N}`
const NUMBER: Set = DIGIT | 1 << Class::Number as u8;
/// `\s`
const WHITE_SPACE: Set = SPACE | LINE_END | 1 << Class::WhiteSpace as u8;
/// `[^\s\p{L}\p{N}]`
const SYMBOL: Set = !(WHITE_SPACE | LETTER | NUMBER);

/// A step of a regular expression.
#[derive(Clone, Copy)]
enum Step {
    /// `[set]{least,most}`: as many as leave the steps behind it their match. The least is 0 or 1.
    Run(Set, usize, usize),
    /// `(?!\S)`
    NoTextBehind,
    /// `'s|'t|'re|'ve|'m|'ll|'d`, in small letters or in any.
    Contraction { any_case: bool },
}
use Step::{Contraction, NoTextBehind, Run};

/// `[set]?`
const fn maybe(set: Set) -> Step {
    Run(set, 0, 1)
}

/// `[set]*`
const fn any(set: Set) -> Step {
    Run(set, 0, usize::MAX)
}

/// `[set]+`
const fn some(set: Set) -> Step {
    Run(set, 1, usize::MAX)
}

/// A regular expression: steps, or else other steps, and so on.
type Pattern = &'static [&'static [Step]];

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const GPT2: Pattern = &[
    &[Contraction { any_case: false }],
    &[maybe(SPACE), some(LETTER)],
    &[maybe(SPACE), some(NUMBER)],
    &[maybe(SPACE), some(SYMBOL)],
    &[some(WHITE_SPACE), NoTextBehind],
    &[some(WHITE_SPACE)],
];
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*`
/// `|\s*[\r\n]+|\s+(?!\S)|\s+`
const LLAMA_BPE: Pattern = &[
    &[Contraction { any_case: true }],
    &[maybe(!(LINE_END | LETTER | NUMBER)), some(LETTER)],
    &[Run(NUMBER, 1, 3)],
    &[maybe(SPACE), some(SYMBOL), any(LINE_END)],
    &[any(WHITE_SPACE), some(LINE_END)],
    &[some(WHITE_SPACE), NoTextBehind],
    &[some(WHITE_SPACE)],
];
/// `\p{N}`
const ONE_NUMBER: Pattern = &[&[Run(NUMBER, 1, 1)]];
/// `\p{N}+`
const NUMBERS: Pattern = &[&[some(NUMBER)]];
/// `[\p{P}$+<=>^~|]+`
const SIGNS: Pattern = &[&[some(PUNCTUATION)]];
/// `[0-9][0-9][0-9]`
const THREE_DIGITS: Pattern = &[&[Run(DIGIT, 1, 1), Run(DIGIT, 1, 1), Run(DIGIT, 1, 1)]];

/// Takes words one after the other, and may stop with an error.
type Sink<'s, E> = &'s mut dyn FnMut(&str) -> Result<(), E>;

impl Pretokenizer {
    const ALL: [Self; 5] = [Self::None, Self::Gpt2, Self::SmolLm, Self::LlamaBpe, Self::Default];

    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// Hands the words of `text` to `word`, in order; joined they are the text.
    pub(super) fn words<E>(self, classes: Classes<'_>, text: &str, word: Sink<'_, E>) -> Result<(), E> {
        classes.cut(text, self.patterns(), word)
    }

    /// Its patterns, each for the words that the one before it cut.
    fn patterns(self) -> &'static [Pattern] {
        match self {
            Self::None => &[&[]],
            Self::Gpt2 => &[GPT2],
            Self::SmolLm => &[ONE_NUMBER, GPT2],
            Self::LlamaBpe => &[LLAMA_BPE],
            Self::Default => &[SIGNS, GPT2, NUMBERS, THREE_DIGITS],
        }
    }
}

impl Classes<'_> {
    /// Cuts a text by the first pattern, and what comes of it by the others.
    fn cut<E>(self, mut text: &str, patterns: &[Pattern], word: Sink<'_, E>) -> Result<(), E> {
        let Some((pattern, others)) = patterns.split_first() else { return word(text) };
        while !text.is_empty() {
            let (first, rest) = text.split_at(self.first_word(pattern, text));
            self.cut(first, others, word)?;
            text = rest;
        }
        Ok(())
    }

    /// Bytes of the match at the beginning, or of all before the first match.
    fn first_word(self, pattern: Pattern, text: &str) -> usize {
        for (at, _) in text.char_indices() {
            if let Some(length) = pattern.iter().find_map(|steps| self.length(steps, &text[at..])) {
                return if at == 0 { length } else { at };
            }
        }
        text.len()
    }

    /// Bytes at the beginning that the steps match, if they do.
    fn length(self, steps: &[Step], text: &str) -> Option<usize> {
        let Some((step, others)) = steps.split_first() else { return Some(0) };
        match *step {
            Run(set, least, most) => {
                let run = text.chars().take(most).take_while(|&c| self.kind(c) & set != 0);
                let longest = run.map(char::len_utf8).sum();
                // Within a character there is no rest to match.
                (least..=longest).rev().find_map(|end| Some(end + self.length(others, text.get(end..)?)?))
            }
            NoTextBehind => {
                let behind = text.chars().next();
                behind.is_none_or(|c| self.kind(c) & WHITE_SPACE != 0).then_some(0)
            }
            Contraction { any_case } => contraction(text, any_case),
        }
    }

    /// The kind of a character, by itself or else by its class.
    fn kind(self, character: char) -> Set {
        match character {
            '0'..='9' => DIGIT,
            ' ' => SPACE,
            '\r' | '\n' => LINE_END,
            '$' | '+' | '<'..='>' | '^' | '~' | '|' => PUNCTUATION,
            _ => 1 << self.of(character) as u8,
        }
    }
}

/// Bytes of a contraction at the beginning.
fn contraction(text: &str, any_case: bool) -> Option<usize> {
    let fold = |c: char| match c {
        'ſ' if any_case => 's', // by Unicode's case folding
        _ if any_case => c.to_ascii_lowercase(),
        _ => c,
    };
    ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].iter().find_map(|contraction| {
        let mut rest = text.chars();
        let found = contraction.bytes().all(|wanted| rest.next().map(fold) == Some(wanted.into()));
        found.then(|| text.len() - rest.as_str().len())
    })
}

#[cfg(test)]
mod tests;
