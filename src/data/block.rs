//! A block: one concrete n-d array of one dtype, strided over a shared buffer. Views (transpose, slice, broadcast) share
//! the buffer; values never change, and a kernel writes only to buffers that nobody else holds.

use super::{Buffer, Complex32, Complex64, DType, Value, buffer};
use crate::err;
use crate::text::Result;
use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// Sizes of axes, or an index.
pub type Dims = SmallVec<[usize; 4]>;
/// Steps along axes, in elements.
pub type Strides = SmallVec<[isize; 4]>;

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that blocks hold.
///
/// Sealed: every implementor is plain old data without padding. `bool` buffers are always made zeroed and only written
/// through `&mut [bool]`, so their bytes are 0 or 1.
pub trait Element: sealed::Sealed + Copy + Send + Sync + Default + PartialEq + fmt::Debug + 'static {
    const DTYPE: DType;
    /// As a plain value; a uint64 beyond int64 has none.
    fn value(self) -> Option<Value>;
}

macro_rules! elements {
    ($($type:ty, $dtype:ident, |$x:ident| $value:expr;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            fn value(self) -> Option<Value> { let $x = self; $value }
        }
    )*};
}

elements! {
    bool, Bool, |x| Some(Value::Bool(x));
    i8, I8, |x| Some(Value::Int(x.into()));
    i16, I16, |x| Some(Value::Int(x.into()));
    i32, I32, |x| Some(Value::Int(x.into()));
    i64, I64, |x| Some(Value::Int(x));
    u8, U8, |x| Some(Value::Int(x.into()));
    u16, U16, |x| Some(Value::Int(x.into()));
    u32, U32, |x| Some(Value::Int(x.into()));
    u64, U64, |x| i64::try_from(x).ok().map(Value::Int);
    f32, F32, |x| Some(Value::Float(x.into()));
    f64, F64, |x| Some(Value::Float(x));
    Complex32, C64, |x| Some(Value::complex(x.re.into(), x.im.into()));
    Complex64, C128, |x| Some(Value::complex(x.re, x.im));
}

/// Runs `$body` with `$T` standing for the Rust type of a dtype.
#[macro_export]
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {{
        use $crate::data::DType as __D;
        match $dtype {
            __D::Bool => {
                type $T = bool;
                $body
            }
            __D::I8 => {
                type $T = i8;
                $body
            }
            __D::I16 => {
                type $T = i16;
                $body
            }
            __D::I32 => {
                type $T = i32;
                $body
            }
            __D::I64 => {
                type $T = i64;
                $body
            }
            __D::U8 => {
                type $T = u8;
                $body
            }
            __D::U16 => {
                type $T = u16;
                $body
            }
            __D::U32 => {
                type $T = u32;
                $body
            }
            __D::U64 => {
                type $T = u64;
                $body
            }
            __D::F32 => {
                type $T = f32;
                $body
            }
            __D::F64 => {
                type $T = f64;
                $body
            }
            __D::C64 => {
                type $T = $crate::data::Complex32;
                $body
            }
            __D::C128 => {
                type $T = $crate::data::Complex64;
                $body
            }
        }
    }};
}

#[derive(Clone)]
pub struct Block {
    buffer: Arc<Buffer>,
    dtype: DType,
    shape: Dims,
    strides: Strides,
    /// Element of the buffer that index (0, 0, …) is at.
    offset: usize,
}

/// Row-major strides of a shape.
pub fn row_major(shape: &[usize]) -> Strides {
    let mut strides: Strides = SmallVec::from_elem(1, shape.len());
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1) as isize;
    }
    strides
}

impl Block {
    /// A block with arbitrary contents, for a kernel to fill.
    ///
    /// # Panics
    /// When the size does not fit the address space; ops check sizes when they infer shapes.
    pub fn alloc(dtype: DType, shape: &[usize]) -> Self {
        let bytes = Block::byte_len(dtype, shape);
        let buffer = if dtype == DType::Bool { Buffer::zeroed(bytes) } else { Buffer::new(bytes) };
        Block::over(buffer, dtype, shape)
    }

    /// As [`Block::alloc`], for what an op answers.
    ///
    /// # Errors
    /// `dsk::memory` where that is more than this thread may make.
    pub fn for_answer(dtype: DType, shape: &[usize]) -> Result<Self> {
        Block::check_room(Block::byte_size(dtype, shape)?)?;
        Ok(Block::alloc(dtype, shape))
    }

