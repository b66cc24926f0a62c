//! Pre-tokenizers: how a text is cut into words before neighbours are joined. No merge crosses the
//! end of a word.
//!
//! Models are trained with a regular expression for it; here each is a function that says how long
//! the first word of a text is. Patterns are tried from left to right at each place, as such an
//! expression is. `\s+(?!\S)` takes white space up to the last one before other text, which that
//! text may need; and all of it at the end of the text.
use super::classes::Class::{self, Letter, Number, Punctuation, WhiteSpace};
use super::classes::Classes;

/// A pre-tokenizer, by GGUF's name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pretokenizer {
    /// The whole text is one word (SentencePiece, llama2.c).
    None = 0,
    /// `gpt-2`.
    Gpt2 = 1,
    /// `smollm`: each digit alone, and `gpt-2` in between.
    SmolLm = 2,
    /// `llama-bpe`: Llama 3's.
    LlamaBpe = 3,
    /// `default`: what llama.cpp takes where a file names none.
    Default = 4,
}

/// Takes words one after the other, and may stop with an error.
type Sink<'s, E> = &'s mut dyn FnMut(&str) -> Result<(), E>;

impl Pretokenizer {
    const ALL: [Self; 5] = [Self::None, Self::Gpt2, Self::SmolLm, Self::LlamaBpe, Self::Default];

    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// Hands the words of `text` to `word`, in order; joined they are the text.
    pub(super) fn words<E>(self, classes: Classes<'_>, text: &str, word: Sink<'_, E>) -> Result<(), E> {
        let number = |c| classes.of(c) == Number;
        let gpt2 = |text: &str| gpt2(text, classes);
        match self {
            Self::None => cut(text, str::len, word),
            Self::Gpt2 => cut(text, gpt2, word),
            // \p{N}, and gpt-2's within what is cut there.
            Self::SmolLm => {
                cut(text, |text| one_or_run_without(text, number), &mut |part| cut(part, gpt2, word))
            }
            Self::LlamaBpe => cut(text, |text| llama_bpe(text, classes), word),
            // Four patterns, each within what the one before it cut:
            // [\p{P}$+<=>^~|]+, gpt-2's, \p{N}+, [0-9][0-9][0-9].
            Self::Default => {
                let sign = |c| classes.of(c) == Punctuation || "$+<=>^~|".contains(c);
                cut(text, |text| run_with_or_without(text, sign), &mut |part| {
                    cut(part, gpt2, &mut |part| {
                        cut(part, |text| run_with_or_without(text, number), &mut |part| {
                            cut(part, three_digits, word)
                        })
                    })
                })
            }
        }
    }
}

/// Cuts a text again and again where `length_of_first` says, at least behind its first character.
fn cut<E>(mut text: &str, length_of_first: impl Fn(&str) -> usize, word: Sink<'_, E>) -> Result<(), E> {
    while let Some(character) = text.chars().next() {
        let (first, rest) = text.split_at(length_of_first(text).max(character.len_utf8()));
        word(first)?;
        text = rest;
    }
    Ok(())
}

/// Bytes of the characters at the beginning that are `wanted`.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// Bytes of the first character if it is `wanted`, else of all before the first that is.
fn one_or_run_without(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    match text.chars().next() {
        Some(first) if wanted(first) => first.len_utf8(),
        _ => run(text, |c| !wanted(c)),
    }
}

/// Bytes of the characters at the beginning that are all `wanted`, or all not.
fn run_with_or_without(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    let first = text.starts_with(&wanted);
    run(text, |c| wanted(c) == first)
}

/// `[0-9][0-9][0-9]`, or what stands before it.
fn three_digits(text: &str) -> usize {
    let mut threes = text.as_bytes().windows(3);
    match threes.position(|three| three.iter().all(u8::is_ascii_digit)) {
        Some(0) => 3,
        Some(at) => at,
        None => text.len(),
    }
}

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
fn gpt2(text: &str, classes: Classes<'_>) -> usize {
    if let Some(length) = contraction(text, |c| c) {
        return length;
    }
    let space = usize::from(text.starts_with(' '));
    let class = |c| letter_number_space_or_other(classes.of(c));
    match text[space..].chars().next().map(class) {
        Some(WhiteSpace) | None => white_space(text, classes),
        Some(first) => space + run(&text[space..], |c| class(c) == first),
    }
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*`
/// `|\s*[\r\n]+|\s+(?!\S)|\s+`
fn llama_bpe(text: &str, classes: Classes<'_>) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    // Without case, s is also U+017F, the long s, by Unicode's case folding.
    let fold = |c: char| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() };
    if let Some(length) = contraction(text, fold) {
        return length;
    }
    let class = |c| letter_number_space_or_other(classes.of(c));
    let is = |wanted: Class| move |c| class(c) == wanted;

    let before = match (class(first), first) {
        (Letter, _) => Some(0),
        (Number, _) | (_, '\r' | '\n') => None,
        _ => Some(first.len_utf8()),
    };
    if let Some(before) = before
        && let letters @ 1.. = run(&text[before..], is(Letter))
    {
        return before + letters;
    }
    if class(first) == Number {
        return text.chars().take(3).take_while(|&c| class(c) == Number).map(char::len_utf8).sum();
    }
    let space = usize::from(first == ' ');
    if let others @ 1.. = run(&text[space..], is(Class::Other)) {
        let end = space + others;
        return end + run(&text[end..], |c| matches!(c, '\r' | '\n'));
    }
    let white = run(text, is(WhiteSpace));
    match text[..white].rfind(['\r', '\n']) {
        Some(line_end) => line_end + 1,
        None => white_space(text, classes),
    }
}

/// `'s|'t|'re|'ve|'m|'ll|'d`, with `fold` over the letters.
fn contraction(text: &str, fold: impl Fn(char) -> char) -> Option<usize> {
    let mut rest = text.strip_prefix('\'')?.chars();
    let first = rest.next()?;
    let length = '\''.len_utf8() + first.len_utf8();
    match fold(first) {
        's' | 't' | 'm' | 'd' => Some(length),
        letter @ ('r' | 'v' | 'l') => {
            let second = rest.next()?;
            let wanted = if letter == 'l' { 'l' } else { 'e' };
            (fold(second) == wanted).then(|| length + second.len_utf8())
        }
        _ => None,
    }
}

/// `\s+(?!\S)|\s+`
fn white_space(text: &str, classes: Classes<'_>) -> usize {
    let end = run(text, |c| classes.of(c) == WhiteSpace);
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    if end < text.len() && last > 0 { last } else { end }
}

/// Punctuation is `[^\s\p{L}\p{N}]` as all the rest is.
fn letter_number_space_or_other(class: Class) -> Class {
    if class == Punctuation { Class::Other } else { class }
}

#[cfg(test)]
mod tests;
