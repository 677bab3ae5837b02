//! `file::/path`: a dataset of a file, as programs name it.

use crate::err;
use crate::text::Result;
use std::path::{Path, PathBuf};

/// What a file is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Hdf5,
    /// The classic one. Most files of it have names of HDF5 files, and are told by their first bytes.
    Netcdf,
    Npy,
    Zarr,
}

impl Format {
    /// What the ending of a name says. What is not complete yet goes by what it will be: `x.npy.incomplete`.
    pub fn of(path: &Path) -> Option<Format> {
        let ending = ending(path);
        if ending == "incomplete" {
            return Format::of(Path::new(path.file_stem()?)).filter(|&format| format != Format::Hdf5);
        }
        KINDS.iter().find(|kind| kind.endings.contains(&&*ending)).map(|kind| kind.format)
    }

    /// The name of an array that is the whole of a file of this kind; `None` where arrays have names of their own.
    fn alone(self) -> Option<&'static str> {
        match self {
            Format::Hdf5 | Format::Netcdf => None,
            Format::Npy => Some(""),
            Format::Zarr => Some("/"),
        }
    }
}

/// A kind of file and the endings that tell it.
struct Kind {
    format: Format,
    name: &'static str,
    endings: &'static [&'static str],
}

/// netCDF-4 and MATLAB 7.3 files are HDF5 files.
const KINDS: &[Kind] = &[
    Kind {
        format: Format::Hdf5,
        name: "HDF5 and netCDF",
        endings: &["h5", "hdf5", "hdf", "he5", "h5ad", "nc", "nc4", "mat"],
    },
    Kind { format: Format::Netcdf, name: "classic netCDF", endings: &["cdf", "nc3"] },
    Kind { format: Format::Npy, name: "NumPy", endings: &["npy"] },
    Kind { format: Format::Zarr, name: "Zarr", endings: &["zarr"] },
];

#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    pub format: Format,
    pub path: PathBuf,
    /// From the root: `/group/A`. Empty for a file that is one array.
    pub dataset: String,
}

impl Target {
    /// Reads `data.h5::/A`, `data.npy`, `data.zarr` or `data.zarr::/A`.
    ///
    /// # Errors
    /// `dsk::value` for text that is not of that form, or a file of a kind that is not known.
    pub fn parse(text: &str) -> Result<Target> {
        let (format, path, dataset) = match split(text) {
            Some((Format::Npy, path, _)) => {
                return Err(err!(Value, "`{text}` names a dataset, but a `.npy` file holds one array and no names")
                    .help(format!("the array is the file: `{path}`")));
            }
            Some((format, path, dataset)) => (format, path, dataset),
            // Without a known ending before the colons, or with one at the end, there is no dataset.
            None => match Format::of(Path::new(text)).and_then(|format| Some((format, format.alone()?))) {
                Some((format, dataset)) => (format, text, dataset),
                None => {
                    format_of(match Format::of(Path::new(text)) {
                        Some(_) => text,
                        None => text.split_once("::").map_or(text, |(path, _)| path),
                    })?;
                    return Err(err!(Value, "`{text}` names a file, but no dataset in it")
                        .help(format!("name one after two colons: `{text}::/A`")));
                }
            },
        };
        if format.alone().is_none() && dataset.trim_matches('/').is_empty() {
            return Err(err!(Value, "`{text}` names no dataset").help(format!("for example `{path}::/A`")));
        }
        Ok(Target { format, path: PathBuf::from(path), dataset: dataset.to_string() })
    }

    /// Whether it lies within the other, as a member of a group would: an array has none.
    pub fn is_within(&self, other: &Target) -> bool {
        let parts = |target: &Target| -> Vec<String> {
            target.dataset.split('/').filter(|part| !part.is_empty()).map(String::from).collect()
        };
        let (own, above) = (parts(self), parts(other));
        self.path == other.path && own.len() > above.len() && own.starts_with(&above)
    }

