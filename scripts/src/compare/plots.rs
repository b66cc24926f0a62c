//! The report's plots, as SVG.
use model::host::score::{Prediction, Summary};
use plotters::{coord::Shift, prelude::*};

use super::{Comparison, EngineResult};

/// Width and height of a plot, in pixels.
const SIZE: (u32, u32) = (860, 340);
/// Size of all text in a plot, in pixels.
const TEXT: (&str, u32) = ("sans-serif", 15);
/// Positions in a story that one point of a line stands for.
const POSITIONS: usize = 16;
/// The histogram's bins: so many a power of ten, from 10^-8 to 10^1 nats.
const BINS_A_DECADE: f64 = 4.0;
const LOWEST: f64 = -8.0;
const HIGHEST: f64 = 1.0;

/// An error of the plotting crate.
pub type PlotError = Box<dyn std::error::Error + Send + Sync>;

/// A colour per engine, told apart by colour-blind readers too (Okabe and Ito's palette).
pub fn color(engine: &str) -> RGBColor {
    match engine {
        "int8" => RGBColor(0, 114, 178),
        "sector" => RGBColor(213, 94, 0),
        _ => RGBColor(150, 150, 150),
    }
}

/// A point of a line: a position and the mean of something there.
type Point = (f64, f64);

/// Mean loss over the position in the story, a line per engine.
///
/// # Errors
/// An error of the plotting crate.
pub fn loss_by_position(comparison: &Comparison) -> Result<String, PlotError> {
    let lines: Vec<_> = comparison.engines.iter().map(|engine| (engine.name, by_position(engine))).collect();
    line_plot("nats a token", SeriesLabelPosition::LowerRight, &lines)
}

/// Mean loss above fp32's over the position in the story.
///
/// # Errors
/// An error of the plotting crate.
pub fn loss_above_fp32(comparison: &Comparison) -> Result<String, PlotError> {
    let reference = by_position(&comparison.engines[0]);
    let above = |engine: &EngineResult| {
        by_position(engine).into_iter().zip(&reference).map(|(a, b)| (a.0, a.1 - b.1)).collect()
    };
    let lines: Vec<_> = comparison.engines[1..].iter().map(|engine| (engine.name, above(engine))).collect();
    line_plot("nats a token above fp32", SeriesLabelPosition::UpperLeft, &lines)
}

/// Mean loss in groups of [`POSITIONS`] positions.
fn by_position(engine: &EngineResult) -> Vec<Point> {
    let longest = engine.stories.iter().map(Vec::len).max().unwrap_or(0);
    let group = |start: usize| {
        let of_story = |story: &'_ Vec<Prediction>| {
            let end = story.len().min(start + POSITIONS);
            story.get(start..end).unwrap_or_default().to_vec()
        };
        let predictions: Vec<_> = engine.stories.iter().flat_map(of_story).collect();
        (start as f64 + POSITIONS as f64 / 2.0, Summary::of(&predictions).nats)
    };
    (0..longest).step_by(POSITIONS).map(group).collect()
}

/// Lines over the position in the story.
fn line_plot(
    what: &str,
    legend: SeriesLabelPosition,
    lines: &[(&str, Vec<Point>)],
) -> Result<String, PlotError> {
    let points = || lines.iter().flat_map(|(_, line)| line);
    let right = points().fold(1.0, |most: f64, point| most.max(point.0));
    let top = points().fold(f64::MIN_POSITIVE, |most, point| most.max(point.1));
    let bottom = points().fold(0.0, |least: f64, point| least.min(point.1));
    draw(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..right, bottom * 1.1..top * 1.1)?;
        chart
            .configure_mesh()
            .x_desc("position in the story (tokens)")
            .y_desc(what)
            .x_label_formatter(&|position| format!("{position:.0}"))
            .label_style(TEXT)
            .light_line_style(WHITE)
            .draw()?;
        for (name, line) in lines {
            // fp32 lies below the others, and is wider, so that it shows.
            let style = color(name).stroke_width(if *name == "fp32" { 5 } else { 2 });
            chart
                .draw_series(LineSeries::new(line.iter().copied(), style))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(legend)
            .label_font(TEXT)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    })
}

/// How often each size of the divergence from fp32 comes, over a logarithmic scale.
///
/// # Errors
/// An error of the plotting crate.
pub fn kl_histogram(comparison: &Comparison) -> Result<String, PlotError> {
    let histograms: Vec<_> =
        comparison.engines[1..].iter().map(|engine| (engine.name, histogram(engine))).collect();
    let top = histograms.iter().flat_map(|(_, bins)| bins).fold(0.0, |most: f64, bin| most.max(*bin));
    draw(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(LOWEST..HIGHEST, 0.0..top * 1.1)?;
        chart
            .configure_mesh()
            .x_desc("KL divergence from fp32 at one token (nats)")
            .y_desc("% of predictions")
            .x_label_formatter(&|power| format!("1e{power}"))
            .label_style(TEXT)
            .light_line_style(WHITE)
            .draw()?;
        for (name, bins) in &histograms {
            let fill = color(name).mix(0.35).filled();
            let bar = |(at, share): (usize, &f64)| {
                let left = LOWEST + at as f64 / BINS_A_DECADE;
                Rectangle::new([(left, 0.0), (left + 1.0 / BINS_A_DECADE, *share)], fill)
            };
            chart
                .draw_series(bins.iter().enumerate().map(bar))?
                .label(*name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], fill));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(TEXT)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    })
}

/// The share of predictions in each bin, in percent. What lies outside counts into the end bins.
fn histogram(engine: &EngineResult) -> Vec<f64> {
    let count = ((HIGHEST - LOWEST) * BINS_A_DECADE) as usize;
    let mut bins = vec![0.0; count];
    for prediction in engine.stories.iter().flatten() {
        let power = prediction.kl.max(f64::MIN_POSITIVE).log10();
        let bin = ((power - LOWEST) * BINS_A_DECADE).clamp(0.0, count as f64 - 1.0);
        bins[bin as usize] += 100.0 / engine.summary.predictions as f64;
    }
    bins
}

/// Draws on a new white picture.
fn draw(
    paint: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        paint(&area)?;
        area.present()?;
    }
    Ok(svg)
}
