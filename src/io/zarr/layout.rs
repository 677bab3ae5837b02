//! What the metadata of an array says: its shape, its type, how it is cut into chunks, and where these are.

use super::chain::{Chain, named};
use super::element::Element;
use super::json::{self, Json};
use crate::data::Dims;
use crate::io::walk::byte_strides;
use std::fmt::Write as _;

/// An array, as far as it can be told of whatever its elements and codecs are.
#[derive(Clone, Debug)]
pub struct Layout {
    pub shape: Dims,
    /// Shape of the chunks that have a file each.
    pub chunks: Dims,
    /// Or the name of a type that has no dtype here.
    pub element: Result<Element, String>,
    /// As a listing shows them.
    pub codecs: Vec<String>,
    /// Shape of the chunks within such a file.
    pub inner: Option<Dims>,
    /// The other byte order, where that is part of the type.
    swapped: bool,
    version: u64,
    json: Json,
}

/// All that reading and writing need to know of an array besides its shape.
#[derive(Clone, Debug)]
pub struct Storage {
    pub element: Element,
    pub chain: Chain,
    /// One element as chunks hold it, where none was written.
    pub fill: Vec<u8>,
    pub keys: Keys,
    /// Bytes of a file's chunk before codecs.
    pub bytes: usize,
}

/// How the files of chunks are called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keys {
    /// `c/0/1` rather than `0/1`.
    pub prefix: bool,
    pub separator: char,
}

impl Keys {
    /// The file of a chunk, from the array's folder.
    pub fn file(self, index: &[usize]) -> String {
        let mut name = String::from(if self.prefix { "c" } else { "" });
        for (axis, n) in index.iter().enumerate() {
            if axis > 0 || self.prefix {
                name.push(self.separator);
            }
            let _ = write!(name, "{n}");
        }
        if name.is_empty() { "0".into() } else { name }
    }
}

impl Layout {
    /// What the metadata of an array of that version says.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn of(version: u64, json: Json) -> Result<Layout, String> {
        let shape = json.get("shape").and_then(json::sizes).ok_or("its shape is no list of sizes")?;
        let (element, swapped) = match version {
            2 => element_v2(&json)?,
            _ => (element_v3(&json)?, false),
        };
        let grid = match version {
            2 => json.get("chunks"),
            _ => match json.get("chunk_grid").and_then(named) {
                Some(("regular", settings)) => settings.get("chunk_shape"),
                Some((name, _)) => return Err(format!("its chunks are in a grid of the kind `{name}`, unknown here")),
                None => return Err("it has no grid of chunks".into()),
            },
        };
        let chunks = grid.and_then(json::sizes).filter(|c| c.len() == shape.len());
        let mut chunks = chunks.ok_or("its chunks have no shape, or one of another rank")?;
        for (chunk, &n) in chunks.iter_mut().zip(&shape) {
            match (*chunk, n) {
                (0, 0) => *chunk = 1,
                (0, _) => return Err("its chunks have no elements".into()),
                _ => {}
            }
        }
        // Sizes in memory, too, where a dtype may be wider.
        let size = element.as_ref().map_or(1, |e| e.size().max(e.dtype.size()));
        if byte_strides(size, &shape).is_none() || byte_strides(size, &chunks).is_none() {
            return Err(format!("it is said to be of shape {:?}, larger than any memory", shape.as_slice()));
        }
        let (codecs, inner) = names(version, &json);
        Ok(Layout { shape, chunks, element, codecs, inner, swapped, version, json })
    }

    /// How elements are stored.
    ///
    /// # Errors
    /// Says which codec is not known, or what is wrong.
    pub fn storage(&self, element: Element) -> Result<Storage, String> {
        let (chain, keys) = match self.version {
            2 => (Chain::v2(&self.json, self.shape.len(), element, self.swapped)?, keys_v2(&self.json)?),
            _ => {
                check_v3(&self.json)?;
                let codecs = self.json.get("codecs").unwrap_or(&Json::Null);
                (Chain::v3(codecs, &self.chunks, element)?, keys_v3(&self.json)?)
            }
        };
        let fill = self.json.get("fill_value").unwrap_or(&Json::Null);
        let mut fill = match fill {
            Json::Null if self.version == 2 => vec![0; element.size()],
            fill => element.fill(fill).ok_or_else(|| format!("its fill value, {fill}, is none of its type"))?,
        };
        if chain.inner().swapped {
            fill.chunks_exact_mut(element.unit()).for_each(|number| number.reverse());
        }
        let bytes = self.chunks.iter().product::<usize>() * element.size();
        Ok(Storage { element, chain, fill, keys, bytes })
    }

    /// A dtype, or what the metadata calls the type.
    pub fn type_name(&self) -> &str {
        match &self.element {
            Ok(element) => element.dtype.name(),
            Err(name) => name,
        }
    }
}

