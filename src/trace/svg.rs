//! A drawing.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use super::Trace;
use super::rows::{Arrow, Row, rows};
use crate::time::Time;

/// Left of the first lane: the time.
const MARGIN: usize = 90;
/// Between two lanes.
const GAP: usize = 250;
/// Right of the last lane: what stands beside an arrow.
const BESIDE: usize = 330;
/// Above the first row: the names.
const HEAD: usize = 60;
/// The height of one row.
const ROW: usize = 30;

const STYLE: &str = "text{font:13px ui-monospace,monospace;fill:#222}\
    .name{font-weight:bold;text-anchor:middle}.label{text-anchor:middle}\
    .time,.beside{fill:#777;font-size:11px}.time{text-anchor:end}.note{fill:#555;font-style:italic;font-size:12px}\
    .broken{fill:#b00;font-weight:bold}line{stroke-width:1.5}.lane{stroke:#bbb}\
    .request{stroke:#1558a8}.c1{stroke:#777}.c2{stroke:#1a7f37}.c3{stroke:#b35900}.c4{stroke:#b00020}\
    .lost{stroke-dasharray:5 4}.x{text-anchor:middle;fill:#b00020;font-weight:bold}";

impl Trace {
    /// A drawing of the ladder, to look at in a browser or a document.
    pub fn svg(&self) -> String {
        let rows = rows(self);
        let lanes = self.lanes.len();
        let width = lane_x(lanes.saturating_sub(1)).saturating_add(BESIDE);
        let height = row_y(rows.len()).saturating_add(ROW);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n\
             <defs><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
             markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
             orient=\"auto-start-reverse\"><path d=\"M0 0 L10 5 L0 10 z\" fill=\"#222\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        for (lane, name) in self.names().enumerate() {
            let x = lane_x(lane);
            let (top, bottom) = (HEAD.saturating_sub(18), height.saturating_sub(10));
            let _ = writeln!(
                svg,
                "<text class=\"name\" x=\"{x}\" y=\"{}\">{}</text>\
                 <line class=\"lane\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{bottom}\"/>",
                top.saturating_sub(10),
                escaped(name)
            );
        }
        let beside = lane_x(lanes.saturating_sub(1)).saturating_add(14);
        for (at, row) in rows.iter().enumerate() {
            put_row(&mut svg, row, row_y(at), beside);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn lane_x(lane: usize) -> usize {
    MARGIN
        .saturating_add(30)
        .saturating_add(lane.saturating_mul(GAP))
}

fn row_y(row: usize) -> usize {
    HEAD.saturating_add(20)
        .saturating_add(row.saturating_mul(ROW))
}

fn put_row(svg: &mut String, row: &Row, y: usize, beside: usize) {
    match row {
        Row::Arrow(arrow) => {
            put_time(svg, arrow.at, y);
            put_arrow(svg, arrow, y);
            put_text(svg, "beside", beside, y.saturating_add(4), &arrow.beside);
        }
        Row::Note { at, lane, text } => {
            put_time(svg, *at, y);
            let x = lane_x(*lane).saturating_add(8);
            put_text(svg, "note", x, y.saturating_add(4), text);
        }
        Row::Broken { at, lane, law } => {
            put_time(svg, *at, y);
            let x = lane_x(*lane).saturating_add(8);
            let text = format!("BROKEN {law}");
            put_text(svg, "broken", x, y.saturating_add(4), &text);
        }
    }
}

fn put_arrow(svg: &mut String, arrow: &Arrow, y: usize) {
    let start = lane_x(arrow.from);
    // To itself, or to nobody: a stub beside the lane.
    let to = arrow.to.filter(|to| *to != arrow.from);
    let end = to.map_or(start.saturating_add(GAP / 2), lane_x);
    let lost = arrow.lost || arrow.to.is_none();
    let class = match arrow.class {
        None => "request",
        Some(1) => "c1",
        Some(2) => "c2",
        Some(3) => "c3",
        Some(_) => "c4",
    };
    let middle = start.saturating_add(end) / 2;
    let (dashes, head, end) = match lost {
        // It ends before it gets there.
        true => (
            " lost",
            "",
            end.saturating_add(start.saturating_add(end) / 2) / 2,
        ),
        false => ("", " marker-end=\"url(#head)\"", end),
    };
    let _ = writeln!(
        svg,
        "<line class=\"{class}{dashes}\" x1=\"{start}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\"{head}/>"
    );
    if lost {
        put_text(svg, "x", end, y.saturating_add(4), "x");
    }
    put_text(svg, "label", middle, y.saturating_sub(5), &arrow.label);
}

fn put_time(svg: &mut String, at: Time, y: usize) {
    let nanos = at.as_nanos();
    let (secs, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1000);
    let text = format!("{secs}.{millis:03}");
    put_text(svg, "time", MARGIN, y.saturating_add(4), &text);
}

fn put_text(svg: &mut String, class: &str, x: usize, y: usize, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
    );
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '<' => "&lt;".to_string(),
        '>' => "&gt;".to_string(),
        '&' => "&amp;".to_string(),
        '"' => "&quot;".to_string(),
        // XML holds none, not even escaped.
        c if c.is_control() => "\u{fffd}".to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
