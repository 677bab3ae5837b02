//! Steps of a program that run as one loop over the strips of a tile.

use super::Source;
use crate::kernel::order::{LANES, RUN, across};
use crate::kernel::strip::{Code, Float, MOVED, Micro, Op, Operand, STRIP_BYTES, Vectors};
use crate::kernel::tile::Kernel;
use smallvec::SmallVec;

/// Operations that run strip by strip. While a program is compiled, registers are the numbers of the steps that make the values. The operands of the code are the inputs, the results, the constants, and so many slots.
#[derive(Clone)]
pub struct Strips {
    pub vectors: Vectors,
    pub float: Float,
    /// What asks for memory comes first.
    pub code: Vec<Micro>,
    pub asks: usize,
    /// What the code calls.
    pub kernels: Vec<Kernel>,
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

    /// Whether the result is lanes of floats: these can be written past the caches, and be summed up.
    pub fn makes_floats(&self) -> bool {
        self.code.last().is_some_and(|micro| micro.op == Op::Store)
    }

    /// The code with another way to store the result, if it [makes floats](Strips::makes_floats).
    fn ending(&self, end: impl Fn(&mut Micro)) -> Vec<Micro> {
        let mut code = self.code.clone();
        code.last_mut().filter(|_| self.makes_floats()).into_iter().for_each(end);
        code
    }
}

/// Addresses that vectors can be written to past the caches.
pub const ALIGNED: usize = 64;

/// Strips with the memory that they take.
pub struct Loop<'a> {
    strips: &'a Strips,
    /// The same with the last result written past the caches, or summed up.
    streaming: Vec<Micro>,
    summing: Vec<Micro>,
    operands: Vec<Operand>,
    /// The first of them, which are moved on.
    moving: usize,
    /// Which of them are sums of lanes: aside, where the rest of a result goes.
    lanes: usize,
    /// Room for a strip of each operand but constants.
    aside: *mut u8,
}

impl<'a> Loop<'a> {
    /// `find` says where constants are, and registers.
    pub fn new(strips: &'a Strips, aside: *mut u8, find: impl Fn(Source) -> *mut u8) -> Self {
        let length = strips.vectors.strip(strips.float);
        let fixed = |at| Operand { at, step: 0 };
        let moving = |at, size| Operand { at, step: length * size };
        let mut operands: Vec<Operand> = Vec::new();
        operands.extend(strips.inputs.iter().map(|(_, size)| moving(std::ptr::null_mut(), size)));
        operands.extend(strips.results.iter().map(|(_, size)| moving(std::ptr::null_mut(), size)));
        let slot = |n: usize| aside.wrapping_add((strips.aside() - strips.slots + n) * STRIP_BYTES);
        operands.extend(strips.constants.iter().map(|source| fixed(find(*source))));
        operands.extend((0..strips.slots).map(|n| fixed(slot(n))));
        let lanes = operands.len();
        operands.push(fixed(aside.wrapping_add(strips.inputs.len() * STRIP_BYTES)));
        let moving = (strips.inputs.len() + strips.results.len()).next_multiple_of(MOVED);
        operands.resize(operands.len().max(moving), fixed(std::ptr::null_mut()));
        let streaming = strips.ending(|last| last.op = Op::Stream);
        let summing = strips.ending(|last| (last.op, last.x) = (Op::Sum, lanes as u16));
        Loop { strips, streaming, summing, operands, moving, lanes, aside }
    }

