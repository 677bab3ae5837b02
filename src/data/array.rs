//! A lazy array: a layer of tasks, and what is known of their results.

use super::{Chunks, DType, Dims, Layer};
use std::sync::Arc;

/// `array<dtype>[shape]` in chunks. Block (i, j) is the result of the task `[name i j]` of its layer.
#[derive(Clone)]
pub struct Array {
    pub layer: Arc<Layer>,
    pub dtype: DType,
    pub chunks: Chunks,
}

impl Array {
    /// The array whose blocks a layer makes, if it is one of an array.
    pub fn of(layer: &Arc<Layer>) -> Option<Array> {
        let (dtype, chunks) = layer.blocks.clone()?;
        Some(Array { layer: layer.clone(), dtype, chunks })
    }

    pub fn shape(&self) -> Dims {
        self.chunks.shape()
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
