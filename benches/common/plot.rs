//! Cost against number of waiters, as SVG; both axes logarithmic.

use super::report::count;
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{error::Error, ops::Range};

/// A contender's figures: (waiters, nanoseconds).
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One of the charts that stand side by side, all with the same curves.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) curves: Vec<Curve>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Outcome = Result<(), Box<dyn Error>>;

const SIZE: (u32, u32) = (1_240, 500);
const LEGEND_WIDTH: u32 = 256;
const LEGEND_LINE: i32 = 26;
/// Colours that people tell apart who do not see red or green (the palette of Okabe and Ito).
const COLORS: [RGBColor; 8] = [
    RGBColor(110, 110, 110),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(160, 130, 0),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(213, 94, 0),
];

/// Draws the panels and one legend; the curve named `ours` is the thick one.
pub(crate) fn draw(path: &str, panels: &[Panel], ours: &str) -> Outcome {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (charts, names) = root.split_horizontally(SIZE.0 - LEGEND_WIDTH);
    let areas = charts.split_evenly((1, panels.len()));
    let curves = || panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points);
    let waiters = decades(curves().map(|point| point.0));
    let cost = decades(curves().map(|point| point.1));
    for (area, panel) in areas.iter().zip(panels) {
        chart(area, panel, waiters.clone(), cost.clone(), ours)?;
    }
    legend(&names, panels, ours)?;
    root.present()?;
    Ok(())
}

/// The whole powers of ten around `values`.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) = values.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value.log10().floor()), most.max(value.log10().ceil()))
    });
    10_f64.powf(least)..10_f64.powf(most)
}

fn style(index: usize, name: &str, ours: &str) -> ShapeStyle {
    COLORS[index % COLORS.len()].stroke_width(if name == ours { 4 } else { 2 })
}

fn chart(area: &Area<'_>, panel: &Panel, waiters: Range<f64>, cost: Range<f64>, ours: &str) -> Outcome {
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 20))
        .margin(12)
        .margin_right(28)
        .x_label_area_size(48)
        .y_label_area_size(68)
        .build_cartesian_2d(waiters.log_scale(), cost.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .label_style(("sans-serif", 15))
        .x_desc("waiting tasks")
        .y_desc("time per hand-over")
        .x_label_formatter(&|value| whole(*value))
        .y_label_formatter(&|value| duration(*value))
        .draw()?;
    // Ours on top of the others.
    let (others, ours_last): (Vec<_>, Vec<_>) =
        panel.curves.iter().enumerate().partition(|(_, curve)| curve.name != ours);
    for (index, curve) in others.into_iter().chain(ours_last) {
        let style = style(index, curve.name, ours);
        chart.draw_series(LineSeries::new(curve.points.iter().copied(), style))?;
        chart.draw_series(curve.points.iter().map(|&point| Circle::new(point, 3, style.filled())))?;
    }
    Ok(())
}

fn legend(area: &Area<'_>, panels: &[Panel], ours: &str) -> Outcome {
    let text = ("sans-serif", 16).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
    let mut y = 70;
    for (index, curve) in panels[0].curves.iter().enumerate() {
        area.draw(&PathElement::new([(4, y), (30, y)], style(index, curve.name, ours)))?;
        area.draw(&Text::new(curve.name, (38, y), text.clone()))?;
        y += LEGEND_LINE;
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a label of an axis")]
fn whole(value: f64) -> String {
    count(value.round() as u64)
}

fn duration(ns: f64) -> String {
    match ns {
        ns if ns < 999.0 => format!("{ns:.0} ns"),
        ns if ns < 999e3 => format!("{:.0} µs", ns / 1e3),
        ns if ns < 999e6 => format!("{:.0} ms", ns / 1e6),
        ns => format!("{:.0} s", ns / 1e9),
    }
}
