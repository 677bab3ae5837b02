//! Steps of a program that run as one loop over the strips of a tile.

use super::Source;
use crate::kernel::strip::{Float, Micro, Op, Operand, STRIP_BYTES, Vectors};
use smallvec::SmallVec;

/// Operations that run strip by strip. While a program is compiled, registers are the numbers of the steps that make the values. The operands of the code are the inputs, the results, the constants, and so many slots.
#[derive(Clone)]
pub struct Strips {
    pub vectors: Vectors,
    pub float: Float,
    pub code: Vec<Micro>,
    /// With the size of their elements.
    pub inputs: Vec<(Source, usize)>,
    /// Registers, with the size of their elements.
    pub results: Vec<(u16, usize)>,
    pub constants: Vec<Source>,
    pub slots: usize,
}

impl Strips {
    /// Operands that take room aside: constants do not.
    pub fn aside(&self) -> usize {
        self.inputs.len() + self.results.len() + self.slots
    }

    /// Whether the last result can be written past the caches.
    pub fn can_stream(&self) -> bool {
        self.code.last().is_some_and(|micro| micro.op == Op::Store)
    }
}

/// Addresses that vectors can be written to past the caches.
pub const ALIGNED: usize = 64;

/// Strips with the memory that they take.
pub struct Loop<'a> {
    strips: &'a Strips,
    /// The same with the last result written past the caches.
    streaming: Vec<Micro>,
    operands: Vec<Operand>,
    /// Room for a strip of each operand but constants.
    aside: *mut u8,
}

impl<'a> Loop<'a> {
    /// `find` says where constants are, and registers.
    pub fn new(strips: &'a Strips, aside: *mut u8, find: impl Fn(Source) -> *mut u8) -> Self {
        let length = strips.vectors.strip(strips.float);
        let fixed = |at| Operand { at, step: 0, streams: false };
        let moving = |at, size| Operand { at, step: length * size, streams: false };
        let mut operands: Vec<Operand> = Vec::new();
        operands.extend(strips.inputs.iter().map(|(_, size)| moving(std::ptr::null_mut(), size)));
        operands.extend(strips.results.iter().map(|(_, size)| moving(std::ptr::null_mut(), size)));
        let slot = |n: usize| aside.wrapping_add((strips.aside() - strips.slots + n) * STRIP_BYTES);
        operands.extend(strips.constants.iter().map(|source| fixed(find(*source))));
        operands.extend((0..strips.slots).map(|n| fixed(slot(n))));
        let mut streaming = strips.code.clone();
        if let Some(last) = streaming.last_mut().filter(|_| strips.can_stream()) {
            last.op = Op::Stream;
        }
        Loop { strips, streaming, operands, aside }
    }

    /// Runs on a tile of `n` elements. `input` says where an input is, and whether what lies behind it is read soon; the last result goes to `into`,
    /// all others to where `register` says. With `past_caches` it goes there without staying in them, if it can.
    ///
    /// # Safety
    /// Inputs and `into` must be tiles of `n` elements of the types that the code was made for. `into` may be an input.
    pub unsafe fn run(
        &mut self,
        n: usize,
        input: impl Fn(Source) -> (*const u8, bool),
        register: impl Fn(u16) -> *mut u8,
        into: *mut u8,
        past_caches: bool,
    ) {
        let Strips { vectors, float, code, inputs, results, .. } = self.strips;
        let moving = inputs.len() + results.len();
        let (ins, outs) = self.operands[..moving].split_at_mut(inputs.len());
        for (operand, (source, _)) in ins.iter_mut().zip(inputs) {
            let (at, streams) = input(*source);
            (operand.at, operand.streams) = (at.cast_mut(), streams);
        }
        for (operand, (to, _)) in outs.iter_mut().zip(results) {
            operand.at = register(*to);
        }
        if let Some(last) = outs.last_mut() {
            last.at = into;
        }
        let length = vectors.strip(*float);
        let streams = past_caches && into.addr().is_multiple_of(ALIGNED);
        let code = if streams { &self.streaming } else { code };
        // SAFETY: the vectors are the CPU's. Inputs and results have that many whole strips, constants and slots have one.
        unsafe { vectors.run(*float, code, &mut self.operands, moving, n / length) };
        let rest = n % length;
        if rest > 0 {
            // SAFETY: the operands were moved to the elements behind the whole strips.
            unsafe { self.rest(rest) };
        }
    }

    /// Computes what is less than a strip aside.
    ///
    /// # Safety
    /// The operands that move have so many elements.
    #[cold]
    unsafe fn rest(&mut self, rest: usize) {
        let Strips { vectors, float, code, inputs, results, .. } = self.strips;
        let (length, moving) = (vectors.strip(*float), inputs.len() + results.len());
        let bytes = |operand: &Operand| rest * operand.step / length;
        let ends: SmallVec<[*mut u8; 8]> = self.operands[..moving].iter().map(|operand| operand.at).collect();
        for (i, operand) in self.operands[..moving].iter_mut().enumerate() {
            operand.at = self.aside.wrapping_add(i * STRIP_BYTES);
            operand.streams = false;
            if i < inputs.len() {
                // SAFETY: the input has that many elements; there is room for a strip aside.
                unsafe { std::ptr::copy_nonoverlapping(ends[i], operand.at, bytes(operand)) };
            }
        }
        // SAFETY: aside is room for a strip of each operand, and that is initialised memory.
        unsafe { vectors.run(*float, code, &mut self.operands, moving, 1) };
        for i in inputs.len()..moving {
            // SAFETY: as above; the result has room for these elements.
            unsafe {
                let from = self.aside.wrapping_add(i * STRIP_BYTES);
                std::ptr::copy_nonoverlapping(from, ends[i], bytes(&self.operands[i]));
            }
        }
    }
}
