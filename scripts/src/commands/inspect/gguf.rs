//! A GGUF in words, and as JSON.
use model::{
    host::gguf::{Array, GgufVocabulary, TokenType, Value, ValueType},
    packed::Kind,
};
use serde_json::json;

use super::{describe_memory, describe_shape, memory_to_json, shape_to_json};
use crate::{
    inspect::gguf::{GgufContents, PackedGguf, Part},
    size::{Bytes, Grouped},
};

/// Columns of a line.
const WIDTH: usize = 100;
/// Columns of a metadata key.
const KEY: usize = 40;
/// Items of an array that are shown, and that JSON has.
const ITEMS: usize = 8;
/// Lines of the template that are shown.
const TEMPLATE_LINES: usize = 6;

/// Describes it on stdout.
pub fn describe(contents: &GgufContents) {
    let GgufContents { listing, types, vocabulary, packed } = contents;
    println!("GGUF version {}, {}", listing.version, Bytes(listing.file_bytes));
    println!("\nmetadata, {} keys", listing.metadata.len());
    for (key, value) in listing.metadata.iter() {
        let width = WIDTH.saturating_sub(2 + key.len().max(KEY) + 1);
        println!("  {key:KEY$} {}", shown(value, width));
    }
    println!("\ntensors, {}\n  {:10}{:>9}{:>18}", listing.tensors.len(), "type", "tensors", "bytes");
    for (name, (count, bytes)) in types {
        println!("  {name:10}{count:>9}{:>18}", Grouped(*bytes).to_string());
    }
    if let Some(vocabulary) = vocabulary {
        describe_tokenizer(vocabulary, packed.as_ref().ok());
    }
    match packed {
        Ok(packed) => describe_packed(packed),
        Err(reason) => println!("\nnot run: {reason}"),
    }
}

/// A value in at most so many columns.
fn shown(value: &Value, width: usize) -> String {
    match value {
        Value::String(bytes) => {
            let text = format!("{:?}", String::from_utf8_lossy(bytes));
            let count = format!(" ({})", Bytes(bytes.len() as u64));
            if text.chars().count() <= width { text } else { cut(&text, width - count.len()) + &count }
        }
        Value::Array(array) => {
            let (count, of) = match array {
                Array::Numbers(numbers) => (numbers.len(), numbers.value_type().name()),
                Array::Strings(strings) => (strings.len(), "strings"),
            };
            let more = if count > ITEMS { ", ..." } else { "" };
            cut(&format!("{} {of}: {}{more}", Grouped(count as u64), items(array).join(", ")), width)
        }
        value => value.to_string(),
    }
}

/// The first items of an array.
fn items(array: &Array) -> Vec<String> {
    match array {
        Array::Numbers(numbers) => numbers.iter().take(ITEMS).map(|number| number.to_string()).collect(),
        Array::Strings(strings) => {
            strings.iter().take(ITEMS).map(|text| format!("{:?}", String::from_utf8_lossy(text))).collect()
        }
    }
}

/// A text, or as much of it as there is room for.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}

