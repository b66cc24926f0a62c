//! The report: one page that needs no network and no other file.
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use plotters::style::RGBColor;

use super::{Comparison, EngineResult, greedy::Story, plots};
use crate::{
    beside::{Beside, WriteError},
    size::Grouped,
};

/// Why the report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A plot could not be drawn.
    #[error("a plot cannot be drawn: {0}")]
    Plot(#[from] plots::PlotError),
    /// The page could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The page's style: readable on a phone and on paper.
const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.3rem .8rem;border-bottom:1px solid #ccc;text-align:right}
td:first-child,th:first-child{text-align:left}.scroll{overflow-x:auto}svg{max-width:100%;height:auto}
.stories{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:1rem}
.story{border-top:4px solid;padding:.5rem 0;white-space:pre-wrap}mark{background:#ffe08a}
figure{margin:1.5rem 0}figcaption{color:#555}";

/// Writes `index.html` into `folder` and returns its path.
///
/// # Errors
/// Where a plot cannot be drawn or the page cannot be written.
pub fn write(comparison: &Comparison, folder: &Path) -> Result<PathBuf, ReportError> {
    let path = folder.join("index.html");
    let page = page(comparison)?;
    fs::create_dir_all(folder).map_err(|cause| WriteError { path: folder.into(), cause })?;
    let mut beside = Beside::create(&path)?;
    beside.file().write_all(page.as_bytes()).map_err(beside.failed())?;
    beside.finish()?;
    Ok(path)
}

fn page(comparison: &Comparison) -> Result<String, ReportError> {
    let figures = [
        (
            plots::loss_by_position(comparison)?,
            "Loss over the position in the story: the mean of all stories. The lines lie close together; the next plot shows what is between them.",
        ),
        (
            plots::loss_above_fp32(comparison)?,
            "The same, above fp32: what the small arithmetic costs at each position.",
        ),
        (
            plots::kl_histogram(comparison)?,
            "How far each single prediction is from fp32's: Kullback-Leibler divergence, a share of all predictions per bin.",
        ),
    ];
    let figures: String = figures
        .iter()
        .map(|(svg, caption)| format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>\n"))
        .collect();
    let model = escape(&comparison.model);
    let notes: String = comparison.notes().iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{model}: fp32 and integers</title><style>{STYLE}</style></head><body>\n\
         <h1>{model}: what the small arithmetic costs</h1>\n\
         <p>Read: {}. {} stories, {} predictions, each from the same tokens before it.</p>\n\
         {}{notes}{figures}\
         <h2>The stories they tell</h2>\n<p>Greedy, without a prompt. From the first token on that differs from fp32's, the text is marked.</p>\n\
         <div class=\"stories\">{}</div>\n</body></html>\n",
        escape(&comparison.text),
        comparison.stories,
        Grouped(comparison.engines[0].summary.predictions as u64),
        table(&comparison.engines),
        comparison.engines.iter().map(story).collect::<String>(),
    ))
}

fn table(engines: &[EngineResult]) -> String {
    let row = |engine: &EngineResult| {
        let summary = &engine.summary;
        format!(
            "<tr><td>{}</td><td>{:.4}</td><td>{:+.4}</td><td>{:.4}</td><td>{:.6}</td><td>{:.2}%</td><td>{}</td><td>{}</td></tr>\n",
            engine.name,
            summary.nats,
            summary.nats - engines[0].summary.nats,
            summary.perplexity(),
            summary.kl,
            100.0 * summary.top1,
            engine.first_divergence.map_or("never".to_owned(), |at| format!("token {at}")),
            Grouped(engine.model_bytes)
        )
    };
    let rows: String = engines.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><tr><th>engine</th><th>nats/token</th><th>above fp32</th><th>perplexity</th>\
         <th>KL from fp32</th><th>same top token</th><th>greedy story differs at</th><th>model bytes</th></tr>\n{rows}</table></div>\n"
    )
}

/// A story, marked from its first difference on.
fn story(engine: &EngineResult) -> String {
    let Story { text, .. } = &engine.greedy;
    let (same, own) = text.split_at(engine.same_text);
    let RGBColor(r, g, b) = plots::color(engine.name);
    let own = if own.is_empty() { String::new() } else { format!("<mark>{}</mark>", escape(own)) };
    format!(
        "<section class=\"story\" style=\"border-color:rgb({r},{g},{b})\"><strong>{}</strong> ({} tokens)\n{}{own}</section>",
        engine.name,
        engine.greedy.tokens.len(),
        escape(same)
    )
}

/// Text as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
