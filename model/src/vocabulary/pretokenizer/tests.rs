use super::*;
use crate::host::vocabulary::unicode::classes;
use proptest::prelude::*;
use std::convert::Infallible;
use std::sync::LazyLock;

/// The tables of classes, by the pre-tokenizer's number.
static CLASSES: LazyLock<[Vec<u32>; 5]> = LazyLock::new(|| Pretokenizer::ALL.map(classes));

fn words(rule: Pretokenizer, text: &str) -> Vec<String> {
    let table = &CLASSES[rule as usize];
    let mut words = Vec::new();
    let mut keep = |word: &str| {
        words.push(word.to_owned());
        Ok::<_, Infallible>(())
    };
    let Ok(()) = rule.words(Classes(table), text, &mut keep);
    words
}

/// Texts, cut by `|`. The cuts are those of Hugging Face's tokenizers 0.23 with the patterns that the
/// functions are for; the texts are the same in all lists.
const GPT2: [&str; 25] = [
    "Hello|,| world|!",
    " hello| | world| ",
    "don|'t| I|'m| you|'ll| it|'s| they|'ve| we|'d| you|'re| '|tis| rock|'|n|'|roll",
    "DON|'|T| I|'|M| YOU|'|LL| It|'|S| They|'|Ve",
    "'|ſx| '|\u{212A}x|'d",
    "year| 2025|,| 12345| and| 1|,|234|.|50| x|2|y",
    "½| ²|x| Ⅷ| ٣٤٥| 1²",
    "f|(|x|)| ->| y|[|0|]| +=| 3|;| #| a| !=| b",
    "def| f|(|x|):|\n   | return| x|\n\n\n | #| end|  ",
    "a|\r\n\r|\n|b| \n| c|\t|\t|d| \t",
    "x|   ",
    "   ",
    " \n",
    " \n \n| x",
    "你好|，|世界|！|日本語のテキスト| 한국어",
    "naïve| café| e|\u{301}|a| \u{301}|x",
    "👩\u{200D}💻| 👍🏽|a| ❤\u{FE0F}|\n|!",
    "a|\u{A0}|b|\u{A0}|\u{A0}|c|\u{3000}|d|\u{2028}|e|\u{85}|f",
    "अन|ु|च|्|छ|े|द| ไทย| العربية",
    "\u{200B}|a|\u{FEFF}\u{AD}",
    "\0\u{1B}[|31|m|\u{7F}",
    "$|5|.|00| +| €|7| <=| `|x|`| ~| ^| «|q|»| —| …",
    "http|://|a|.|b|/|c|?|d|=|1|&|e|_|f",
    "!?|\n|\n|?| ...|\r|\n|a",
    "\u{E000}\u{E0100}\u{378}| \u{E000}",
];

const SMOLLM: [&str; 25] = [
    "Hello|,| world|!",
    " hello| | world| ",
    "don|'t| I|'m| you|'ll| it|'s| they|'ve| we|'d| you|'re| '|tis| rock|'|n|'|roll",
    "DON|'|T| I|'|M| YOU|'|LL| It|'|S| They|'|Ve",
    "'|ſx| '|\u{212A}x|'d",
    "year| |2|0|2|5|,| |1|2|3|4|5| and| |1|,|2|3|4|.|5|0| x|2|y",
    "½| |²|x| |Ⅷ| |٣|٤|٥| |1|²",
    "f|(|x|)| ->| y|[|0|]| +=| |3|;| #| a| !=| b",
    "def| f|(|x|):|\n   | return| x|\n\n\n | #| end|  ",
    "a|\r\n\r|\n|b| \n| c|\t|\t|d| \t",
    "x|   ",
    "   ",
    " \n",
    " \n \n| x",
    "你好|，|世界|！|日本語のテキスト| 한국어",
    "naïve| café| e|\u{301}|a| \u{301}|x",
    "👩\u{200D}💻| 👍🏽|a| ❤\u{FE0F}|\n|!",
    "a|\u{A0}|b|\u{A0}|\u{A0}|c|\u{3000}|d|\u{2028}|e|\u{85}|f",
    "अन|ु|च|्|छ|े|द| ไทย| العربية",
    "\u{200B}|a|\u{FEFF}\u{AD}",
    "\0\u{1B}[|3|1|m|\u{7F}",
    "$|5|.|0|0| +| €|7| <=| `|x|`| ~| ^| «|q|»| —| …",
    "http|://|a|.|b|/|c|?|d|=|1|&|e|_|f",
    "!?|\n|\n|?| ...|\r|\n|a",
    "\u{E000}\u{E0100}\u{378}| \u{E000}",
];

