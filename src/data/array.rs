//! A lazy array: a layer of tasks, and what is known of their results.

use super::{Chunks, DType, Dims, Layer, Str};
use std::sync::Arc;

/// `array<dtype>[shape]` in chunks. Block (i, j) is the result of the task `[name i j]` of its layer.
#[derive(Clone)]
pub struct Array {
    pub layer: Arc<Layer>,
    pub dtype: DType,
    /// Along axes of unknown sizes these are the most that blocks may have. The layer says nothing of its blocks then.
    pub chunks: Chunks,
    pub unknown: Unknown,
}

/// The axes whose sizes depend on data that nobody has yet: which elements a mask names. Each has a name, and axes of one name are as
/// long as each other, block by block.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Unknown(Option<Arc<[Option<Str>]>>);

impl Unknown {
    /// The names of the axes, nil for those of known sizes.
    pub fn of(axes: Vec<Option<Str>>) -> Unknown {
        Unknown(axes.iter().any(Option::is_some).then(|| axes.into()))
    }

    /// No axis but one of so many.
    pub fn one(axis: usize, ndim: usize, name: Str) -> Unknown {
        Unknown::of((0..ndim).map(|a| (a == axis).then(|| name.clone())).collect())
    }

    /// How an unknown size is written: `?n3f09c2`.
    pub fn name(hash: u64) -> Str {
        format!("?n{:06x}", hash & 0xff_ffff).into()
    }

    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The same, but that the sizes of these axes, of so many, are known.
    pub fn but(&self, axes: &[usize], ndim: usize) -> Unknown {
        Unknown::of((0..ndim).map(|axis| self.axis(axis).filter(|_| !axes.contains(&axis)).cloned()).collect())
    }

    /// The name of an axis, if it is one of them.
    pub fn axis(&self, axis: usize) -> Option<&Str> {
        self.0.as_ref()?.get(axis)?.as_ref()
    }
}

impl Array {
    /// The array whose blocks a layer makes, if it is one of an array.
    pub fn of(layer: &Arc<Layer>) -> Option<Array> {
        let (dtype, chunks) = layer.blocks.clone()?;
        Some(Array { layer: layer.clone(), dtype, chunks, unknown: Unknown::default() })
    }

    /// The array, whose layer nobody else has, with axes of unknown sizes. Its layer says nothing of its blocks from then on: no pass, no cache
    /// and no estimate takes what they may be for what they are.
    pub fn with_unknown(mut self, unknown: Unknown) -> Array {
        if unknown.is_none() {
            return self;
        }
        if let Some(layer) = Arc::get_mut(&mut self.layer) {
            layer.blocks = None;
            layer.parts = Default::default();
        }
        self.unknown = unknown;
        self
    }

    /// Sizes of the axes; of unknown ones the most that they may be.
    pub fn shape(&self) -> Dims {
        self.chunks.shape()
    }

    /// The shape as it is shown: `[?n3f 4]`.
    pub fn shown_shape(&self) -> String {
        let size = |(axis, n): (usize, usize)| self.unknown.axis(axis).map_or(n.to_string(), Str::to_string);
        let sizes: Vec<String> = self.shape().into_iter().enumerate().map(size).collect();
        format!("[{}]", sizes.join(" "))
    }

    pub fn ndim(&self) -> usize {
        self.chunks.ndim()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn nbytes(&self) -> usize {
        self.len() * self.dtype.size()
    }
}