    /// As [`Target::parse`], but a file alone means its root: what attributes are asked of.
    ///
    /// # Errors
    /// Those of [`Target::parse`].
    pub fn parse_object(text: &str) -> Result<Target> {
        match split(text) {
            Some((format, path, dataset)) if format != Format::Npy => {
                Ok(Target { format, path: PathBuf::from(path), dataset: dataset.to_string() })
            }
            Some(_) => Target::parse(text),
            None => {
                let format = format_of(text)?;
                let dataset = format.alone().unwrap_or("/").to_string();
                Ok(Target { format, path: PathBuf::from(text), dataset })
            }
        }
    }
}

/// As programs name it.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let path = self.path.display();
        match self.format.alone() == Some(&self.dataset) {
            true => write!(f, "{path}"),
            false => write!(f, "{path}::{}", self.dataset),
        }
    }
}

/// The file and the dataset of a target: the last two colons after the name of a file, which may hold two colons itself.
fn split(text: &str) -> Option<(Format, &str, &str)> {
    text.rmatch_indices("::").find_map(|(at, _)| {
        let path = &text[..at];
        Some((Format::of(Path::new(path))?, path, &text[at + 2..]))
    })
}

/// The ending of a file's name, in lower case.
fn ending(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase()
}

fn format_of(path: &str) -> Result<Format> {
    if path.is_empty() {
        return Err(err!(Value, "the name of a file is missing before `::`").help("for example `data.h5::/A`"));
    }
    if let Some(format) = Format::of(Path::new(path)) {
        return Ok(format);
    }
    let error = match &*ending(Path::new(path)) {
        "" => err!(Value, "`{path}` does not tell what kind of file it is"),
        ending => err!(Value, "`.{ending}` is not a kind of file that arrays are kept in here"),
    };
    let known = KINDS.iter().map(|kind| {
        let endings: Vec<String> = kind.endings.iter().map(|ending| format!("`.{ending}`")).collect();
        format!("{}: {}", kind.name, endings.join(" "))
    });
    Err(error.help(format!("files go by their endings; {}", known.collect::<Vec<_>>().join("; "))))
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
    fn a_file_may_be_the_array() {
        let parts =
            |text: &str| Target::parse(text).map(|t| (t.format, t.path.display().to_string(), t.dataset)).unwrap();
        assert_eq!(parts("dir/x.npy"), (Format::Npy, "dir/x.npy".into(), "".into()));
        assert_eq!(parts("a::b.npy"), (Format::Npy, "a::b.npy".into(), "".into()));
        assert_eq!(parts("x.npy.incomplete"), (Format::Npy, "x.npy.incomplete".into(), "".into()));
        assert_eq!(parts("x.zarr"), (Format::Zarr, "x.zarr".into(), "/".into()));
        assert_eq!(parts("x.zarr::/g/a"), (Format::Zarr, "x.zarr".into(), "/g/a".into()));
        for text in ["x.npy", "x.zarr", "x.zarr::/g/a", "x.h5::/A"] {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
            assert_eq!(Target::parse_object(text).unwrap(), Target::parse(text).unwrap());
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        for (text, message, help) in [
            ("data.h5", "names a file, but no dataset", "`data.h5::/A`"),
            ("f::x.h5", "names a file, but no dataset", "`f::x.h5::/A`"),
            ("data.h5::/", "names no dataset", "`data.h5::/A`"),
            ("::/A", "file is missing", "`data.h5::/A`"),
            ("data::/A", "what kind of file", "`.h5`"),
            ("data.csv", "`.csv` is not a kind of file", "NumPy: `.npy`"),
            ("data.npy::/A", "holds one array", "`data.npy`"),
            ("data.npy::", "holds one array", "`data.npy`"),
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(error.message().contains(message), "{error}");
            assert!(error.help_lines()[0].contains(help), "{:?}", error.help_lines());
        }
    }
}
