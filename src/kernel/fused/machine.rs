//! Runs a program on one tile.

use super::strips::Loop;
use super::{Program, Source, Step, copy_tile};
use crate::data::{Buffer, prefetch};
use crate::kernel::order::RUN;
use crate::kernel::strip::LONGEST;
use smallvec::SmallVec;

/// Where a machine puts what it computes.
#[derive(Clone, Copy)]
pub enum Target {
    /// With itself, until the next tile.
    Own,
    Memory(*mut u8),
    /// Not itself, but the sum of each run of it, by [`crate::kernel::order`].
    Sums(*mut u8),
}

/// A program with memory for one tile of everything between its inputs and its result.
pub struct Machine<'a> {
    program: &'a Program,
    /// Registers, then constants, then inputs that are gathered, then room for strips.
    base: *mut u8,
    _memory: Buffer,
    /// Bytes a register takes.
    slot: usize,
    /// For each step that is a loop.
    loops: Vec<Option<Loop<'a>>>,
    /// The last step reads the memory that the result goes to.
    detour: bool,
    /// Tiles behind the present one are asked for while that is computed: between the steps memory would be idle.
    ahead: bool,
    /// The result is not read again soon.
    past_caches: bool,
}

impl<'a> Machine<'a> {
    /// For tiles of at most `elements`. `reused` is the input whose memory the result is written to.
    pub fn new(program: &'a Program, elements: usize, reused: Option<usize>) -> Self {
        // A strip reads a constant as long as itself.
        let elements = if program.strip_bytes() > 0 { elements.max(LONGEST) } else { elements };
        let slot = (elements * program.width).next_multiple_of(64);
        let slots = program.registers + program.constants.len() + program.inputs.len();
        let mut memory = Buffer::new(slot * slots + program.strip_bytes());
        let base = memory.bytes_mut().as_mut_ptr();
        let mut machine = Machine {
            program,
            base,
            _memory: memory,
            slot,
            loops: Vec::new(),
            detour: false,
            ahead: false,
            past_caches: false,
        };
        machine.detour = reused.is_some_and(|i| {
            let reads = |source: &Source| *source == Source::Input(i as u16);
            match program.steps.last() {
                None => true,
                Some(Step::Kernel { args, arity, .. }) => args[..usize::from(*arity)].iter().any(reads),
                // Of each strip all is read before its result is written.
                Some(Step::Strips(_)) => false,
            }
        });
        for (i, constant) in program.constants.iter().enumerate() {
            let size = constant.dtype().size();
            let to = machine.constant(i);
            // SAFETY: the slot has room for `elements` elements no wider than `width`; a constant is one element.
            unsafe {
                copy_tile(size, constant.as_byte_ptr(), [0, 0], to, [0, size as isize], 1, elements);
            }
        }
        let loops = program.steps.iter().map(|step| match step {
            Step::Kernel { .. } => None,
            Step::Strips(strips) => {
                Some(Loop::new(strips, machine.at(slots), |source| machine.find(source, &[]).cast_mut()))
            }
        });
        machine.loops = loops.collect();
        machine
    }

    /// Whether inputs come from memory.
    pub fn ahead(mut self, ahead: bool) -> Self {
        self.ahead = ahead;
        self
    }

    /// Whether the caches could not hold the result until it is read. The caller puts a fence behind the last tile.
    pub fn past_caches(mut self, past_caches: bool) -> Self {
        self.past_caches = past_caches;
        self
    }

    fn at(&self, slot: usize) -> *mut u8 {
        self.base.wrapping_add(slot * self.slot)
    }

    fn constant(&self, i: usize) -> *mut u8 {
        self.at(self.program.registers + i)
    }

    fn gathered(&self, i: usize) -> *mut u8 {
        self.at(self.program.registers + self.program.constants.len() + i)
    }

