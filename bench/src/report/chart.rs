//! Bar charts for the front page of the project: one file for each of a few measures, the best system on top.
//!
//! Charts have a white background and a border, so that they look the same on light and dark pages. Bars start at
//! zero and are never logarithmic: a bar of twice the length is twice the value.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use plotters::coord::Shift;
use plotters::prelude::{
    Color, DrawingArea, DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea, IntoFont, RGBColor, Rectangle,
    SVGBackend, ShapeStyle, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, TextStyle};

use crate::sample::Measurement;

/// The contents of one chart.
struct Chart {
    /// Name of the measurements.
    name: &'static str,
    title: &'static str,
    /// Subtitle.
    about: &'static str,
    /// Whether high or low values are better.
    best: Best,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Best {
    Largest,
    Smallest,
}

const CHARTS: [Chart; 5] = [
    Chart {
        name: "latency p50",
        title: "One call at a time",
        about: "median time of a call with 64 bytes there and back; shorter is better",
        best: Best::Smallest,
    },
    Chart {
        name: "in-flight-64",
        title: "64 calls in flight",
        about: "calls per second with 64 bytes there and back; longer is better",
        best: Best::Largest,
    },
    Chart {
        name: "in-flight-1000",
        title: "1,000 calls in flight",
        about: "calls per second with 64 bytes there and back; longer is better",
        best: Best::Largest,
    },
    Chart {
        name: "server-stream-64",
        title: "One stream from the server",
        about: "items of 64 bytes per second; longer is better",
        best: Best::Largest,
    },
    Chart {
        name: "payload-64k",
        title: "64 KiB there and back",
        about: "bytes per second each way, 8 calls in flight; longer is better",
        best: Best::Largest,
    },
];

const ZSVC: RGBColor = RGBColor(0xD9, 0x48, 0x0F);
const FLOOR: RGBColor = RGBColor(0x57, 0x60, 0x6A);
const PEER: RGBColor = RGBColor(0xAF, 0xB8, 0xC1);
const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
const PALE_INK: RGBColor = RGBColor(0x59, 0x63, 0x6E);
const BORDER: RGBColor = RGBColor(0xD0, 0xD7, 0xDE);

// All coordinates are in pixels, from the upper left corner.
const WIDTH: i32 = 760;
const MARGIN: i32 = 24;
/// Top of the first bar's row.
const HEAD: i32 = 84;
const ROW: i32 = 34;
const BAR: i32 = 22;
/// Left end of the bars.
const LEFT: i32 = 190;
/// Right end of the longest bar, which leaves room for its value.
const RIGHT: i32 = WIDTH - 130;

/// Draws the charts for which there are measurements into a folder, and returns the paths of their files.
pub(crate) fn draw(measurements: &[Measurement], folder: &Path) -> Result<Vec<PathBuf>, ChartError> {
    let failed = |file: &Path| {
        let file = file.to_owned();
        move |reason| ChartError { file, reason }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut files = Vec::new();
    for chart in &CHARTS {
        let bars = bars(chart, measurements);
        if bars.is_empty() {
            continue;
        }
        let file = folder.join(chart.name.replace(' ', "-") + ".svg");
        svg(chart, &bars).and_then(|text| fs::write(&file, text)).map_err(failed(&file))?;
        files.push(file);
    }
    Ok(files)
}

/// Returns the measurements of a chart, the best first.
fn bars<'a>(chart: &Chart, measurements: &'a [Measurement]) -> Vec<&'a Measurement> {
    let mut bars: Vec<_> = measurements.iter().filter(|it| it.name == chart.name).collect();
    bars.sort_by(|left, right| left.value.total_cmp(&right.value));
    if chart.best == Best::Largest {
        bars.reverse();
    }
    bars
}

fn svg(chart: &Chart, bars: &[&Measurement]) -> io::Result<String> {
    let height = HEAD + ROW * i32::try_from(bars.len()).unwrap_or(0) + MARGIN / 2;
    let mut text = String::new();
    let area =
        SVGBackend::with_string(&mut text, (WIDTH.unsigned_abs(), height.unsigned_abs())).into_drawing_area();
    let drawn = paper(&area, height).and_then(|()| title(&area, chart)).and_then(|()| rows(&area, bars));
    drawn.and_then(|()| area.present()).map_err(io::Error::other)?;
    drop(area);
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn paper<'a>(area: &Area<'a>, height: i32) -> Drawn<'a> {
    area.fill(&WHITE)?;
    area.draw(&Rectangle::new([(0, 0), (WIDTH - 1, height - 1)], BORDER.stroke_width(1)))
}

fn title<'a>(area: &Area<'a>, chart: &Chart) -> Drawn<'a> {
    area.draw(&Text::new(chart.title, (MARGIN, 30), text_style(26, FontStyle::Bold, INK, HPos::Left)))?;
    area.draw(&Text::new(chart.about, (MARGIN, 56), text_style(17, FontStyle::Normal, PALE_INK, HPos::Left)))
}

fn rows<'a>(area: &Area<'a>, bars: &[&Measurement]) -> Drawn<'a> {
    let longest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    for (top, bar) in (HEAD..).step_by(ROW as usize).zip(bars) {
        row(area, top, bar, longest)?;
    }
    Ok(())
}

