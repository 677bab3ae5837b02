//! Errors as a user sees them: code and sentence, the text that caused it with labels, the task it happened in, help.
//!
//! ```text
//! dsk::syntax
//!
//!   × expected `]`, found `)`
//!    ╭─[sum.dsk:2:9]
//!  1 │ (defn total [x]
//!  2 │   (sum [x))
//!    ·        ┬ ┬
//!    ·        │ ╰── expected `]`
//!    ·        ╰── to close this
//!    ╰────
//! ```

use super::{Error, Source, SourceId, Sources, Span};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Columns of a report that goes nowhere in particular.
const WIDTH: usize = 100;
/// Of a longer line only a piece is shown.
const LONG_LINE: usize = 160;
/// What is shown before and behind a label in a long line.
const AROUND: usize = 50;
/// Of a label over more lines, or over a long one, only the beginning is marked.
const TALL_LABEL: usize = 6;

/// The error as a report, with the sources that are attached to it.
pub fn report(error: &Error, colour: bool) -> String {
    render(error, error.sources().map_or(&Sources::default(), |s| s), colour, WIDTH)
}

/// The error as a report of `width` columns.
pub fn render(error: &Error, sources: &Sources, colour: bool, width: usize) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_context_lines(1)
        .with_links(false)
        .without_syntax_highlighting();
    let mut out = String::new();
    match handler.render_report(&mut out, &Report::new(error, sources)) {
        Ok(()) => out,
        Err(_) => format!("{}\n\n  × {error}\n", error.code()),
    }
}

/// An error together with the texts it speaks of: a [`miette::Diagnostic`].
#[derive(Debug)]
pub struct Report {
    error: Error,
    /// The sources that labels point into. To miette they are one text, one after the other.
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    id: SourceId,
    source: Arc<Source>,
    /// The text without what a terminal would obey, where it holds such.
    clean: Option<String>,
    /// Where this text begins in all of them.
    base: usize,
}

impl File {
    fn text(&self) -> &str {
        self.clean.as_deref().unwrap_or(&self.source.text)
    }
}

impl Report {
    pub fn new(error: &Error, sources: &Sources) -> Self {
        let mut files: Vec<File> = Vec::new();
        let mut base = 0;
        for label in error.labels() {
            let id = label.span.source;
            if let (false, Some(source)) = (files.iter().any(|f| f.id == id), sources.get(id)) {
                let len = source.text.len() + 1;
                files.push(File { id, clean: cleaned(&source.text), source, base });
                base += len;
            }
        }
        Report { error: error.clone(), files }
    }

    /// Where miette finds a span.
    fn place(&self, span: Span) -> Option<SourceSpan> {
        let file = self.files.iter().find(|f| f.id == span.source)?;
        let text = file.text();
        let mut start = text.floor_char_boundary((span.start as usize).min(text.len()));
        let mut end = text.ceil_char_boundary((span.end as usize).clamp(start, text.len()));
        if start == end {
            // Something must be marked: what stands here, or at the end the last there is.
            end = text.ceil_char_boundary((start + 1).min(text.len()));
            start = text.floor_char_boundary(start.min(text.len().saturating_sub(1)));
        }
        let marked = &text[start..end];
        let first_line = marked.find('\n').unwrap_or(marked.len());
        let tall = marked.bytes().filter(|&b| b == b'\n').count() >= TALL_LABEL;
        let long = marked.lines().any(|line| line.len() > LONG_LINE);
        let len = if tall || long { marked.floor_char_boundary(first_line.min(LONG_LINE)) } else { marked.len() };
        Some(SourceSpan::new((file.base + start).into(), len))
    }
}

/// The text with control characters replaced by others of the same length; `None` where there are none.
fn cleaned(text: &str) -> Option<String> {
    let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    text.contains(harmful).then(|| {
        let harmless = |c: char| match c {
            c if !harmful(c) => c,
            c if c.len_utf8() == 1 => '?',
            _ => '¿',
        };
        text.chars().map(harmless).collect()
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.error.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let mut lines: Vec<Cow<str>> = Vec::new();
        if let Some(task) = self.error.task() {
            let shape = task.shape.as_ref().map(|shape| {
                let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
                format!(", a block of [{}]", sizes.join(" "))
            });
            lines.push(format!("task     {}{}", task.key, shape.unwrap_or_default()).into());
            lines.push(format!("which is {}", task.task).into());
        }
        lines.extend(self.error.help_lines().iter().map(Cow::from));
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.error.labels().iter().enumerate().filter_map(|(n, label)| {
            let (text, place) = (Some(label.text.clone()), self.place(label.span)?);
            Some(if n == 0 {
                LabeledSpan::new_primary_with_span(text, place)
            } else {
                LabeledSpan::new_with_span(text, place)
            })
        });
        Some(Box::new(labels))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.files.is_empty()).then_some(self)
    }
}

