//! `file::/path`: a dataset of a file, as programs name it.

use crate::err;
use crate::text::Result;
use std::path::{Path, PathBuf};

/// What a file is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Hdf5,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    pub format: Format,
    pub path: PathBuf,
    /// From the root: `/group/A`.
    pub dataset: String,
}

/// netCDF-4 and MATLAB 7.3 files are HDF5 files.
const HDF5: &[&str] = &["h5", "hdf5", "hdf", "he5", "h5ad", "nc", "nc4", "mat"];

impl Target {
    /// Reads `data.h5::/A`.
    ///
    /// # Errors
    /// `dsk::value` for text that is not of that form, or a file of a kind that is not known.
    pub fn parse(text: &str) -> Result<Target> {
        let Some((format, path, dataset)) = split(text) else {
            // Without a known ending before the colons, or with one at the end, there is no dataset.
            format_of(if ending(text).1.is_some() {
                text
            } else {
                text.split_once("::").map_or(text, |(path, _)| path)
            })?;
            return Err(err!(Value, "`{text}` names a file, but no dataset in it")
                .help(format!("name one after two colons: `{text}::/A`")));
        };
        if dataset.trim_matches('/').is_empty() {
            return Err(err!(Value, "`{text}` names no dataset").help(format!("for example `{path}::/A`")));
        }
        Ok(Target { format, path: PathBuf::from(path), dataset: dataset.to_string() })
    }

    /// As [`Target::parse`], but a file alone means its root: what attributes are asked of.
    pub fn parse_object(text: &str) -> Result<Target> {
        let (format, path, dataset) = match split(text) {
            Some(parts) => parts,
            None => (format_of(text)?, text, "/"),
        };
        Ok(Target { format, path: PathBuf::from(path), dataset: dataset.to_string() })
    }
}

/// The file and the dataset of a target: the last two colons after the name of a file, which may hold two colons itself.
fn split(text: &str) -> Option<(Format, &str, &str)> {
    text.rmatch_indices("::").find_map(|(at, _)| {
        let path = &text[..at];
        Some((ending(path).1?, path, &text[at + 2..]))
    })
}

/// The ending of a file's name, in lower case, and the format it stands for.
fn ending(path: &str) -> (String, Option<Format>) {
    let ending = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let format = HDF5.contains(&ending.as_str()).then_some(Format::Hdf5);
    (ending, format)
}

fn format_of(path: &str) -> Result<Format> {
    if path.is_empty() {
        return Err(err!(Value, "the name of a file is missing before `::`").help("for example `data.h5::/A`"));
    }
    let (ending, format) = ending(path);
    if let Some(format) = format {
        return Ok(format);
    }
    let known = HDF5.iter().map(|e| format!("`.{e}`")).collect::<Vec<_>>().join(" ");
    let error = match ending.as_str() {
        "" => err!(Value, "`{path}` does not tell what kind of file it is"),
        _ => err!(Value, "`.{ending}` is not a kind of file that arrays are kept in here"),
    };
    Err(error.help(format!("files go by their endings; HDF5: {known}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_file_and_a_dataset() {
        let target = Target::parse("some dir/data.h5::/g/A").unwrap();
        assert_eq!(target.path, Path::new("some dir/data.h5"));
        assert_eq!(target.dataset, "/g/A");
        assert_eq!(Target::parse("x.NC::t2m").unwrap().format, Format::Hdf5);
        assert_eq!(Target::parse_object("x.h5").unwrap().dataset, "/");
        let parts = |text: &str| Target::parse(text).map(|t| (t.path.display().to_string(), t.dataset)).unwrap();
        assert_eq!(parts("dir/f::x y.h5::/a"), ("dir/f::x y.h5".into(), "/a".into()));
        assert_eq!(parts("data.h5::/a::b"), ("data.h5".into(), "/a::b".into()));
        assert_eq!(parts("data.h5::/old.h5::/a"), ("data.h5::/old.h5".into(), "/a".into()));
        assert_eq!(Target::parse_object("f::x.h5").unwrap().path, Path::new("f::x.h5"));
    }

    #[test]
    fn what_is_missing_is_told() {
        for (text, message, help) in [
            ("data.h5", "names a file, but no dataset", "`data.h5::/A`"),
            ("f::x.h5", "names a file, but no dataset", "`f::x.h5::/A`"),
            ("data.h5::/", "names no dataset", "`data.h5::/A`"),
            ("::/A", "file is missing", "`data.h5::/A`"),
            ("data::/A", "what kind of file", "`.h5`"),
            ("data.npy", "`.npy` is not a kind of file", "`.h5`"),
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(error.message().contains(message), "{error}");
            assert!(error.help_lines()[0].contains(help), "{:?}", error.help_lines());
        }
    }
}
