//! From elements to the bytes of a chunk's file: axes in another order, elements one after the other or in shards, codecs.

use super::codecs::Codec;
use super::element::Element;
use super::json::{self, Json};
use crate::data::Dims;

/// What was done to a chunk on its way to its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// For each axis of the chunk as it is stored, which one of the array it is; `None` where they are in order.
    pub axes: Option<Dims>,
    /// Bytes of numbers are in the other order than this machine's.
    pub swapped: bool,
    /// The chunk is cut into others, which have a chain of their own.
    pub shards: Option<Box<Shards>>,
    pub codecs: Vec<Codec>,
}

/// A file of many chunks with an index: where each begins, and how long it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Shards {
    pub chunks: Dims,
    pub chain: Chain,
    pub index: Index,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    pub at_end: bool,
    pub big_endian: bool,
    pub checksum: bool,
}

impl Chain {
    /// The chain of version 3, for chunks of that shape.
    ///
    /// # Errors
    /// Says which codec is not known, or what is wrong.
    pub fn v3(list: &Json, chunks: &[usize], element: Element) -> Result<Chain, String> {
        let list = list.as_array().ok_or("it has no list of codecs")?;
        let mut chain = Chain { axes: None, swapped: false, shards: None, codecs: Vec::new() };
        // Elements come before bytes, with one codec between them.
        let mut bytes = false;
        for item in list {
            let (name, settings) = named(item).ok_or("a codec has no name")?;
            match name {
                "transpose" if !bytes => chain.transpose(settings, chunks.len())?,
                "bytes" if !bytes => {
                    chain.swapped = match settings.get("endian").and_then(Json::as_str) {
                        Some("little") => cfg!(target_endian = "big"),
                        Some("big") => cfg!(target_endian = "little"),
                        None if element.unit() == 1 => false,
                        _ => return Err("it does not say in which order the bytes of its numbers are".into()),
                    };
                    bytes = true;
                }
                "sharding_indexed" if !bytes => {
                    if chain.axes.is_some() {
                        return Err("it has shards of transposed chunks, which are not read here".into());
                    }
                    chain.shards = Some(Box::new(Shards::of(settings, chunks, element)?));
                    bytes = true;
                }
                "transpose" | "bytes" | "sharding_indexed" => {
                    return Err(format!("its codec `{name}` is not where it could be"));
                }
                _ => match Codec::of(name, settings, element.size()) {
                    Some(codec) if bytes => chain.codecs.push(codec),
                    Some(_) => return Err(format!("its codec `{name}` takes bytes, and gets elements")),
                    None => return Err(unknown(name)),
                },
            }
        }
        if !bytes {
            return Err("it has no codec that makes bytes of elements".into());
        }
        if chain.shards.is_some() && !chain.codecs.is_empty() {
            return Err("its shards are encoded once more, which is not read here".into());
        }
        Ok(chain)
    }

    /// The chain of version 2: filters, then a compressor.
    ///
    /// # Errors
    /// Says which codec is not known.
    pub fn v2(metadata: &Json, axes: usize, element: Element, swapped: bool) -> Result<Chain, String> {
        let axes = match metadata.get("order").and_then(Json::as_str) {
            Some("C") => None,
            Some("F") if axes < 2 => None,
            Some("F") => Some((0..axes).rev().collect()),
            _ => return Err("it does not say in which order its elements are".into()),
        };
        let filters = match metadata.get("filters") {
            None | Some(Json::Null) => &[][..],
            Some(filters) => filters.as_array().ok_or("its filters are no list")?,
        };
        let compressor = metadata.get("compressor").filter(|c| !c.is_null());
        let mut codecs = Vec::new();
        for item in filters.iter().chain(compressor) {
            let name = item.get("id").and_then(Json::as_str).ok_or("a codec has no name")?;
            codecs.push(Codec::of(name, item, element.size()).ok_or_else(|| unknown(name))?);
        }
        Ok(Chain { axes, swapped, shards: None, codecs })
    }

    fn transpose(&mut self, settings: &Json, ndim: usize) -> Result<(), String> {
        let order = settings.get("order").ok_or("a transposition has no order")?;
        let order: Option<Dims> = match order.as_str() {
            Some("C") => Some((0..ndim).collect()),
            Some("F") => Some((0..ndim).rev().collect()),
            _ => json::sizes(order),
        };
        let order = order.filter(|order| {
            order.len() == ndim && (0..ndim).all(|axis| order.iter().filter(|&&a| a == axis).count() == 1)
        });
        let order = order.ok_or("the order of a transposition is none of its axes")?;
        let axes: Dims = match &self.axes {
            None => order,
            Some(before) => order.iter().map(|&axis| before[axis]).collect(),
        };
        self.axes = (!axes.iter().enumerate().all(|(n, &axis)| n == axis)).then_some(axes);
        Ok(())
    }

    /// The chain whose chunks hold elements: that of the shards, if there are any.
    pub fn inner(&self) -> &Chain {
        self.shards.as_ref().map_or(self, |shards| &shards.chain)
    }