    /// Computes a tile of `rows` × `columns`, with inputs that lie at `pointers` by `steps` in bytes. Gives where the result is,
    /// packed: at the target, if that is one. `None` when a kernel refused.
    ///
    /// # Safety
    /// Pointers and steps must describe initialised, aligned elements of the program's input dtypes; the target must have room
    /// for the tile and overlap no input but the one `new` was told of. Sums are of whole runs, of programs that [can sum](Program::can_sum).
    pub unsafe fn tile(
        &mut self,
        pointers: &[*const u8],
        steps: &[[isize; 2]],
        rows: usize,
        columns: usize,
        target: Target,
    ) -> Option<*const u8> {
        let program = self.program;
        let n = rows * columns;
        let into = match target {
            Target::Memory(into) => Some(into),
            Target::Own | Target::Sums(_) => None,
        };
        let mut inputs: SmallVec<[*const u8; 8]> = SmallVec::new();
        for (i, (&pointer, &[row, column])) in pointers.iter().zip(steps).enumerate() {
            let size = program.inputs[i].size();
            let packed = [(columns * size) as isize, size as isize];
            let dense = column == packed[1] && (rows == 1 || row == packed[0]);
            inputs.push(if dense {
                pointer
            } else {
                let to = self.gathered(i);
                // SAFETY: the caller's elements; the slot has room for a tile and is nobody else's.
                unsafe { copy_tile(size, pointer, [row, column], to, packed, rows, columns) };
                to.cast_const()
            });
        }
        let last = program.steps.len().wrapping_sub(1);
        let share = n.div_ceil(program.steps.len().max(1));
        let mut result = None;
        for (i, step) in program.steps.iter().enumerate() {
            if self.ahead && matches!(step, Step::Kernel { .. }) {
                for (at, &input) in inputs.iter().enumerate().filter(|&(at, &input)| std::ptr::eq(input, pointers[at]))
                {
                    let size = program.inputs[at].size();
                    ask_for(input.wrapping_add((AHEAD * n + i * share) * size), share * size);
                }
            }
            let place = |register: u16| match into {
                Some(into) if i == last && !self.detour => into,
                _ => self.at(register.into()),
            };
            let out = match step {
                Step::Kernel { kernel, args: sources, arity, into: register } => {
                    let mut args = [std::ptr::null(); 3];
                    for (arg, source) in args.iter_mut().zip(&sources[..usize::from(*arity)]) {
                        *arg = self.find(*source, &inputs);
                    }
                    let out = place(*register);
                    // SAFETY: arguments are tiles of `n` elements of the types the step was compiled for; `out` is a register
                    // that no argument lives in, or the caller's memory, which the last step does not read (see `detour`).
                    if !unsafe { kernel.run(&args, out, n) } {
                        return None;
                    }
                    out
                }
                Step::Strips(strips) => {
                    let out = place(strips.results.last().map_or(0, |(register, _)| *register));
                    let mut code = self.loops[i].take();
                    if let Some(code) = &mut code {
                        let input = |source| {
                            let at = self.find(source, &inputs);
                            let is_there = |i: u16| std::ptr::eq(at, pointers[usize::from(i)]);
                            (at, self.ahead && matches!(source, Source::Input(i) if is_there(i)))
                        };
                        let past_caches = self.past_caches && Some(out) == into;
                        match target {
                            // SAFETY: as for kernels.
                            Target::Sums(into) if i == last => unsafe { code.sums(n / RUN, input, into) },
                            // SAFETY: as for kernels; strips may read what they write.
                            _ => unsafe { code.run(n, input, |register| self.at(register.into()), out, past_caches) },
                        }
                    }
                    self.loops[i] = code;
                    out
                }
            };
            result = Some(out.cast_const());
        }
        if let Target::Sums(into) = target {
            return Some(into);
        }
        // The result of a program without steps is an input or a constant.
        let result = match (result, program.result) {
            (Some(result), Source::Register(_)) => result,
            (_, source) => self.find(source, &inputs),
        };
        match into {
            Some(into) if !std::ptr::eq(result, into) => {
                let bytes = n * program.out.size();
                // SAFETY: both have room for the tile; without steps `into` may be the very input, hence `copy`.
                unsafe { std::ptr::copy(result, into, bytes) };
                Some(into)
            }
            _ => Some(result),
        }
    }

    fn find(&self, source: Source, inputs: &[*const u8]) -> *const u8 {
        match source {
            Source::Input(i) => inputs[usize::from(i)],
            Source::Constant(i) => self.constant(i.into()).cast_const(),
            Source::Register(i) => self.at(i.into()).cast_const(),
        }
    }
}

/// So many tiles behind the present one are asked for. What memory takes to answer is as long as the steps of a tile or two.
const AHEAD: usize = 3;

/// Asks for bytes, which need not be there at all.
#[inline]
fn ask_for(start: *const u8, bytes: usize) {
    for at in (0..bytes).step_by(64) {
        prefetch::far(start.wrapping_add(at));
    }
}