    /// Bytes of an array; `dsk::value` where they do not fit the address space.
    pub fn byte_size(dtype: DType, shape: &[usize]) -> Result<usize> {
        // Sizes of 0 do not excuse the others: strides are products of them.
        let all = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d.max(1)));
        match all.filter(|&n| isize::try_from(n).is_ok()) {
            Some(n) => Ok(if shape.contains(&0) { 0 } else { n }),
            None => {
                let shape = crate::text::shape(shape);
                Err(err!(Value, "an array of shape {shape} and dtype {dtype} is larger than any memory"))
            }
        }
    }

    /// `dsk::memory` where an array of so many bytes is more than this thread may make.
    pub fn check_room(bytes: usize) -> Result<()> {
        let advice = "with `:chunks` it is lazy, and made block by block; `:memory-limit` raises the limit";
        buffer::check_room("array", bytes).map_err(|error| error.help(advice))
    }

    pub fn zeros(dtype: DType, shape: &[usize]) -> Self {
        Block::over(Buffer::zeroed(Block::byte_len(dtype, shape)), dtype, shape)
    }

    fn byte_len(dtype: DType, shape: &[usize]) -> usize {
        shape
            .iter()
            .try_fold(dtype.size(), |n, &d| n.checked_mul(d))
            .filter(|&n| isize::try_from(n).is_ok())
            .expect("sizes were checked at inference")
    }

    fn over(buffer: Buffer, dtype: DType, shape: &[usize]) -> Self {
        Block {
            buffer: Arc::new(buffer),
            dtype,
            shape: SmallVec::from_slice(shape),
            strides: row_major(shape),
            offset: 0,
        }
    }

    /// A block of the elements in row-major order.
    ///
    /// # Panics
    /// When their number is not the shape's.
    pub fn from_slice<T: Element>(shape: &[usize], elements: &[T]) -> Self {
        let mut block = Block::alloc(T::DTYPE, shape);
        block.as_mut_slice::<T>().copy_from_slice(elements);
        block
    }

    pub fn scalar<T: Element>(x: T) -> Self {
        Block::from_slice(&[], &[x])
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Bytes of the elements, as if contiguous.
    pub fn nbytes(&self) -> usize {
        self.len() * self.dtype.size()
    }

    /// Whether elements lie one after the other in row-major order.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.is_empty()
            || self.shape.iter().zip(&self.strides).rev().all(|(&d, &s)| {
                let fits = d == 1 || s == expected;
                expected *= d as isize;
                fits
            })
    }

    fn check<T: Element>(&self) {
        assert!(T::DTYPE == self.dtype, "a {} block was taken for {}", self.dtype, T::DTYPE);
    }

    /// Pointer to the element at index (0, 0, …); strides lead from there to all others.
    pub fn as_ptr<T: Element>(&self) -> *const T {
        self.check::<T>();
        self.buffer.pointer().cast::<T>().wrapping_add(self.offset)
    }

    /// As [`Block::as_ptr`], whatever the dtype.
    pub fn as_byte_ptr(&self) -> *const u8 {
        self.buffer.pointer().wrapping_add(self.offset * self.dtype.size())
    }

    /// The bytes to write, of a block that was just made; those of bools must stay 0 or 1.
    ///
    /// # Panics
    /// As [`Block::as_mut_slice`].
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        assert!(self.is_contiguous(), "a block that is being written is contiguous");
        let (start, len) = (self.offset * self.dtype.size(), self.nbytes());
        let buffer = Arc::get_mut(&mut self.buffer).expect("a block that is being written is not shared");
        if len == 0 { &mut [] } else { &mut buffer.bytes_mut()[start..start + len] }
    }

    /// The elements in row-major order, where they lie so.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        let contiguous = self.is_contiguous();
        let len = if contiguous { self.len() } else { return None };
        // SAFETY: a contiguous block covers `len` initialised elements of T from `as_ptr` on (alignment is 64 or more,
        // sizes divide it); a Bool buffer holds only 0 and 1 (see `Element`).
        Some(unsafe { std::slice::from_raw_parts(self.as_ptr::<T>(), len) })
    }

    /// The elements to write, of a block that was just made.
    ///
    /// # Panics
    /// When the block is a view or its buffer is shared: kernels only write to blocks they allocated.
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        self.try_as_mut_slice().expect("a block that is being written is not shared")
    }

    /// The elements to write, where nobody else holds the buffer and they lie in row-major order.
    pub fn try_as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        self.check::<T>();
        if !self.is_contiguous() {
            return None;
        }
        let (len, offset) = (self.len(), self.offset);
        let bytes = Arc::get_mut(&mut self.buffer)?.bytes_mut();
        let pointer = bytes.as_mut_ptr().cast::<T>();
        // SAFETY: as `as_slice`; `get_mut` proved that the buffer is not shared.
        Some(unsafe { std::slice::from_raw_parts_mut(pointer.wrapping_add(offset), len) })
    }

    /// The elements as bytes in row-major order, where they lie so.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let start = self.offset * self.dtype.size();
        self.is_contiguous()
            .then(|| if self.is_empty() { &[] } else { &self.buffer.bytes()[start..start + self.nbytes()] })
    }

    /// Whether [`Block::try_as_mut_slice`] would succeed.
    pub fn is_unshared(&mut self) -> bool {
        self.is_contiguous() && Arc::get_mut(&mut self.buffer).is_some()
    }

    /// Whether its memory can become that of a result as large: nobody else holds it, and it takes no more than fresh memory would.
    pub fn is_reusable(&mut self) -> bool {
        self.is_unshared() && self.held_bytes() <= buffer::capacity(self.nbytes())
    }

    /// Whether the block is most of what its buffer holds: a small part of a large buffer keeps all of it alive.
    pub fn fills_its_buffer(&self) -> bool {
        self.buffer.len() <= 2 * self.nbytes()
    }

    /// Bytes that the block keeps in memory, shared ones counted whole.
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// The block as an `ndarray` view.
    pub fn view<T: Element>(&self) -> ArrayViewD<'_, T> {
        self.check::<T>();
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(&self.shape), &[]).expect("an empty view needs no elements");
        }
        // `ndarray` takes strides of a raw view as unsigned: start at the lowest address and flip back.
        let mut pointer = self.as_ptr::<T>();
        let mut strides = Dims::new();
        for (&d, &s) in self.shape.iter().zip(&self.strides) {
            if s < 0 {
                pointer = pointer.wrapping_offset(s * (d as isize - 1));
            }
            strides.push(s.unsigned_abs());
        }
        let shape = IxDyn(&self.shape).strides(IxDyn(&strides));
        // SAFETY: shape, strides and offset describe elements within the buffer (every constructor of views keeps to
        // that), which lives and stays unchanged as long as `self` is borrowed.
        let mut view = unsafe { ArrayViewD::from_shape_ptr(shape, pointer) };
        for (axis, &s) in self.strides.iter().enumerate() {
            if s < 0 {
                view.invert_axis(ndarray::Axis(axis));
            }
        }
        view
    }

    /// The element at an index.
    pub fn get<T: Element>(&self, index: &[usize]) -> T {
        self.view::<T>()[IxDyn(index)]
    }

    /// The only element as a plain value; the block itself where it is a uint64 beyond int64.
    ///
    /// # Panics
    /// When the block has dimensions.
    pub fn item(&self) -> Value {
        let value = with_dtype!(self.dtype, T => self.get::<T>(&[]).value());
        value.unwrap_or_else(|| Value::Block(Arc::new(self.clone())))
    }

    /// The parts along the first axis: plain values of an array of one axis, except a uint64 beyond int64, which stays a block.
    ///
    /// # Panics
    /// When the block has no dimensions.
    pub fn parts(&self) -> Vec<Value> {
        let part = |at: usize| Value::from(self.take_axis(0, at)).plain();
        let mut parts = Vec::new();
        if parts.try_reserve_exact(self.shape[0]).is_err() {
            buffer::out_of_memory(self.shape[0].saturating_mul(size_of::<Value>()));
        }
        if self.ndim() > 1 {
            parts.extend((0..self.shape[0]).map(part));
            return parts;
        }
        with_dtype!(self.dtype, T => {
            let view = self.view::<T>();
            parts.extend(view.iter().enumerate().map(|(at, x)| x.value().unwrap_or_else(|| part(at))));
        });
        parts
    }

    /// A contiguous block of the same elements; the same block where it is contiguous already.
    pub fn contiguous(&self) -> Block {
        if self.is_contiguous() { self.clone() } else { self.copied() }
    }

    /// A block of the same elements in memory of its own.
    pub fn copied(&self) -> Block {
        let mut out = Block::alloc(self.dtype, &self.shape);
        crate::kernel::layout::copy_into(&mut out, &Dims::from_elem(0, self.ndim()), self);
        out
    }

    /// The axes in another order, as a view.
    pub fn transpose(&self, axes: &[usize]) -> Block {
        debug_assert_eq!(axes.len(), self.ndim());
        Block {
            shape: axes.iter().map(|&a| self.shape[a]).collect(),
            strides: axes.iter().map(|&a| self.strides[a]).collect(),
            ..self.clone()
        }
    }

    /// `range` of one axis, as a view.
    pub fn slice_axis(&self, axis: usize, range: super::slice::Range) -> Block {
        let mut view = self.clone();
        debug_assert!(range.count == 0 || range.start < self.shape[axis]);
        if range.count > 0 {
            view.offset = (view.offset as isize + range.start as isize * view.strides[axis]) as usize;
        }
        view.shape[axis] = range.count;
        view.strides[axis] *= range.step;
        view
    }

    /// The element `at` of one axis, which disappears; as a view.
    pub fn take_axis(&self, axis: usize, at: usize) -> Block {
        let mut view = self.slice_axis(axis, super::slice::Range { start: at, step: 1, count: 1 });
        view.shape.remove(axis);
        view.strides.remove(axis);
        view
    }

    /// Without some axes of size 1, named from the first to the last; as a view.
    pub fn squeeze(&self, axes: &[usize]) -> Block {
        axes.iter().rev().fold(self.clone(), |view, &axis| view.take_axis(axis, 0))
    }

    /// A new axis of size 1 before `axis`, as a view.
    pub fn insert_axis(&self, axis: usize) -> Block {
        let mut view = self.clone();
        view.shape.insert(axis, 1);
        view.strides.insert(axis, 0);
        view
    }

    /// The same memory under another shape and other strides, as a view.
    ///
    /// # Panics
    /// When an index would lie outside of the elements that this block covers.
    pub(crate) fn with_layout(&self, shape: &[usize], strides: &[isize]) -> Block {
        let reach = |shape: &[usize], strides: &[isize]| {
            let ends = shape.iter().zip(strides).map(|(&d, &s)| (d as isize - 1) * s);
            ends.fold((0, 0), |(low, high), end| (low + end.min(0), high + end.max(0)))
        };
        let (old, new) = (reach(&self.shape, &self.strides), reach(shape, strides));
        assert!(!self.is_empty() && old.0 <= new.0 && new.1 <= old.1, "a view stays within its block");
        Block { shape: SmallVec::from_slice(shape), strides: SmallVec::from_slice(strides), ..self.clone() }
    }

    /// Stretched to `shape` by NumPy's broadcasting, as a view; `None` where it does not fit.
    pub fn broadcast_to(&self, shape: &[usize]) -> Option<Block> {
        let lead = shape.len().checked_sub(self.ndim())?;
        let mut strides: Strides = SmallVec::from_elem(0, lead);
        for (axis, &d) in self.shape.iter().enumerate() {
            strides.push(match (d, shape[lead + axis]) {
                (a, b) if a == b => self.strides[axis],
                (1, _) => 0,
                _ => return None,
            });
        }
        Some(Block { shape: SmallVec::from_slice(shape), strides, ..self.clone() })
    }

    /// The elements in row-major order under another shape of as many elements; copies only where they do not lie so.
    ///
    /// # Panics
    /// When the number of elements differs.
    pub fn reshape(&self, shape: &[usize]) -> Block {
        assert_eq!(shape.iter().product::<usize>(), self.len(), "reshape keeps the number of elements");
        let whole = self.contiguous();
        Block { shape: SmallVec::from_slice(shape), strides: row_major(shape), ..whole }
    }

    /// Converted as NumPy's `astype` does: floats to integers truncate (out of range: wraps or saturates as the
    /// hardware does in NumPy), complex to real drops the imaginary part, to bool is "not zero".
    pub fn cast(&self, dtype: DType) -> Result<Block> {
        if dtype == self.dtype {
            return Ok(self.clone());
        }
        crate::kernel::cast::cast(self, dtype)
    }

    /// Same dtype, shape and elements, with nan the same as nan and 0.0 not the same as -0.0.
    pub fn same(&self, other: &Block) -> bool {
        self.dtype == other.dtype
            && self.shape == other.shape
            && with_dtype!(self.dtype, T => self.view::<T>().iter().zip(other.view::<T>().iter()).all(|(a, b)| {
                match (a.value(), b.value()) {
                    (Some(a), Some(b)) => a.same(&b),
                    _ => a == b,
                }
            }))
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{:?} ", self.dtype, self.shape.as_slice())?;
        with_dtype!(self.dtype, T => write!(f, "{:?}", self.view::<T>().iter().collect::<Vec<_>>()))
    }
}