const LLAMA_BPE: [&str; 25] = [
    "Hello|,| world|!",
    " hello| | world| ",
    "don|'t| I|'m| you|'ll| it|'s| they|'ve| we|'d| you|'re| '|tis| rock|'n|'roll",
    "DON|'T| I|'M| YOU|'LL| It|'S| They|'Ve",
    "'ſ|x| '|\u{212A}x|'d",
    "year| |202|5|,| |123|45| and| |1|,|234|.|50| x|2|y",
    "½| |²|x| |Ⅷ| |٣٤٥| |1²",
    "f|(x|)| ->| y|[|0|]| +=| |3|;| #| a| !=| b",
    "def| f|(x|):\n|   | return| x|\n\n\n| | #| end|  ",
    "a|\r\n\r\n|b| \n| c|\t|\td| \t",
    "x|   ",
    "   ",
    " \n",
    " \n \n| x",
    "你好|，世界|！日本語のテキスト| 한국어",
    "naïve| café| e|\u{301}a| \u{301}|x",
    "👩\u{200D}💻| 👍🏽|a| ❤\u{FE0F}\n|!",
    "a|\u{A0}b|\u{A0}|\u{A0}c|\u{3000}d|\u{2028}e|\u{85}f",
    "अन|ुच|्छ|ेद| ไทย| العربية",
    "\u{200B}a|\u{FEFF}\u{AD}",
    "\0\u{1B}[|31|m|\u{7F}",
    "$|5|.|00| +| €|7| <=| `|x|`| ~| ^| «|q|»| —| …",
    "http|://|a|.b|/c|?d|=|1|&e|_f",
    "!?\n\n|?| ...\r\n|a",
    "\u{E000}\u{E0100}\u{378}| \u{E000}",
];

const DEFAULT: [&str; 25] = [
    "Hello|,| world|!",
    " hello| | world| ",
    "don|'|t| I|'|m| you|'|ll| it|'|s| they|'|ve| we|'|d| you|'|re| |'|tis| rock|'|n|'|roll",
    "DON|'|T| I|'|M| YOU|'|LL| It|'|S| They|'|Ve",
    "'|ſx| |'|\u{212A}x|'|d",
    "year| |202|5|,| |123|45| and| |1|,|234|.|50| x|2|y",
    "½| |²|x| |Ⅷ| |٣٤٥| |1²",
    "f|(|x|)| |->| y|[|0|]| |+=| |3|;| |#| a| |!=| b",
    "def| f|(|x|):|\n   | return| x|\n\n\n  |#| end|  ",
    "a|\r\n\r|\n|b| \n| c|\t|\t|d| \t",
    "x|   ",
    "   ",
    " \n",
    " \n \n| x",
    "你好|，|世界|！|日本語のテキスト| 한국어",
    "naïve| café| e|\u{301}|a| \u{301}|x",
    "👩\u{200D}💻| 👍🏽|a| ❤\u{FE0F}|\n|!",
    "a|\u{A0}|b|\u{A0}|\u{A0}|c|\u{3000}|d|\u{2028}|e|\u{85}|f",
    "अन|ु|च|्|छ|े|द| ไทย| العربية",
    "\u{200B}|a|\u{FEFF}\u{AD}",
    "\0\u{1B}|[|31|m|\u{7F}",
    "$|5|.|00| |+| €|7| |<=| `|x|`| |~| |^| |«|q|»| |—| |…",
    "http|://|a|.|b|/|c|?|d|=|1|&|e|_|f",
    "!?|\n\n|?| |...|\r|\n|a",
    "\u{E000}\u{E0100}\u{378}| \u{E000}",
];

/// Checks a rule against a list.
fn check(rule: Pretokenizer, texts: &[&str]) {
    for text in texts {
        let expected: Vec<&str> = text.split('|').collect();
        assert_eq!(words(rule, &expected.concat()), expected, "{rule:?}");
    }
}

#[test]
fn gpt2_cuts_as_its_pattern() {
    check(Pretokenizer::Gpt2, &GPT2);
}

#[test]
fn smollm_cuts_digits_first() {
    check(Pretokenizer::SmolLm, &SMOLLM);
}

#[test]
fn llama_bpe_cuts_as_its_pattern() {
    check(Pretokenizer::LlamaBpe, &LLAMA_BPE);
}

#[test]
fn the_default_cuts_as_its_four_patterns() {
    check(Pretokenizer::Default, &DEFAULT);
}

proptest! {
    #[test]
    fn words_joined_are_the_text(text in "([ \n\r\t]|'[a-zA-Z]|[0-9]{1,5}|\\PC|\\p{Any}){0,40}") {
        for rule in Pretokenizer::ALL {
            let words = words(rule, &text);
            prop_assert!(words.iter().all(|word| !word.is_empty()));
            prop_assert_eq!(words.concat(), &text[..]);
        }
    }

    /// Whatever the table of classes says, words are not empty: so cutting ends.
    #[test]
    fn no_table_makes_empty_words(text in "[ a1!\n]{0,20}", table in prop::collection::btree_map(0..200u32, 0..5u32, 0..6)) {
        let table: Vec<u32> = table.into_iter().map(|(first, class)| first << Class::BITS | class).collect();
        prop_assert!(Classes(&table).are_good());
        for rule in Pretokenizer::ALL {
            let mut joined = String::new();
            let mut keep = |word: &str| {
                joined.push_str(word);
                if word.is_empty() { Err(()) } else { Ok(()) }
            };
            prop_assert_eq!(rule.words(Classes(&table), &text, &mut keep), Ok(()));
            prop_assert_eq!(joined, &text[..]);
        }
    }
}
