//! A key names the result of a task: a name, and the index of a block where the name has many.

use super::Str;
use smallvec::SmallVec;
use std::fmt;

/// `x`, or `[x 3 0]`: block (3, 0) of the layer `x`. Never a string that might be one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub name: Str,
    pub index: SmallVec<[u32; 4]>,
}

impl Key {
    /// The key of something that is not in blocks.
    pub fn new(name: impl Into<Str>) -> Self {
        Key { name: name.into(), index: SmallVec::new() }
    }

    pub fn block(name: Str, index: &[u32]) -> Self {
        Key { name, index: SmallVec::from_slice(index) }
    }

    /// The key as it is written in errors: `"x"`, `["x" 3 0]`.
    pub fn quoted(&self) -> String {
        if self.index.is_empty() {
            return format!("{:?}", self.name.as_str());
        }
        let index: Vec<String> = self.index.iter().map(u32::to_string).collect();
        format!("[{:?} {}]", self.name.as_str(), index.join(" "))
    }
}

/// As Lisp: `x`, `[x 3 0]`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.index.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "[{}", self.name)?;
        self.index.iter().try_for_each(|i| write!(f, " {i}"))?;
        f.write_str("]")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