fn describe_tokenizer(vocabulary: &GgufVocabulary, packed: Option<&PackedGguf>) {
    let token = |id: u32| {
        let text = vocabulary.tokens.get(id as usize).map(|text| String::from_utf8_lossy(text).into_owned());
        format!("{id} {:?}", text.unwrap_or_default())
    };
    let tokens = |ids: &mut dyn Iterator<Item = u32>| ids.map(token).collect::<Vec<_>>().join(", ");
    let rule = match &vocabulary.model[..] {
        "gpt2" => format!("gpt2, byte-level BPE; pre-tokenizer {:?}", vocabulary.pre),
        model => format!("{model}, SentencePiece's rule"),
    };
    println!("\ntokenizer\n  kind         {rule}");
    let count = |kind| vocabulary.types.iter().filter(|&&found| found == kind).count() as u64;
    let joined = match vocabulary.merges.len() {
        0 => format!("{} bytes", count(TokenType::Byte)),
        merges => format!("{} merges", Grouped(merges as u64)),
    };
    println!(
        "  tokens       {}: {} of text, {} control; {joined}",
        Grouped(vocabulary.tokens.len() as u64),
        Grouped(count(TokenType::Normal)),
        count(TokenType::Control)
    );
    let put = if vocabulary.add_bos { "put before each text" } else { "not put before a text" };
    let bos = vocabulary.bos.map_or_else(|| "none".into(), |bos| format!("{}, {put}", token(bos)));
    println!("  BOS          {bos}");
    println!("  EOS          {}", vocabulary.eos.map_or_else(|| "none".into(), token));
    if let Some(packed) = packed {
        println!("  ends a text  {}", tokens(&mut packed.endings.iter().copied()));
        let start = packed.start.map_or_else(|| "nothing: it needs a beginning".into(), token);
        println!("  starts from  {start}");
    }
    let Some(template) = &vocabulary.chat_template else { return println!("\nno chat template") };
    println!("\nchat template, {}", Bytes(template.len() as u64));
    let lines: Vec<String> = template.lines().flat_map(folded).collect();
    for line in lines.iter().take(TEMPLATE_LINES) {
        println!("  {line}");
    }
    if let Some(more @ 1..) = lines.len().checked_sub(TEMPLATE_LINES) {
        println!("  ... and {more} more line{}", if more == 1 { "" } else { "s" });
    }
}

/// A line as several that are not too long.
fn folded(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    characters.chunks(WIDTH - 2).map(|some| some.iter().collect()).collect()
}

fn describe_packed(packed: &PackedGguf) {
    let header = &packed.header;
    println!("\nmodel");
    describe_shape(&packed.shape);
    println!(
        "\npacked for a context of {} tokens, {}",
        Grouped(header.shape.seq_len as u64),
        Bytes(header.packed_bytes())
    );
    for part in &packed.parts {
        let Part { count, bytes, .. } = part;
        let times = if *count > 1 { format!("{count} x") } else { String::new() };
        let (becomes, sizes) = becomes(part);
        let (from, bytes) = (source(part), Grouped(*bytes).to_string());
        println!("  {times:>4} {from:36} -> {becomes:33} {sizes:>16}{bytes:>15}");
    }
    describe_memory(header);
}

/// What is taken from the file.
fn source(part: &Part) -> String {
    match part.kind {
        Kind::Vocabulary => "tokenizer".into(),
        Kind::Exp2 => "2^-x".into(),
        Kind::Sigmoid => "logistic function".into(),
        Kind::Rope if part.from.is_empty() => "rope.freq_base".into(),
        Kind::Rope => format!("rope.freq_base, {}", part.from.join(", ")),
        _ => {
            let types: Vec<_> = part.types.iter().map(|tensor_type| tensor_type.name()).collect();
            format!("{} {}", part.from.join(", "), types.join("/"))
        }
    }
}

/// What the packer makes of it, and its sizes.
fn becomes(part: &Part) -> (String, String) {
    let [rows, cols] = [part.rows, part.cols].map(|size| Grouped(size.into()));
    match part.kind {
        Kind::Vocabulary => ("pieces and merges".into(), String::new()),
        Kind::Exp2 | Kind::Sigmoid => ("table".into(), cols.to_string()),
        Kind::Rope => ("table of angles".into(), format!("{rows} x {}", part.cols / 2)),
        Kind::RmsAtt | Kind::RmsFfn | Kind::RmsFinal => ("32-bit integers".into(), cols.to_string()),
        _ => (part.coding.to_string(), format!("{rows} x {cols}")),
    }
}