    /// Whether the file holds the elements in order, and nothing else.
    pub fn is_plain(&self) -> bool {
        self.axes.is_none() && self.shards.is_none() && self.codecs.is_empty()
    }
}

impl Shards {
    fn of(settings: &Json, whole: &[usize], element: Element) -> Result<Shards, String> {
        let chunks = settings.get("chunk_shape").and_then(json::sizes).filter(|c| c.len() == whole.len());
        let chunks = chunks.ok_or("its shards have no shape of chunks")?;
        if chunks.iter().zip(whole).any(|(&c, &n)| c == 0 || n % c != 0) {
            return Err(format!("its shards of shape {whole:?} are not made of whole chunks of shape {chunks:?}"));
        }
        let chain = Chain::v3(settings.get("codecs").unwrap_or(&Json::Null), &chunks, element)?;
        if chain.shards.is_some() {
            return Err("it has shards within shards, which are not read here".into());
        }
        let at_end = match settings.get("index_location").and_then(Json::as_str) {
            None | Some("end") => true,
            Some("start") => false,
            Some(_) => return Err("the index of its shards is in an unknown place".into()),
        };
        let list = settings.get("index_codecs").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let (big_endian, checksum) = match list {
            [bytes] => (is_big_endian(bytes)?, false),
            [bytes, sum] if named(sum).is_some_and(|c| c.0 == "crc32c") => (is_big_endian(bytes)?, true),
            _ => return Err("the index of its shards is encoded in an unknown way".into()),
        };
        Ok(Shards { chunks, chain, index: Index { at_end, big_endian, checksum } })
    }
}

fn is_big_endian(codec: &Json) -> Result<bool, String> {
    match named(codec) {
        Some(("bytes", settings)) => match settings.get("endian").and_then(Json::as_str) {
            Some("little") => Ok(false),
            Some("big") => Ok(true),
            _ => Err("the index of its shards does not say in which order the bytes of its numbers are".into()),
        },
        _ => Err("the index of its shards is encoded in an unknown way".into()),
    }
}

fn unknown(name: &str) -> String {
    format!("its codec `{name}` is not known here")
}

/// The name of an extension of version 3, and its settings.
pub fn named(json: &Json) -> Option<(&str, &Json)> {
    if let Some(name) = json.as_str() {
        return Some((name, &Json::Null));
    }
    let name = json.get("name")?.as_str()?;
    Some((name, json.get("configuration").unwrap_or(&Json::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chain(codecs: &Json) -> Result<Chain, String> {
        Chain::v3(codecs, &[4, 6, 8], Element::v3("int32").unwrap())
    }

    #[test]
    fn transpositions_follow_one_another() {
        let turn = |order: Json| json!({"name": "transpose", "configuration": {"order": order}});
        let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
        let axes = |list: &[Json]| {
            let codecs: Vec<Json> = list.iter().cloned().map(turn).chain([bytes.clone()]).collect();
            chain(&json!(codecs)).unwrap().axes.map(|a| a.to_vec())
        };
        assert_eq!(axes(&[json!([1, 2, 0])]), Some(vec![1, 2, 0]));
        // Axes 0 1 2 are 1 2 0, and the last of these first: 0 1 2.
        assert_eq!(axes(&[json!([1, 2, 0]), json!([2, 0, 1])]), None);
        assert_eq!(axes(&[json!([1, 0, 2]), json!([0, 2, 1])]), Some(vec![1, 2, 0]));
        assert_eq!(axes(&[json!("F")]), Some(vec![2, 1, 0]));
        assert!(chain(&json!([turn(json!([0, 0, 1])), bytes])).is_err());
        assert!(chain(&json!([turn(json!([0, 1])), bytes])).is_err());
    }

    #[test]
    fn what_is_not_a_chain_is_told() {
        let bytes = json!({"name": "bytes", "configuration": {"endian": "big"}});
        let shards = |shape: Json, codecs: Json| {
            json!({"name": "sharding_indexed", "configuration": {"chunk_shape": shape, "codecs": codecs,
                "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]}})
        };
        assert!(chain(&json!([bytes, "gzip"])).is_ok());
        assert!(chain(&json!([shards(json!([2, 3, 8]), json!([bytes]))])).is_ok());
        for (codecs, what) in [
            (json!(null), "no list"),
            (json!([]), "no codec"),
            (json!([{}]), "no name"),
            (json!(["gzip", bytes]), "takes bytes"),
            (json!([bytes, bytes]), "not where"),
            (json!(["bytes"]), "order"),
            (json!([bytes, "pcodec"]), "`pcodec` is not known"),
            (json!([shards(json!([3, 3, 8]), json!([bytes]))]), "whole chunks"),
            (json!([shards(json!([0, 3, 8]), json!([bytes]))]), "whole chunks"),
            (json!([shards(json!([3]), json!([bytes]))]), "shape"),
            (json!([shards(json!([2, 3, 8]), json!([shards(json!([1, 1, 1]), json!([bytes]))]))]), "within"),
            (json!([shards(json!([2, 3, 8]), json!([bytes])), "gzip"]), "once more"),
        ] {
            let told = chain(&codecs).unwrap_err();
            assert!(told.contains(what), "{told}");
        }
    }
}
