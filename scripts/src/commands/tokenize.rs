//! `cargo unreal tokenize`: a text as a model's tokens.
use std::io::{self, BufRead, Read, Write};

use model::vocabulary::{
    SpecialTokens::{AreText, AreTokens},
    Vocabulary,
};
use serde::Deserialize;
use serde_json::json;

use super::{CommandError, open_model};
use crate::cli::TokenizeArgs;

/// A line of `--jsonl`.
#[derive(Deserialize)]
struct Line {
    /// The text.
    s: String,
    /// Whether the names of special tokens are these tokens.
    #[serde(default)]
    special: bool,
}

/// Why a text was not cut into tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    /// Standard input cannot be read.
    #[error("standard input cannot be read: {0}")]
    Read(io::Error),
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    Write(io::Error),
    /// A line that is not as it should be.
    #[error("line {number} is not {{\"s\": TEXT, \"special\": BOOL}}: {cause}")]
    Line {
        /// The line, from 1 on.
        number: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

/// Cuts the text, or each line's.
pub fn tokenize(args: &TokenizeArgs) -> Result<(), CommandError> {
    let input = open_model(&args.model)?;
    let vocabulary = input.vocabulary();
    if args.jsonl {
        return lines(&vocabulary);
    }
    let text = match &args.text {
        Some(text) => text.clone(),
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(TokenizeError::Read)?;
            text
        }
    };
    let mut out = io::stdout().lock();
    for token in vocabulary.encode(&text, if args.special { AreTokens } else { AreText })? {
        let piece = String::from_utf8_lossy(vocabulary.text(token));
        writeln!(out, "{token:>7} {piece:?}").map_err(TokenizeError::Write)?;
    }
    Ok(())
}

/// A line of ids for each line of JSON.
fn lines(vocabulary: &Vocabulary) -> Result<(), CommandError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (number, line) in (1..).zip(io::stdin().lock().lines()) {
        let line = line.map_err(TokenizeError::Read)?;
        let line: Line =
            serde_json::from_str(&line).map_err(|cause| TokenizeError::Line { number, cause })?;
        let ids = vocabulary.encode(&line.s, if line.special { AreTokens } else { AreText })?;
        writeln!(out, "{}", json!({ "ids": ids })).map_err(TokenizeError::Write)?;
    }
    Ok(out.flush().map_err(TokenizeError::Write)?)
}