fn element_v2(json: &Json) -> Result<(Result<Element, String>, bool), String> {
    Ok(match json.get("dtype") {
        Some(Json::String(name)) => match Element::v2(name) {
            Some((element, swapped)) => (Ok(element), swapped),
            None => (Err(name.clone()), false),
        },
        Some(Json::Array(_)) => (Err("records".into()), false),
        _ => return Err("it has no type".into()),
    })
}

fn element_v3(json: &Json) -> Result<Result<Element, String>, String> {
    let (name, _) = json.get("data_type").and_then(named).ok_or("it has no type")?;
    Ok(Element::v3(name).ok_or_else(|| name.to_string()))
}

/// Names of the codecs in the order they are applied on writing, and the chunks of shards; as far as they can be told.
fn names(version: u64, json: &Json) -> (Vec<String>, Option<Dims>) {
    let mut names = Vec::new();
    let mut inner = None;
    if version == 2 {
        if json.get("order").and_then(Json::as_str) == Some("F") {
            names.push("F".into());
        }
        let filters = json.get("filters").and_then(Json::as_array).into_iter().flatten();
        for item in filters.chain(json.get("compressor")) {
            if let Some(name) = item.get("id").and_then(Json::as_str) {
                names.push(titled(name, item));
            }
        }
        return (names, inner);
    }
    let mut list = json.get("codecs");
    // Those of the chunks within shards, too; never deeper than metadata is nested.
    while let Some(items) = list.take().and_then(Json::as_array) {
        for (name, settings) in items.iter().filter_map(named) {
            match name {
                "bytes" => {}
                "sharding_indexed" => {
                    inner = inner.or_else(|| settings.get("chunk_shape").and_then(json::sizes));
                    list = settings.get("codecs");
                }
                _ => names.push(titled(name, settings)),
            }
        }
    }
    (names, inner)
}

/// A codec and its level, if it has one: `gzip 4`, `blosc lz4`.
fn titled(name: &str, settings: &Json) -> String {
    let mut title = name.strip_prefix("numcodecs.").unwrap_or(name).to_string();
    if let Some(inside) = settings.get("cname").and_then(Json::as_str) {
        let _ = write!(title, " {inside}");
    } else if let Some(level) = settings.get("level").and_then(Json::as_i64) {
        let _ = write!(title, " {level}");
    }
    title
}

fn keys_v2(json: &Json) -> Result<Keys, String> {
    let separator = separator(json.get("dimension_separator"), '.')?;
    Ok(Keys { prefix: false, separator })
}

fn keys_v3(json: &Json) -> Result<Keys, String> {
    match json.get("chunk_key_encoding").and_then(named) {
        Some(("default", settings)) => Ok(Keys { prefix: true, separator: separator(settings.get("separator"), '/')? }),
        Some(("v2", settings)) => Ok(Keys { prefix: false, separator: separator(settings.get("separator"), '.')? }),
        Some((name, _)) => Err(format!("its chunks are named in the way `{name}`, unknown here")),
        None => Err("it does not say how its chunks are named".into()),
    }
}

fn separator(json: Option<&Json>, default: char) -> Result<char, String> {
    match json.map(Json::as_str) {
        None => Ok(default),
        Some(Some(".")) => Ok('.'),
        Some(Some("/")) => Ok('/'),
        Some(_) => Err("the names of its chunks have an unknown separator".into()),
    }
}

/// Refuses what version 3 says must be understood and is not.
fn check_v3(json: &Json) -> Result<(), String> {
    const KNOWN: [&str; 12] = [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "attributes",
        "dimension_names",
        "storage_transformers",
        "consolidated_metadata",
    ];
    let transformers = json.get("storage_transformers").and_then(Json::as_array);
    if transformers.is_some_and(|list| !list.is_empty()) {
        return Err("it has storage transformers, which are unknown here".into());
    }
    let optional = |value: &Json| value.get("must_understand") == Some(&Json::Bool(false));
    let unknown =
        json.as_object().into_iter().flatten().find(|(name, v)| !KNOWN.contains(&name.as_str()) && !optional(v));
    match unknown {
        Some((name, _)) => Err(format!("its metadata has `{name}`, which is unknown here")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_names() {
        let name = |prefix, separator, index: &[usize]| Keys { prefix, separator }.file(index);
        assert_eq!(name(true, '/', &[0, 12]), "c/0/12");
        assert_eq!(name(true, '.', &[0, 12]), "c.0.12");
        assert_eq!(name(false, '.', &[3, 4, 5]), "3.4.5");
        assert_eq!(name(true, '/', &[]), "c");
        assert_eq!(name(false, '.', &[]), "0");
    }
}
