//! The table of character classes, made of Unicode's general categories.
use crate::vocabulary::{Class, Pretokenizer};
use std::sync::LazyLock;
use unicode_general_category::GeneralCategory::{self, *};
use unicode_general_category::get_general_category;

/// The class of each range of characters, with the range's first character. Made once: Unicode has
/// more than a million characters.
static RANGES: LazyLock<Vec<(char, Class)>> = LazyLock::new(|| {
    let mut ranges: Vec<(char, Class)> = Vec::new();
    for character in '\0'..=char::MAX {
        let class = class(character);
        if ranges.last().is_none_or(|&(_, last)| last != class) {
            ranges.push((character, class));
        }
    }
    ranges
});

/// The packed table that a pre-tokenizer needs: ranges, each by its first character and its class.
pub(crate) fn classes(pretokenizer: Pretokenizer) -> Vec<u32> {
    if pretokenizer == Pretokenizer::None {
        return Vec::new();
    }
    let needed = |class| match class {
        Class::Punctuation if pretokenizer != Pretokenizer::Default => Class::Other,
        class => class,
    };
    let mut ranges: Vec<_> = RANGES.iter().map(|&(first, class)| (first, needed(class))).collect();
    ranges.dedup_by_key(|&mut (_, class)| class);
    ranges.iter().map(|&(first, class)| u32::from(first) << Class::BITS | class as u32).collect()
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