/// The lines around a span. Of long lines only the part around the span, so that a report is short whatever the text is.
impl SourceCode for Report {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let file = self.files.iter().rev().find(|f| f.base <= span.offset()).ok_or(MietteError::OutOfBounds)?;
        let text = file.text();
        let start = span.offset() - file.base;
        let end = start + span.len();
        // Labels of two sources are not shown as one.
        if end > text.len() || !text.is_char_boundary(start) || !text.is_char_boundary(end) {
            return Err(MietteError::OutOfBounds);
        }
        // Nor are labels far apart in one long line.
        if text[start..end].split('\n').any(|line| line.len() > 2 * LONG_LINE) && before > 0 {
            return Err(MietteError::OutOfBounds);
        }
        let begin = if before == 0 { start } else { begin(text, start, before) };
        let stop = if after == 0 { end } else { stop(text, end, after) };
        let line_start = text[..begin].rfind('\n').map_or(0, |n| n + 1);
        let line = text[..begin].bytes().filter(|&b| b == b'\n').count();
        let column = text[line_start..begin].chars().count();
        let lines = text[begin..stop].bytes().filter(|&b| b == b'\n').count() + 1;
        Ok(Box::new(MietteSpanContents::new_named(
            file.source.name.clone(),
            &text.as_bytes()[begin..stop],
            SourceSpan::new((file.base + begin).into(), stop - begin),
            line,
            column,
            lines,
        )))
    }
}

/// Where the excerpt around a span that starts at `start` begins.
fn begin(text: &str, start: usize, lines: usize) -> usize {
    let mut line = text[..start].rfind('\n').map_or(0, |n| n + 1);
    if start - line > LONG_LINE {
        return text.floor_char_boundary(start - AROUND);
    }
    for _ in 0..lines {
        let Some(end) = line.checked_sub(1) else { break };
        let above = text[..end].rfind('\n').map_or(0, |n| n + 1);
        if end - above > LONG_LINE || text[above..end].trim().is_empty() {
            break;
        }
        line = above;
    }
    line
}

/// Where the excerpt around a span that ends at `end` stops.
fn stop(text: &str, end: usize, lines: usize) -> usize {
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |n| from + n);
    let mut line = line_end(end);
    if line - end > LONG_LINE {
        return text.ceil_char_boundary(end + AROUND);
    }
    for _ in 0..lines {
        if line + 1 >= text.len() {
            break;
        }
        let below = line_end(line + 1);
        if below - line > LONG_LINE || text[line..below].trim().is_empty() {
            break;
        }
        line = below;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::err;

    fn shown(text: &str, labels: &[(usize, usize)]) -> String {
        let sources = Sources::default();
        let id = sources.add("t.dsk", text);
        let error = labels.iter().fold(err!(Value, "no"), |e, &(a, b)| e.label(Span::new(id, a, b), "here"));
        render(&error, &sources, false, 100)
    }

    #[test]
    fn a_long_line_is_cut_around_the_label() {
        let text = format!("{}(boom){}", "x ".repeat(1_000_000), " y".repeat(1_000_000));
        let report = shown(&text, &[(2_000_000, 2_000_006)]);
        assert!(report.contains("(boom)") && report.contains("t.dsk:1:2000001") && report.len() < 1000, "{report}");
        let long_label = shown(&text, &[(10, 3_000_000)]);
        assert!(long_label.contains("t.dsk:1:11") && long_label.len() < 2000, "{long_label}");
        let far_apart = shown(&text, &[(2_000_000, 2_000_006), (10, 11)]);
        assert!(far_apart.contains("(boom)") && far_apart.len() < 2000, "{far_apart}");
    }

    #[test]
    fn of_a_tall_label_the_first_line_is_marked() {
        let text = format!("(defn f [x]\n{}", "  (g x)\n".repeat(100));
        assert!(shown(&text, &[(0, text.len())]).lines().count() < 12);
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_passed_on() {
        let report = shown("(f \u{1b}[31m \u{9b}1m)", &[(0, 2)]);
        assert!(!report.contains(['\u{1b}', '\u{9b}']), "{report}");
    }

    #[test]
    fn labels_of_several_sources_are_shown_each_with_its_own() {
        let sources = Sources::default();
        let (a, b) = (sources.add("a.dsk", "(def x 1)"), sources.add("b.dsk", "\n(x)"));
        let error =
            err!(Type, "an int is not callable").label(Span::new(b, 2, 3), "called").label(Span::new(a, 5, 6), "made");
        let report = render(&error, &sources, false, 100);
        assert!(report.contains("b.dsk:2:2") && report.contains("a.dsk:1:6"), "{report}");
    }

    #[test]
    fn spans_that_do_not_fit_the_text_do_no_harm() {
        for (a, b) in [(0, 100), (50, 60), (1, 2), (3, 3), (2, 1)] {
            assert!(shown("é(f", &[(a, b)]).contains("here"));
        }
    }
}