/// The same as JSON.
pub fn to_json(contents: &GgufContents) -> serde_json::Value {
    let GgufContents { listing, types, vocabulary, packed } = contents;
    let metadata: serde_json::Map<String, serde_json::Value> =
        listing.metadata.iter().map(|(key, value)| (key.to_owned(), value_to_json(value))).collect();
    let types: Vec<_> = (types.iter())
        .map(|(name, (tensors, bytes))| json!({ "type": name, "tensors": tensors, "bytes": bytes }))
        .collect();
    let tensors: Vec<_> = (listing.tensors.iter())
        .map(|tensor| json!({ "name": tensor.name, "type": tensor.type_name(), "dims": tensor.dims }))
        .collect();
    let tokenizer = vocabulary.as_ref().map(|vocabulary| {
        json!({
            "model": vocabulary.model,
            "pre": vocabulary.pre,
            "tokens": vocabulary.tokens.len(),
            "merges": vocabulary.merges.len(),
            "bos": vocabulary.bos,
            "eos": vocabulary.eos,
            "endings": packed.as_ref().ok().map(|packed| &packed.endings),
            "start": packed.as_ref().ok().and_then(|packed| packed.start),
            "add_bos": vocabulary.add_bos,
            "chat_template": vocabulary.chat_template,
        })
    });
    json!({
        "kind": "gguf",
        "version": listing.version,
        "bytes": listing.file_bytes,
        "metadata": metadata,
        "types": types,
        "tensors": tensors,
        "tokenizer": tokenizer,
        "not_run": packed.as_ref().err(),
        "shape": packed.as_ref().ok().map(|packed| shape_to_json(&packed.shape)),
        "packed": packed.as_ref().ok().map(packed_to_json),
    })
}

fn packed_to_json(packed: &PackedGguf) -> serde_json::Value {
    let parts: Vec<_> = (packed.parts.iter())
        .map(|part| {
            json!({
                "kind": part.kind.name(),
                "tensors": part.from,
                "types": part.types.iter().map(|tensor_type| tensor_type.name()).collect::<Vec<_>>(),
                "becomes": becomes(part).0,
                "count": part.count,
                "rows": part.rows,
                "cols": part.cols,
                "bytes": part.bytes,
            })
        })
        .collect();
    json!({
        "bytes": packed.header.packed_bytes(),
        "context": packed.header.shape.seq_len,
        "parts": parts,
        "memory": memory_to_json(&packed.header),
    })
}

/// Numbers, bools and texts as they are; of an array its type, length and first items.
fn value_to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => json!(value),
        Value::String(bytes) => json!(String::from_utf8_lossy(bytes)),
        Value::Array(array) => {
            let (value_type, length) = match array {
                Array::Numbers(numbers) => (numbers.value_type(), numbers.len()),
                Array::Strings(strings) => (ValueType::String, strings.len()),
            };
            let first: Vec<_> = match array {
                Array::Numbers(numbers) => {
                    numbers.iter().take(ITEMS).map(|item| value_to_json(&item)).collect()
                }
                Array::Strings(strings) => {
                    strings.iter().take(ITEMS).map(|item| json!(String::from_utf8_lossy(item))).collect()
                }
            };
            json!({ "array": value_type.name(), "length": length, "first": first })
        }
        Value::F32(value) => json!(value),
        Value::F64(value) => json!(value),
        Value::U64(value) => json!(value),
        whole => json!(whole.as_integer().and_then(|whole| i64::try_from(whole).ok())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_column() {
        assert_eq!(shown(&Value::from("llama"), 20), "\"llama\"");
        assert_eq!(shown(&Value::from(&*"x".repeat(100)), 30), "\"xxxxxxxxxxxxxx... (100 bytes)");
        let few = Value::from(&[1, 2, 3][..]);
        assert_eq!(shown(&few, 57), "3 i32: 1, 2, 3");
        let many = Value::from(&[7; 1234][..]);
        assert_eq!(shown(&many, 57), "1,234 i32: 7, 7, 7, 7, 7, 7, 7, 7, ...");
        assert_eq!(shown(&many, 20), "1,234 i32: 7, 7, ...");
        assert_eq!(value_to_json(&few), json!({ "array": "i32", "length": 3, "first": [1, 2, 3] }));
    }
}
