//! What is in a file, of whatever kind, as `dsk info` shows it, and as messages about names that lead nowhere tell it.

use crate::data::{Map, Value};
use crate::text::{Error, suggest};
use std::fmt::Write as _;
use std::path::Path;

/// How many names a message about an absent dataset lists.
const SHOWN: usize = 8;

/// One object of a file.
pub struct Entry {
    /// From the root: `/group/A`. Empty where the file is one array.
    pub name: String,
    pub content: Content,
    pub attributes: Map,
}

pub enum Content {
    Group,
    Dataset {
        /// `None` for an empty dataspace.
        shape: Option<Vec<usize>>,
        /// A dtype, or the file's datatype in words.
        dtype: String,
        chunks: Option<Vec<usize>>,
        filters: Vec<String>,
        /// Bytes that the elements take in memory.
        bytes: u64,
        /// Bytes that they take in the file.
        stored: u64,
    },
    Datatype,
    /// Another name of an object that was listed before.
    Again(String),
    /// What is wrong with it.
    Damaged(String),
    /// A link that leads nowhere.
    Broken,
}

/// The listing of a file of so many bytes as text, a line an object, attributes below what they belong to.
pub fn text(path: &Path, len: u64, entries: &[Entry], show: &dyn Fn(&Value) -> String) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}  {}", path.display(), size_text(len));
    let width = entries.iter().map(|e| e.name.chars().count()).max().unwrap_or(0).min(48);
    for entry in entries {
        let about = entry.content.to_string();
        let _ = writeln!(out, "{}", format!("{:width$}  {about}", entry.name).trim_end());
        for (name, value) in entry.attributes.iter() {
            let name = name.as_text().unwrap_or_default();
            let _ = writeln!(out, "{:width$}    @{name} {}", "", show(value));
        }
    }
    out
}

/// Adds what datasets there are to an error, and the nearest one to the name that was `wanted`.
pub fn with_names(mut error: Error, wanted: Option<&str>, names: &[String]) -> Error {
    if let Some(near) = wanted.and_then(|name| suggest::nearest(name, names.iter().map(String::as_str))) {
        error = error.help(format!("did you mean `{near}`?"));
    }
    let listed = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" ");
    match names.len() {
        0 => error.help("there is no dataset in it"),
        n if n <= SHOWN => error.help(format!("datasets in it: {listed}")),
        n => error.help(format!("datasets in it: {listed} and {} more", n - SHOWN)),
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Content::Group => f.write_str("group"),
            Content::Datatype => f.write_str("datatype"),
            Content::Again(first) => write!(f, "is {first}"),
            Content::Damaged(what) => write!(f, "is damaged: {what}"),
            Content::Broken => f.write_str("cannot be opened"),
            Content::Dataset { shape: None, dtype, .. } => write!(f, "{dtype}, empty"),
            Content::Dataset { shape: Some(shape), dtype, chunks, filters, bytes, stored } => {
                write!(f, "{dtype} {}", dims_text(shape))?;
                if let Some(chunks) = chunks {
                    write!(f, "  chunks {}", dims_text(chunks))?;
                }
                if !filters.is_empty() {
                    write!(f, "  {}", filters.join(" + "))?;
                }
                write!(f, "  {}", size_text(*bytes))?;
                if stored != bytes {
                    write!(f, ", {} stored", size_text(*stored))?;
                }
                Ok(())
            }
        }
    }
}

/// `[4000 100000]`
pub fn dims_text(dims: &[usize]) -> String {
    let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
    format!("[{}]", dims.join(" "))
}

/// Bytes in units of 1000: `3.2 GB`.
pub fn size_text(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = 0;
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if size < 10.0 => format!("{size:.1} {}", UNITS[unit]),
        _ => format!("{size:.0} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::size_text;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_600, "1.0 MB"), (3_200_000_000, "3.2 GB")]
        {
            assert_eq!(size_text(bytes), text);
        }
    }
}
