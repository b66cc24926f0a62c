//! Tokens a second over the model's size, as SVG.
use plotters::prelude::*;

/// Width and height, in pixels.
const SIZE: (u32, u32) = (860, 420);
const TEXT: (&str, u32) = ("sans-serif", 15);
/// A colour for each number of processors, told apart by colour-blind readers too (Okabe and Ito).
const COLORS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

/// An error of the plotting crate.
pub type PlotError = Box<dyn std::error::Error + Send + Sync>;

/// A line: its name, and for each model millions of parameters and tokens a second.
pub type Line = (String, Vec<(f64, f64)>);

/// Draws the lines, both scales logarithmic.
///
/// # Errors
/// An error of the plotting crate.
pub fn tokens_over_parameters(lines: &[Line]) -> Result<String, PlotError> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), x| (least.min(x), most.max(x)));
        least / 1.6..most * 1.6
    };
    let (x, y) = (range(&mut points().map(|point| point.0)), range(&mut points().map(|point| point.1)));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(x.log_scale(), y.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("parameters (millions)")
            .y_desc("tokens a second")
            .label_style(TEXT)
            .light_line_style(WHITE)
            .draw()?;
        for ((name, points), color) in lines.iter().zip(COLORS.into_iter().cycle()) {
            let mut points = points.clone();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(4))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .label_font(TEXT)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_drawn_and_named() {
        let lines =
            [("1 CPU".to_owned(), vec![(0.3, 900.0), (15.0, 60.0)]), ("2 CPUs".into(), vec![(15.0, 110.0)])];
        let svg = tokens_over_parameters(&lines).unwrap();
        assert!(svg.contains("1 CPU") && svg.contains("2 CPUs") && svg.contains("tokens a second"));
    }
}
