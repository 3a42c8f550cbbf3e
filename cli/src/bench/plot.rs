//! Draws what was measured: the time by percentile, as SVG.

use std::fmt::Write as _;

use super::result::Measured;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// Space around the curve for what is written beside it.
const MARGIN: f64 = 60.0;

/// The marks of the axis of percentiles. The distance of each from 100 shrinks by ten, so that the slowest calls have room.
const MARKS: [(f64, &str); 6] =
    [(0.0, "0"), (90.0, "90"), (99.0, "99"), (99.9, "99.9"), (99.99, "99.99"), (99.999, "99.999")];

/// Number of distances between the marks.
const STEPS: f64 = 5.0;

/// Number of points of the curve.
const POINTS: u32 = 200;

/// Returns the drawing, which adapts to a light and a dark page.
pub(crate) fn svg(measured: &Measured) -> String {
    let most = measured.at(100.0).max(0.001);
    let step = step(most);
    let top = (most / step).ceil() * step;
    let y = |milliseconds: f64| HEIGHT - MARGIN - milliseconds / top * (HEIGHT - 2.0 * MARGIN);
    let mut body = String::new();
    let mut line = 0.0;
    while line <= top + step / 2.0 {
        axis(&mut body, y(line), format!("{line:.3}").trim_end_matches('0').trim_end_matches('.'));
        line += step;
    }
    for (percentile, name) in MARKS {
        let x = x_of(percentile);
        // A string takes whatever is written to it, here and below.
        let _ = writeln!(
            body,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            HEIGHT - MARGIN + 20.0
        );
    }
    let points = (0..=POINTS).map(|point| {
        let depth = f64::from(point) / f64::from(POINTS) * STEPS;
        let percentile = 100.0 * (1.0 - 10_f64.powf(-depth));
        format!("{:.1},{:.1}", x_of(percentile), y(measured.at(percentile)))
    });
    let points: Vec<String> = points.collect();
    let _ = writeln!(body, "<polyline class=\"curve\" points=\"{}\"/>", points.join(" "));
    let title = format!("{}: {:.0} calls per second", measured.method, measured.per_second());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n<title>{title}</title>\n\
         <style>text{{font:12px sans-serif;fill:#333}}line{{stroke:#ccc}}.curve{{fill:none;stroke:#1565c0;stroke-width:2}}\
         @media(prefers-color-scheme:dark){{text{{fill:#ddd}}line{{stroke:#444}}.curve{{stroke:#90caf9}}}}</style>\n\
         <text x=\"{MARGIN}\" y=\"24\">{title}</text>\n\
         <text x=\"{MARGIN}\" y=\"44\">time in milliseconds, by the percentile of calls that took no longer</text>\n{body}</svg>\n",
        title = escaped(&title)
    )
}

fn axis(body: &mut String, y: f64, text: &str) {
    let (left, right) = (MARGIN, WIDTH - MARGIN / 2.0);
    let _ = writeln!(body, "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>");
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
        left - 6.0,
        y + 4.0
    );
}

/// Returns the place of a percentile: by the number of nines.
fn x_of(percentile: f64) -> f64 {
    let depth = -(1.0 - percentile / 100.0).max(1e-5).log10();
    MARGIN + depth / STEPS * (WIDTH - 1.5 * MARGIN)
}

/// Returns the distance of lines: 1, 2 or 5 of a power of ten, for up to six lines.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 5.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| most / step <= 6.0)
        .unwrap_or(10.0 * power)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::Tally;
    use std::time::Duration;

    fn measured(times: impl Iterator<Item = u64>) -> Measured {
        let mut tally = Tally::new();
        times.for_each(|time| tally.times.saturating_record(time));
        Measured {
            tally,
            took: Duration::from_secs(2),
            concurrency: 1,
            rate: None,
            items: None,
            method: "a.v1.S/m<T>",
        }
    }

    #[test]
    fn the_curve_rises_and_stays_inside() {
        let drawn = svg(&measured(1..=10_000));
        let points =
            drawn.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a curve");
        let heights: Vec<f64> = points
            .split(' ')
            .map(|point| point.split(',').nth(1).expect("two").parse().expect("a number"))
            .collect();
        assert!(heights.is_sorted_by(|a, b| a >= b), "{heights:?}");
        assert!(heights.iter().all(|height| (0.0..=HEIGHT).contains(height)));
        assert!(drawn.contains("a.v1.S/m&lt;T&gt;: 5000 calls per second"));
    }

    #[test]
    fn nothing_measured_is_drawn_too() {
        assert!(svg(&measured(std::iter::empty())).ends_with("</svg>\n"));
    }

    #[test]
    fn lines_are_at_round_numbers() {
        for (most, distance) in [(1.0, 0.2), (6.0, 1.0), (10.0, 2.0), (25.0, 5.0), (0.3, 0.05)] {
            assert!((step(most) - distance).abs() < 1e-9, "{most}: {}", step(most));
        }
    }
}
