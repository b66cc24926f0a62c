//! The page's JavaScript against the Rust that it must agree with.
use libtest_mimic::Trial;
use machine::browser::node;
use protocol::{
    settings::{SETTINGS_BYTES, Settings},
    trace::TraceRecord,
};
use serde_json::{Value, json};

use crate::case::{Trouble, case, ensure};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("web_parts::settings_are_written_as_the_host_writes_them", settings),
        case("web_parts::a_prompt_that_is_too_long_is_refused", too_long),
        case("web_parts::the_trace_is_split_as_the_host_splits_it", trace),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("two hexadecimal digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The sectors of `base` after each of these changes; a sentence where the page refuses.
fn changed(base: &Settings, changes: &[Value]) -> Result<Vec<String>, Trouble> {
    let sectors = base.to_sectors().map_err(|error| Trouble::Wrong(error.to_string()))?;
    let answer = node::parts(&json!({ "sectors": hex(&sectors), "changes": changes }))?;
    let answers = answer["sectors"].as_array().cloned().unwrap_or_default();
    ensure(answers.len() == changes.len(), || format!("{} answers", answers.len()))?;
    Ok(answers.iter().map(|answer| answer.as_str().unwrap_or_default().to_owned()).collect())
}

fn settings() -> Result<(), Trouble> {
    let base = Settings { steps: 77, prompt: "what was there before".into(), ..Settings::default() };
    let prompts =
        ["", "Once upon a time", "two\nlines\r\nand \\ more", "é € 😀", "a=b", "crc=00000000", "[]\"'{}$&"];
    let changes: Vec<Value> = prompts
        .iter()
        .map(|prompt| json!({ "prompt": prompt, "temperature": "0.7", "seed": 4294967295u32, "trace": 1 }))
        .collect();
    for (prompt, answer) in prompts.iter().zip(changed(&base, &changes)?) {
        let mut expected =
            Settings { prompt: (*prompt).into(), seed: 4294967295, trace: true, ..base.clone() };
        expected.set("temperature", "0.7").map_err(|error| Trouble::Wrong(error.to_string()))?;
        let sectors = unhex(&answer);
        ensure(sectors.len() == SETTINGS_BYTES, || format!("{} bytes", sectors.len()))?;
        let found = Settings::parse(&sectors);
        ensure(found.as_ref() == Ok(&expected), || format!("{prompt:?} became {found:?}"))?;
    }
    Ok(())
}

fn too_long() -> Result<(), Trouble> {
    let answers = changed(&Settings::default(), &[json!({ "prompt": "x".repeat(SETTINGS_BYTES) })])?;
    ensure(answers[0].contains("bytes too long for the disk's settings"), || answers[0].clone())
}

fn trace() -> Result<(), Trouble> {
    let logs = [
        "banner\r\nOnce\r\n~ 0 403 0badcafe\r\n upon\r\n\r\n~ 1 20 00000001\r\n\r\na time\r\n[2 tokens, 9.5 tok/s]\r\n",
        "\n~ 0 1 00000000\n\n~ 1 2 ffffffff\n",
        "a\n~ tilde\n\n\n~ 5 6 01234567\nb",
        "a\n~ 1 2\nb\n~ 1 2 00000000 4\nc\n~ 1 2 0000000g\nd",
        "~ 1 2 00000000\n",
        "\rloading\rloaded\r\n\r\r\n~ 1 2 00000000\r\nend\r",
        "é\n~ 3 4 89abcdef\n€",
    ];
    for log in logs {
        let (records, text) = TraceRecord::split(log);
        let answer = node::parts(&json!({ "log": hex(log.as_bytes()) }))?;
        let found = String::from_utf8_lossy(&unhex(answer["text"].as_str().unwrap_or_default())).into_owned();
        ensure(found == text, || format!("{log:?} has the text {text:?}, the page found {found:?}"))?;
        let expected: Vec<Value> =
            records.iter().map(|r| json!([r.pos, r.next, format!("{:08x}", r.logits_crc)])).collect();
        ensure(answer["records"] == json!(expected), || format!("{log:?} gave {}", answer["records"]))?;
    }
    Ok(())
}
