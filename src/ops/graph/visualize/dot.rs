//! A picture as text for Graphviz, which lays it out itself.

use super::picture::{Picture, Shape};
use super::shade::colours;
use crate::data::cancel;
use crate::text::Result;
use std::fmt::Write;

/// The text of a picture.
pub fn draw(picture: &Picture) -> Result<String> {
    let mut text = String::from("digraph {\n  rankdir=BT\n  node [fontname=\"monospace\" fontsize=11]\n");
    for (at, node) in picture.nodes.iter().enumerate() {
        let shape = if node.shape == Shape::Function { "ellipse" } else { "box" };
        let lines: Vec<String> = node.lines.iter().map(|line| escaped(line)).collect();
        let (label, about) = (lines.join("\\n"), escaped(&node.about));
        let _ = write!(text, "  {at} [shape={shape} label=\"{label}\" tooltip=\"{about}\"");
        let mut styles = Vec::new();
        if node.shape == Shape::Layer {
            styles.push("rounded");
        }
        if let Some((fill, font)) = node.shade.map(colours) {
            styles.push("filled");
            let _ = write!(text, " fillcolor=\"{fill}\" fontcolor=\"{font}\"");
        }
        if !styles.is_empty() {
            let _ = write!(text, " style=\"{}\"", styles.join(","));
        }
        text.push_str("]\n");
    }
    for (inputs, at) in picture.inputs.iter().zip(0u32..) {
        cancel::check()?;
        for input in inputs {
            let _ = writeln!(text, "  {input} -> {at}");
        }
    }
    text.push_str("}\n");
    Ok(text)
}

/// Text between quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            // Graphviz knows names of characters, as `&lt;`.
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_between_quotes_does_not_end_them() {
        assert_eq!(escaped("a \"b\" \\ &\nd\u{0}"), "a \\\"b\\\" \\\\ &amp;\\nd\u{fffd}");
    }
}
