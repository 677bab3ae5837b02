//! How text is spelled in bytes, by the names that Python gives encodings.

use crate::err;
use crate::text::Result;
use encoding_rs::{CoderResult, DecoderResult, EncoderResult, UTF_8, UTF_16BE, UTF_16LE};
use std::path::Path;

/// An encoding of text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Encoding {
    Utf8,
    /// With a byte order mark, which is no part of the text.
    Utf8Marked,
    /// The first 128 characters.
    Ascii,
    /// The first 256 characters (ISO 8859-1).
    Latin1,
    /// The byte order mark says which end comes first; without one the low one does, as where it is written.
    Utf16,
    /// As the web has it.
    Other(&'static encoding_rs::Encoding),
}

/// What is done with bytes that are none of an encoding.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Errors {
    Refuse,
    /// By `\u{fffd}`.
    Replace,
    Ignore,
}

impl Encoding {
    /// By its name, in any case, with `-`, `_` or nothing between its parts.
    pub fn named(name: &str) -> Option<Encoding> {
        let plain = name.to_ascii_lowercase().replace(['-', '_', ' '], "");
        Some(match &*plain {
            "utf8" | "u8" => Encoding::Utf8,
            "utf8sig" => Encoding::Utf8Marked,
            "ascii" | "usascii" | "646" => Encoding::Ascii,
            "latin1" | "latin" | "l1" | "iso88591" | "88591" => Encoding::Latin1,
            "utf16" | "u16" => Encoding::Utf16,
            "utf16le" => Encoding::Other(UTF_16LE),
            "utf16be" => Encoding::Other(UTF_16BE),
            _ => {
                let spelled =
                    [name.to_string(), name.replace('_', "-"), plain.clone(), plain.replace("cp", "windows-")];
                Encoding::Other(spelled.iter().find_map(|name| encoding_rs::Encoding::for_label(name.as_bytes()))?)
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 | Encoding::Utf8Marked => "UTF-8",
            Encoding::Ascii => "ASCII",
            Encoding::Latin1 => "Latin-1",
            Encoding::Utf16 => "UTF-16",
            Encoding::Other(web) => web.name(),
        }
    }

    /// Whether bytes below 128 are these characters wherever they stand, so that a file may be read in parts that end with lines.
    pub fn is_read_in_parts(self) -> bool {
        match self {
            Encoding::Utf16 => false,
            Encoding::Other(web) => web.is_single_byte() || web == UTF_8,
            _ => true,
        }
    }

    /// Bytes of a file, of which they begin at one, as text.
    ///
    /// # Errors
    /// `dsk::value` with the place of the first byte that is none of the encoding, where these are refused.
    pub fn decode(self, bytes: Vec<u8>, start: u64, path: &Path, errors: Errors) -> Result<String> {
        let wrong = |at: usize, bytes: &[u8]| {
            let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
            let place = if start == 0 { format!("line {line}, ") } else { String::new() };
            let byte = start + at as u64;
            err!(Value, "`{}` is not {}: {place}byte {byte} is 0x{:02x}", path.display(), self.name(), bytes[at])
                .help("`:encoding` names another encoding, as \"latin-1\"")
                .help("with `:errors \"replace\"`, `read-text` goes on")
        };
        match self {
            Encoding::Utf8 | Encoding::Utf8Marked => {
                let mark: &[u8] = if self == Encoding::Utf8Marked && start == 0 { b"\xef\xbb\xbf" } else { b"" };
                let bytes = match bytes.strip_prefix(mark) {
                    Some(rest) if !mark.is_empty() => rest.to_vec(),
                    _ => bytes,
                };
                let bad = match String::from_utf8(bytes) {
                    Ok(text) => return Ok(text),
                    Err(bad) => bad,
                };
                let at = bad.utf8_error().valid_up_to();
                let bytes = bad.into_bytes();
                match errors {
                    Errors::Replace => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                    Errors::Ignore => Ok(bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()),
                    Errors::Refuse => Err(wrong(at, &bytes)),
                }
            }
            Encoding::Latin1 => Ok(bytes.into_iter().map(char::from).collect()),
            Encoding::Ascii => match (bytes.iter().position(|byte| !byte.is_ascii()), errors) {
                (Some(at), Errors::Refuse) => Err(wrong(at, &bytes)),
                (_, errors) => {
                    let other = (errors != Errors::Ignore).then_some('\u{fffd}');
                    let char = |byte: &u8| if byte.is_ascii() { Some(char::from(*byte)) } else { other };
                    Ok(bytes.iter().filter_map(char).collect())
                }
            },
            Encoding::Utf16 => by_web(UTF_16LE, &bytes, errors, &wrong),
            Encoding::Other(web) => by_web(web, &bytes, errors, &wrong),
        }
    }

    /// The bytes of a text; `Err` with a character that cannot be said. `first` where it begins a file.
    pub fn encode(self, text: &str, first: bool) -> std::result::Result<Vec<u8>, char> {
        let wide = |bytes: fn(u16) -> [u8; 2], mark: bool| {
            let mark = mark.then_some(0xfeff);
            mark.into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        let within =
            |most: u32| text.chars().map(|c| if u32::from(c) <= most { Ok(c as u8) } else { Err(c) }).collect();
        match self {
            Encoding::Utf8 => Ok(text.into()),
            Encoding::Utf8Marked => Ok(format!("{}{text}", if first { "\u{feff}" } else { "" }).into()),
            Encoding::Ascii => within(0x7f),
            Encoding::Latin1 => within(0xff),
            Encoding::Utf16 => Ok(wide(u16::to_le_bytes, first)),
            Encoding::Other(web) if web == UTF_16LE => Ok(wide(u16::to_le_bytes, false)),
            Encoding::Other(web) if web == UTF_16BE => Ok(wide(u16::to_be_bytes, false)),
            Encoding::Other(web) => {
                let mut encoder = web.new_encoder();
                let most = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
                let mut bytes = Vec::with_capacity(most.unwrap_or(text.len() * 4));
                match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true).0 {
                    EncoderResult::Unmappable(char) => Err(char),
                    EncoderResult::InputEmpty | EncoderResult::OutputFull => Ok(bytes),
                }
            }
        }
    }
}

/// Decodes as the web does, which goes by a byte order mark where there is one.
fn by_web(
    web: &'static encoding_rs::Encoding,
    bytes: &[u8],
    errors: Errors,
    wrong: &dyn Fn(usize, &[u8]) -> crate::text::Error,
) -> Result<String> {
    let mut decoder = web.new_decoder();
    if errors == Errors::Replace {
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len()));
        let (CoderResult::InputEmpty | CoderResult::OutputFull, ..) = decoder.decode_to_string(bytes, &mut text, true);
        return Ok(text);
    }
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let mut text = String::with_capacity(most.unwrap_or(bytes.len()));
    let mut at = 0;
    loop {
        let (result, read) = decoder.decode_to_string_without_replacement(&bytes[at..], &mut text, true);
        at += read;
        match result {
            DecoderResult::Malformed(long, since) if errors == Errors::Refuse => {
                let first = at.saturating_sub(usize::from(long) + usize::from(since));
                return Err(wrong(first.min(bytes.len().saturating_sub(1)), bytes));
            }
            DecoderResult::Malformed(..) => {}
            DecoderResult::OutputFull => text.reserve(bytes.len() - at + 16),
            DecoderResult::InputEmpty => return Ok(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8], errors: Errors) -> Result<String> {
        Encoding::named(name).unwrap().decode(bytes.to_vec(), 0, Path::new("f"), errors)
    }

    #[test]
    fn names_are_those_of_python() {
        for name in ["utf-8", "UTF_8", "utf8"] {
            assert_eq!(Encoding::named(name), Some(Encoding::Utf8));
        }
        for name in ["latin-1", "latin1", "ISO-8859-1", "iso8859_1", "L1"] {
            assert_eq!(Encoding::named(name), Some(Encoding::Latin1));
        }
        for name in
            ["cp1252", "windows-1252", "shift_jis", "utf-16-le", "utf_16_be", "iso8859-15", "koi8-r", "gbk", "euc-jp"]
        {
            assert!(matches!(Encoding::named(name), Some(Encoding::Other(_))), "{name}");
        }
        assert_eq!(Encoding::named("utf-32"), None);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for name in ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "ascii", "gbk"] {
            let encoding = Encoding::named(name).unwrap();
            let text = match name {
                "ascii" => "plain",
                "latin-1" | "cp1252" => "naïve é",
                "gbk" => "中文",
                _ => "naïve 日本 🦀",
            };
            let mut bytes = encoding.encode(text, true).unwrap();
            bytes.extend(encoding.encode("\nmore", false).unwrap());
            assert_eq!(read(name, &bytes, Errors::Refuse).unwrap(), format!("{text}\nmore"), "{name}");
        }
        assert_eq!(Encoding::Latin1.encode("h€", true), Err('€'));
        assert_eq!(Encoding::Ascii.encode("é", true), Err('é'));
    }

    #[test]
    fn bytes_that_are_none_are_refused_replaced_or_ignored() {
        for (name, bytes) in [("utf-8", &b"ab\xffc"[..]), ("ascii", b"ab\xffc"), ("shift_jis", b"ab\xffc")] {
            let message = read(name, bytes, Errors::Refuse).unwrap_err().message().to_string();
            assert!(message.ends_with("line 1, byte 2 is 0xff"), "{message}");
            assert_eq!(read(name, bytes, Errors::Replace).unwrap(), "ab\u{fffd}c", "{name}");
            assert_eq!(read(name, bytes, Errors::Ignore).unwrap(), "abc", "{name}");
        }
        assert_eq!(read("latin-1", b"\x80\xff", Errors::Refuse).unwrap(), "\u{80}ÿ");
        assert!(read("utf-16", b"a", Errors::Refuse).is_err());
    }
}
