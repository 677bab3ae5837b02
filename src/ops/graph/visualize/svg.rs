//! A picture as a drawing, in Scalable Vector Graphics.

use super::layout::Layout;
use super::picture::{Node, Picture, Shape};
use super::place::{Point, Size};
use super::shade::colours;
use crate::data::cancel;
use crate::text::Result;
use std::fmt::Write;

/// Letters are all as wide as each other, so that their boxes fit whichever font there is.
const FONT: &str = "DejaVu Sans Mono, Menlo, Consolas, monospace";
const FONT_SIZE: f64 = 11.0;
const LETTER: f64 = 6.7;
const LINE: f64 = 15.0;
/// From the middle of a line to where its letters stand.
const BASE: f64 = 3.8;
/// The head of an arrow: how long it is, and half of how wide.
const HEAD: Size = (6.0, 3.2);
/// What edges are drawn in.
const EDGE: &str = "#8a8f98";

/// The drawing of a picture.
pub fn draw(picture: &Picture) -> Result<String> {
    let sizes: Vec<Size> = picture.nodes.iter().map(size).collect();
    let layout = Layout::of(&sizes, &picture.inputs);
    cancel::check()?;
    let (width, height) = layout.size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <path fill=\"none\" stroke=\"{EDGE}\" d=\"",
    );
    layout.legs.iter().for_each(|leg| curve(&mut svg, *leg));
    for ((x, from), (_, to)) in &layout.passes {
        let _ = writeln!(svg, "M{x:.1} {from:.1}V{to:.1}");
    }
    let _ = write!(svg, "\"/>\n<path fill=\"{EDGE}\" d=\"");
    for ((at, size), inputs) in layout.nodes.iter().zip(&sizes).zip(picture.inputs.iter()) {
        if !inputs.is_empty() {
            head(&mut svg, (at.0, at.1 + size.1 / 2.0));
        }
    }
    let _ = writeln!(svg, "\"/>\n<g font-family=\"{FONT}\" font-size=\"{FONT_SIZE}\" text-anchor=\"middle\">");
    let mut is_taken = vec![false; picture.nodes.len()];
    picture.inputs.iter().flatten().for_each(|&input| is_taken[input as usize] = true);
    for (((node, at), size), is_taken) in picture.nodes.iter().zip(&layout.nodes).zip(&sizes).zip(is_taken) {
        cancel::check()?;
        draw_node(&mut svg, node, *at, *size, is_taken);
    }
    svg.push_str("</g>\n</svg>\n");
    Ok(svg)
}

/// Room for the text of a node.
fn size(node: &Node) -> Size {
    let letters = node.lines.iter().map(|line| line.chars().map(letters).sum::<usize>()).max().unwrap_or(0);
    let (aside, above) = match node.shape {
        Shape::Key => (14.0, 7.0),
        Shape::Function => (22.0, 9.0),
        Shape::Layer => (24.0, 14.0),
    };
    let height = node.lines.len() as f64 * LINE + above;
    ((letters as f64 * LETTER + aside).max(height), height)
}

/// The room of a letter: those of East Asia take two.
fn letters(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => 2,
        '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// An edge, or part of one: it leaves and arrives upright.
fn curve(svg: &mut String, ((x, y), (to_x, to_y)): (Point, Point)) {
    let _ = match (x - to_x).abs() < 0.05 {
        true => writeln!(svg, "M{x:.1} {y:.1}V{to_y:.1}"),
        false => {
            let middle = (y + to_y) / 2.0;
            writeln!(svg, "M{x:.1} {y:.1}C{x:.1} {middle:.1} {to_x:.1} {middle:.1} {to_x:.1} {to_y:.1}")
        }
    };
}

/// The head of all arrows that arrive at a node, at the middle of its lower side.
fn head(svg: &mut String, (x, y): Point) {
    let (length, half) = HEAD;
    let _ = writeln!(svg, "M{x:.1} {y:.1}l-{half} {length}h{}z", 2.0 * half);
}

fn draw_node(svg: &mut String, node: &Node, (x, y): Point, (width, height): Size, is_taken: bool) {
    let (round, fill, stroke) = match node.shape {
        Shape::Key => (2.0, "#f3f4f6", "#6b7280"),
        Shape::Function => (height / 2.0, "#dbeafe", "#3b82f6"),
        Shape::Layer => (8.0, "#dbeafe", "#3b82f6"),
    };
    let (fill, font) = node.shade.map_or((fill.to_string(), "#111827"), colours);
    // What nothing takes is what the graph is for.
    let line = if is_taken || node.shape == Shape::Function { 1.0 } else { 2.0 };
    let _ = writeln!(
        svg,
        "<g><title>{}</title><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\" \
         fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"{line}\"/>",
        escaped(&node.about),
        x - width / 2.0,
        y - height / 2.0,
    );
    let first = y - (node.lines.len() - 1) as f64 * LINE / 2.0 + BASE;
    for (at, line) in node.lines.iter().enumerate() {
        let bold = if node.shape == Shape::Layer && at == 0 { " font-weight=\"bold\"" } else { "" };
        let base = first + at as f64 * LINE;
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{base:.1}\" fill=\"{font}\"{bold}>{}</text>", escaped(line));
    }
    svg.push_str("</g>\n");
}

/// Text of XML, which has no place for most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escaped("(< a \"&\" b)\u{1}"), "(&lt; a \"&amp;\" b)\u{fffd}");
    }
}