    /// Sees to where inputs and results are. Gives how much of the code to leave out at the beginning: if no input streams, none is asked for.
    fn place(
        &mut self,
        input: impl Fn(Source) -> (*const u8, bool),
        register: impl Fn(u16) -> *mut u8,
        last: *mut u8,
    ) -> usize {
        let Strips { inputs, results, asks, .. } = self.strips;
        let (ins, outs) = self.operands.split_at_mut(inputs.len());
        let mut any_streams = false;
        for (operand, (source, _)) in ins.iter_mut().zip(inputs) {
            let (at, streams) = input(*source);
            operand.at = at.cast_mut();
            any_streams |= streams;
        }
        for (operand, (to, _)) in outs.iter_mut().zip(results) {
            operand.at = register(*to);
        }
        if let Some(operand) = outs[..results.len()].last_mut() {
            operand.at = last;
        }
        if any_streams { 0 } else { *asks }
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
        let Strips { vectors, float, code, kernels, .. } = self.strips;
        let begin = self.place(input, register, into);
        let length = vectors.strip(*float);
        let streams = past_caches && into.addr().is_multiple_of(ALIGNED);
        let micros = if streams { &self.streaming } else { code };
        let code = Code { micros: &micros[begin..], kernels };
        // SAFETY: the vectors are the CPU's. Inputs and results have that many whole strips, constants and slots have one.
        unsafe { vectors.run(*float, &code, &mut self.operands, self.moving, n / length) };
        let rest = n % length;
        if rest > 0 {
            // SAFETY: the operands were moved to the elements behind the whole strips.
            unsafe { self.rest(rest) };
        }
    }

    /// Runs on a tile of so many runs, of each of which the result's sum is written to `into`, in the order that [`crate::kernel::order`] tells. The
    /// result, the only one, must be floats.
    ///
    /// # Safety
    /// As of [`Loop::run`]; `into` must have room for the sums.
    pub unsafe fn sums(&mut self, runs: usize, input: impl Fn(Source) -> (*const u8, bool), into: *mut u8) {
        let Strips { vectors, float, kernels, results, .. } = self.strips;
        assert!(results.len() == 1 && self.strips.makes_floats(), "only floats are summed up");
        let (lanes, length) = (self.operands[self.lanes].at, vectors.strip(*float));
        let begin = self.place(input, |_| lanes, lanes);
        let code = Code { micros: &self.summing[begin..], kernels };
        for run in 0..runs {
            macro_rules! sum {
                ($T:ty) => {{
                    // SAFETY: there is room for a strip aside, which is no shorter than lanes; inputs have that many whole strips, and `into` has
                    // room for the sum. A sum begins with -0, which changes nothing.
                    unsafe {
                        let lanes = lanes.cast::<[$T; LANES]>();
                        lanes.write([-0.0; LANES]);
                        vectors.run(*float, &code, &mut self.operands, self.moving, RUN / length);
                        into.cast::<$T>().add(run).write(across(lanes.read(), |a, b| a + b));
                    }
                }};
            }
            match float {
                Float::F32 => sum!(f32),
                Float::F64 => sum!(f64),
            }
        }
    }

    /// Computes what is less than a strip aside.
    ///
    /// # Safety
    /// The operands that move have so many elements.
    #[cold]
    unsafe fn rest(&mut self, rest: usize) {
        let Strips { vectors, float, code, asks, kernels, inputs, results, .. } = self.strips;
        let (length, moved) = (vectors.strip(*float), inputs.len() + results.len());
        let bytes = |operand: &Operand| rest * operand.step / length;
        let ends: SmallVec<[*mut u8; 8]> = self.operands[..moved].iter().map(|operand| operand.at).collect();
        for (i, operand) in self.operands[..moved].iter_mut().enumerate() {
            operand.at = self.aside.wrapping_add(i * STRIP_BYTES);
            if i < inputs.len() {
                // SAFETY: the input has that many elements; there is room for a strip aside.
                unsafe { std::ptr::copy_nonoverlapping(ends[i], operand.at, bytes(operand)) };
            }
        }
        let code = Code { micros: &code[*asks..], kernels };
        // SAFETY: aside is room for a strip of each operand, and that is initialised memory.
        unsafe { vectors.run(*float, &code, &mut self.operands, self.moving, 1) };
        for i in inputs.len()..moved {
            // SAFETY: as above; the result has room for these elements.
            unsafe {
                let from = self.aside.wrapping_add(i * STRIP_BYTES);
                std::ptr::copy_nonoverlapping(from, ends[i], bytes(&self.operands[i]));
            }
        }
    }
}