fn row<'a>(area: &Area<'a>, top: i32, bar: &Measurement, longest: f64) -> Drawn<'a> {
    let (end, middle) = (LEFT + length(bar.value, longest), top + BAR / 2);
    let weight = if is_zsvc(bar) { FontStyle::Bold } else { FontStyle::Normal };
    area.draw(&Text::new(label(&bar.system), (LEFT - 10, middle), text_style(18, weight, INK, HPos::Right)))?;
    area.draw(&Rectangle::new([(LEFT, top), (end, top + BAR)], ShapeStyle::from(&color(bar)).filled()))?;
    area.draw(&Text::new(value(bar), (end + 8, middle), text_style(18, weight, INK, HPos::Left)))
}

fn text_style(size: i32, weight: FontStyle, ink: RGBColor, anchor: HPos) -> TextStyle<'static> {
    let text = TextStyle::from(("Helvetica, Arial, sans-serif", size).into_font().style(weight));
    TextStyle { color: ink.to_backend_color(), pos: Pos::new(anchor, VPos::Center), ..text }
}

/// Returns the length of a bar. The shortest bar is still visible.
#[expect(clippy::cast_possible_truncation, reason = "at most the width of the chart")]
fn length(value: f64, longest: f64) -> i32 {
    let share = if longest > 0.0 { value / longest } else { 0.0 };
    ((share * f64::from(RIGHT - LEFT)).round() as i32).max(2)
}

fn is_zsvc(bar: &Measurement) -> bool {
    bar.system.starts_with("zsvc")
}

fn color(bar: &Measurement) -> RGBColor {
    match bar.system.as_str() {
        _ if is_zsvc(bar) => ZSVC,
        "bare" => FLOOR,
        _ => PEER,
    }
}

/// Returns the label of a system.
fn label(system: &str) -> String {
    match system {
        "bare" => "bare libzmq".to_owned(),
        "capnp" => "Cap'n Proto".to_owned(),
        "pyzmq" => "bare pyzmq".to_owned(),
        other => match other.strip_suffix("-current") {
            Some(system) => format!("{system}, one thread"),
            None => other.to_owned(),
        },
    }
}

fn value(bar: &Measurement) -> String {
    match bar.unit.as_str() {
        "µs" => format!("{} µs", digits(bar.value)),
        "bytes/s" if bar.value >= 1e9 => format!("{} GB/s", digits(bar.value / 1e9)),
        "bytes/s" => format!("{} MB/s", digits(bar.value / 1e6)),
        _ => digits(bar.value),
    }
}

/// Formats with three significant digits, and commas between thousands.
fn digits(value: f64) -> String {
    let decimals = match value {
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ => 2,
    };
    if decimals > 0 {
        return format!("{value:.decimals$}");
    }
    let whole = format!("{value:.0}");
    // Digits beyond the third become zeros.
    let scale = 10f64.powi(i32::try_from(whole.len()).unwrap_or(3) - 3);
    let whole = format!("{:.0}", (value / scale).round() * scale);
    let commas = |(place, digit): (usize, char)| {
        let comma = place > 0 && (whole.len() - place).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    whole.chars().enumerate().flat_map(commas).collect()
}

/// A chart could not be drawn.
#[derive(Debug)]
pub(crate) struct ChartError {
    file: PathBuf,
    reason: io::Error,
}

impl fmt::Display for ChartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chart `{}` can't be written: {}", self.file.display(), self.reason)
    }
}

impl std::error::Error for ChartError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, system: &str, value: f64, unit: &str) -> Measurement {
        let [name, system, unit] = [name, system, unit].map(str::to_owned);
        Measurement { name, system, value, unit, rounds: 3, spread: 0.1 }
    }

    #[test]
    fn values_have_three_digits_and_commas() {
        let shown =
            [0.1234, 9.999, 12.34, 99.96, 131.7, 2_627.5, 99_960.0, 258_431.0, 1_094_999.0].map(digits);
        assert_eq!(shown, ["0.12", "10.0", "12.3", "100", "132", "2,630", "100,000", "258,000", "1,090,000"]);
    }

    #[test]
    fn units_are_those_that_people_read() {
        let value_of = |value, unit| super::value(&measured("any", "any", value, unit));
        assert_eq!(value_of(131.7, "µs"), "132 µs");
        assert_eq!(value_of(1.234e9, "bytes/s"), "1.23 GB/s");
        assert_eq!(value_of(4.5e6, "bytes/s"), "4.50 MB/s");
        assert_eq!(value_of(4_500.0, "calls/s"), "4,500");
    }

    #[test]
    fn a_chart_is_drawn_where_there_is_something_to_draw() {
        let folder = tempfile::tempdir().expect("there is room");
        let all = [
            measured("latency p50", "zsvc", 110.0, "µs"),
            measured("latency p50", "tonic", 220.0, "µs"),
            measured("one-way", "zsvc", 1.0, "calls/s"),
        ];
        let files = draw(&all, folder.path()).expect("it is drawn");
        assert_eq!(files, [folder.path().join("latency-p50.svg")]);
        let text = fs::read_to_string(&files[0]).expect("it is there");
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
        assert!(place("110 µs") < place("220 µs"), "the best comes first");
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        assert_eq!(length(50.0, 100.0) * 2, length(100.0, 100.0));
        assert_eq!((length(0.0, 100.0), length(0.0, 0.0)), (2, 2));
    }
}
