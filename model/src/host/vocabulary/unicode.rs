//! The table of character classes, made of Unicode's general categories.
use crate::vocabulary::{Class, Pretokenizer};
use unicode_general_category::GeneralCategory::{self, *};
use unicode_general_category::get_general_category;

/// The packed table that a pre-tokenizer needs: ranges, each by its first character and its class.
pub(super) fn classes(pretokenizer: Pretokenizer) -> Vec<u32> {
    let mut ranges: Vec<u32> = Vec::new();
    if pretokenizer == Pretokenizer::None {
        return ranges;
    }
    let punctuation = pretokenizer == Pretokenizer::Default;
    let mut last = None;
    for character in '\0'..=char::MAX {
        let class = match class(character) {
            Class::Punctuation if !punctuation => Class::Other,
            class => class,
        };
        if last.replace(class) != Some(class) {
            ranges.push(u32::from(character) << Class::BITS | class as u32);
        }
    }
    ranges
}

fn class(character: char) -> Class {
    match get_general_category(character) {
        _ if character.is_whitespace() => Class::WhiteSpace,
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => Class::Letter,
        DecimalNumber | LetterNumber | OtherNumber => Class::Number,
        category if is_punctuation(category) => Class::Punctuation,
        _ => Class::Other,
    }
}

fn is_punctuation(category: GeneralCategory) -> bool {
    matches!(
        category,
        ConnectorPunctuation
            | DashPunctuation
            | OpenPunctuation
            | ClosePunctuation
            | InitialPunctuation
            | FinalPunctuation
            | OtherPunctuation
    )
}
