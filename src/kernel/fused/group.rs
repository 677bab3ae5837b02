//! Steps in a row that make one loop over strips: which they are, and the code of the loop.

use super::Source;
use super::compile::{Act, Draft};
use super::strips::Strips;
use crate::data::DType;
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::strip::{Float, Micro, Op, Vectors};
use rustc_hash::FxHashMap;

/// More steps than these are several loops: their code stays in the first cache, and operands and kernels are few.
const MOST_STEPS: usize = 256;

/// How a step is done on strips.
#[derive(Clone, Copy)]
enum Way {
    Unary(Op),
    /// With the accumulator as the first argument, and as the second one.
    Binary(Op, Op),
    Where,
    /// By its kernel, a strip at a time.
    Call,
    /// From the other float type, and to it.
    FromOther,
    ToOther,
}

fn float(dtype: DType) -> Option<Float> {
    match dtype {
        DType::F32 => Some(Float::F32),
        DType::F64 => Some(Float::F64),
        _ => None,
    }
}

/// How strips of that type do what a step does, if they can.
fn way(act: Act, strip: Float) -> Option<Way> {
    let fits = |dtype| float(dtype) == Some(strip);
    Some(match act {
        Act::Unary(op, dtype) if fits(dtype) => Way::Unary(match op {
            Unary::Negative => Op::Negative,
            Unary::Absolute | Unary::Fabs => Op::Absolute,
            Unary::Sqrt => Op::Sqrt,
            Unary::Square => Op::Square,
            Unary::Reciprocal => Op::Reciprocal,
            Unary::Floor => Op::Floor,
            Unary::Ceil => Op::Ceil,
            Unary::Trunc => Op::Trunc,
            Unary::Rint => Op::Rint,
            Unary::Isnan => Op::Isnan,
            Unary::Isfinite => Op::Isfinite,
            _ if is_elementary(op) => return Some(Way::Call),
            _ => return None,
        }),
        Act::Unary(Unary::LogicalNot | Unary::Invert, DType::Bool) => Way::Unary(Op::Not),
        Act::Binary(op, dtype) if fits(dtype) => {
            let (first, second) = match op {
                Binary::Add => (Op::Add, Op::Add),
                Binary::Subtract => (Op::Subtract, Op::SubtractFrom),
                Binary::Multiply => (Op::Multiply, Op::Multiply),
                Binary::Divide => (Op::Divide, Op::DivideInto),
                Binary::Maximum => (Op::Maximum, Op::MaximumOf),
                Binary::Minimum => (Op::Minimum, Op::MinimumOf),
                Binary::Fmax => (Op::Fmax, Op::FmaxOf),
                Binary::Fmin => (Op::Fmin, Op::FminOf),
                Binary::Equal => (Op::Equal, Op::Equal),
                Binary::NotEqual => (Op::NotEqual, Op::NotEqual),
                Binary::Less => (Op::Less, Op::Greater),
                Binary::LessEqual => (Op::LessEqual, Op::GreaterEqual),
                _ => return None,
            };
            Way::Binary(first, second)
        }
        Act::Binary(op, DType::Bool) => match op {
            Binary::LogicalAnd | Binary::BitwiseAnd => Way::Binary(Op::And, Op::And),
            Binary::LogicalOr | Binary::BitwiseOr => Way::Binary(Op::Or, Op::Or),
            Binary::LogicalXor | Binary::BitwiseXor | Binary::NotEqual => Way::Binary(Op::Xor, Op::Xor),
            _ => return None,
        },
        Act::Where(dtype) if fits(dtype) => Way::Where,
        Act::Convert(from, to) if float(from).is_some() && fits(to) => Way::FromOther,
        Act::Convert(from, to) if fits(from) && float(to).is_some() => Way::ToOther,
        _ => return None,
    })
}

/// Functions that take so long that a call for each strip costs little, and less than other steps' values on their way to a kernel of a
/// whole tile and back.
fn is_elementary(op: Unary) -> bool {
    use Unary::*;
    matches!(op, Exp | Exp2 | Expm1 | Sin | Cos | Log | Log2 | Log10 | Log1p | Sinh | Cosh | Tanh | Tan | Arctan)
}

/// The floats that a step computes with, if it is one that begins a group.
fn begins(act: Act) -> Option<Float> {
    match act {
        Act::Unary(_, dtype) | Act::Binary(_, dtype) | Act::Where(dtype) | Act::Convert(_, dtype) => float(dtype),
        Act::Mixed(..) => None,
    }
}

/// The steps from `start` on that strips can do together, if there are any.
pub fn find(drafts: &[Draft], start: usize, vectors: Vectors) -> Option<(Float, usize)> {
    // A conversion can begin the loop of the type it makes, or end that of the type it takes.
    let strip = begins(drafts[start].act)?;
    let joins = |&at: &usize| {
        let draft = &drafts[at];
        match way(draft.act, strip) {
            None => false,
            // Short strips are not worth a call.
            Some(Way::Call) => vectors == Vectors::Avx512,
            // What the loop makes of the other type leaves it.
            Some(Way::FromOther) => draft.args.iter().filter_map(Source::register).all(|value| value < start),
            Some(_) => true,
        }
    };
    let most = drafts.len().min(start + MOST_STEPS);
    let end = (start..most).find(|at| !joins(at)).unwrap_or(most);
    let all_calls = |&at: &usize| matches!(way(drafts[at].act, strip), Some(Way::Call));
    let is_worth = !(start..end).all(|at| all_calls(&at));
    is_worth.then_some((strip, end))
}

/// An operand before all are numbered.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Input(usize),
    Result(usize),
    Constant(usize),
    Slot(usize),
}

/// An operation with its operands before they are numbered, as [`Micro`] has them.
#[derive(Clone, Copy)]
struct Line {
    op: Op,
    x: Option<Place>,
    y: Option<Place>,
    loads: bool,
    kernel: u8,
}

struct Coder<'a> {
    drafts: &'a [Draft],
    start: usize,
    /// The steps in the order in which they are done.
    order: &'a [usize],
    /// Of each step from `start` on: how often its value is still to be read by one of them.
    uses: Vec<usize>,
    strips: Strips,
    code: Vec<Line>,
    /// Where values are, other than in the accumulator.
    places: FxHashMap<Source, Place>,
    /// The value in the accumulator.
    held: Option<Source>,
    free: Vec<usize>,
}

/// Steps that take the processor long, whatever else it does meanwhile. Square roots of float64 by AVX-512 are multiplied, for the most part.
fn is_slow(act: Act, vectors: Vectors) -> bool {
    match act {
        Act::Unary(Unary::Sqrt, dtype) => vectors == Vectors::Avx2 || dtype != DType::F64,
        Act::Unary(Unary::Reciprocal, _) | Act::Binary(Binary::Divide, _) => true,
        _ => false,
    }
}

/// The order in which steps are done: first what is slow, and what it needs; then what does not wait for that; then the rest. So the
/// processor has something to do while it divides.
fn in_order(drafts: &[Draft], (start, end): (usize, usize), vectors: Vectors) -> Vec<usize> {
    let inner = |at: usize| drafts[at].args.iter().filter_map(Source::register).filter(move |&value| value >= start);
    let (mut first, mut waits) = (vec![false; end - start], vec![false; end - start]);
    for at in (start..end).rev() {
        if first[at - start] || is_slow(drafts[at].act, vectors) {
            first[at - start] = true;
            inner(at).for_each(|value| first[value - start] = true);
        }
    }
    for at in start..end {
        waits[at - start] = inner(at).any(|value| waits[value - start] || is_slow(drafts[value].act, vectors));
    }
    // What the whole makes comes last.
    if let Some(last) = waits.last_mut() {
        *last = true;
    }
    let mut order: Vec<usize> = (start..end).collect();
    order.sort_by_key(|&at| match (first[at - start], waits[at - start]) {
        (true, _) if at + 1 < end => 0,
        (_, false) => 1,
        _ => 2,
    });
    order
}

/// The loop of the steps from `start` to `end`, which [`find`] found. Registers in it are the numbers of the steps that make the values.
/// `last_uses` tells of each step which one reads its value last.
pub fn code(
    drafts: &[Draft],
    (start, end): (usize, usize),
    vectors: Vectors,
    float: Float,
    last_uses: &[usize],
) -> Strips {
    let order = &in_order(drafts, (start, end), vectors);
    let strips = Strips {
        vectors,
        float,
        code: Vec::new(),
        asks: 0,
        kernels: Vec::new(),
        inputs: Vec::new(),
        results: Vec::new(),
        constants: Vec::new(),
        slots: 0,
    };
    let places = FxHashMap::default();
    let mut uses = vec![0; end - start];
    for value in drafts[start..end].iter().flat_map(|draft| &draft.args).filter_map(Source::register) {
        if value >= start {
            uses[value - start] += 1;
        }
    }
    let mut coder =
        Coder { drafts, start, order, uses, strips, code: Vec::new(), places, held: None, free: Vec::new() };
    for at in start..end {
        coder.masks(at);
    }
    for n in 0..order.len() {
        coder.step(n, last_uses[order[n]] >= end);
    }
    let Coder { mut strips, code, .. } = coder;
    let results = strips.inputs.len();
    let constants = results + strips.results.len();
    let slots = constants + strips.constants.len();
    let number = |place: Option<Place>| match place {
        None => 0,
        Some(Place::Input(i)) => i as u16,
        Some(Place::Result(i)) => (results + i) as u16,
        Some(Place::Constant(i)) => (constants + i) as u16,
        Some(Place::Slot(i)) => (slots + i) as u16,
    };
    let micro = |Line { op, x, y, loads, kernel }: Line| Micro {
        op,
        x: number(x),
        y: number(y),
        uniform: matches!(x, Some(Place::Constant(_))),
        loads,
        kernel,
    };
    // What a step before left is in the caches.
    let comes = |source: &Source| matches!(source, Source::Input(_));
    let ask = |i| Micro { op: Op::Ask, x: i as u16, y: 0, uniform: false, loads: false, kernel: 0 };
    strips.code = (0..strips.inputs.len()).filter(|&i| comes(&strips.inputs[i].0)).map(ask).collect();
    strips.asks = strips.code.len();
    strips.code.extend(tightened(&code).into_iter().map(micro));
    strips
}

/// The same in fewer operations, since each takes some time to be chosen: what computes can load what it begins with, and third powers,
/// which are made as products, are one operation.
fn tightened(code: &[Line]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(code.len());
    for (i, &line) in code.iter().enumerate() {
        match lines[..] {
            // x · x² of what is held, which was put aside for nothing else.
            [.., Line { op: Op::Store, x: Some(aside), .. }, Line { op: Op::Square, loads: false, .. }]
                if line.op == Op::Multiply && line.x == Some(aside) && !is_read(&code[i + 1..], aside) =>
            {
                lines.truncate(lines.len() - 2);
                lines.push(Line { op: Op::Cube, x: None, y: None, loads: false, kernel: 0 });
            }
            [.., Line { op: Op::Load, x: from, .. }] if line.op.can_load() => {
                lines.pop();
                lines.push(Line { y: from, loads: true, ..line });
            }
            _ => lines.push(line),
        }
    }
    lines
}

/// Whether code reads a place before it writes it.
fn is_read(code: &[Line], place: Place) -> bool {
    let place = Some(place);
    let touches = code.iter().find(|line| line.x == place || line.y == place);
    touches.is_some_and(|line| line.op != Op::Store || line.y == place)
}

impl Coder<'_> {
    fn emit(&mut self, op: Op, x: Option<Place>, y: Option<Place>) {
        self.code.push(Line { op, x, y, loads: false, kernel: 0 });
    }

    fn is_inner(&self, source: Source) -> bool {
        source.register().is_some_and(|value| value >= self.start)
    }

    fn slot(&mut self) -> Place {
        Place::Slot(self.free.pop().unwrap_or_else(|| {
            self.strips.slots += 1;
            self.strips.slots - 1
        }))
    }

    fn input(&mut self, source: Source, size: usize) -> Place {
        if matches!(source, Source::Constant(_)) {
            self.strips.constants.push(source);
            return Place::Constant(self.strips.constants.len() - 1);
        }
        self.strips.inputs.push((source, size));
        Place::Input(self.strips.inputs.len() - 1)
    }

    /// Bools that a step takes from outside are made masks at the beginning.
    fn masks(&mut self, at: usize) {
        let draft = &self.drafts[at];
        let bools: &[Source] = match draft.act {
            Act::Unary(_, DType::Bool) | Act::Binary(_, DType::Bool) => &draft.args,
            Act::Where(_) => &draft.args[..1],
            _ => return,
        };
        for &source in bools {
            if !self.is_inner(source) && !self.places.contains_key(&source) {
                let from = self.input(source, 1);
                let slot = self.slot();
                self.emit(Op::LoadBools, Some(from), None);
                self.emit(Op::Store, Some(slot), None);
                self.places.insert(source, slot);
            }
        }
    }

    /// Where a value is in memory, as lanes.
    fn place(&mut self, source: Source) -> Place {
        if let Some(place) = self.places.get(&source) {
            return *place;
        }
        debug_assert!(!self.is_inner(source), "what is read later was put aside");
        let place = self.input(source, self.strips.float.size());
        self.places.insert(source, place);
        place
    }

    fn load(&mut self, source: Source) {
        if self.held != Some(source) {
            let from = self.place(source);
            self.emit(Op::Load, Some(from), None);
            self.held = Some(source);
        }
    }

    /// The n-th step. `wanted` says whether its value is wanted outside.
    fn step(&mut self, n: usize, wanted: bool) {
        let at = self.order[n];
        let draft = &self.drafts[at];
        let Some(way) = way(draft.act, self.strips.float) else { return };
        let args = &draft.args;
        let is_constant = |source: Source| matches!(source, Source::Constant(_));
        match way {
            Way::Unary(op) => {
                self.load(args[0]);
                self.emit(op, None, None);
            }
            // The second argument is there already, or the first one is a number, which need not be loaded as a whole.
            Way::Binary(first, second) => {
                let turned = args[0] != args[1]
                    && self.held != Some(args[0])
                    && (self.held == Some(args[1]) || is_constant(args[0]));
                let (op, held, other) = if turned { (second, args[1], args[0]) } else { (first, args[0], args[1]) };
                self.load(held);
                let x = self.place(other);
                self.emit(op, Some(x), None);
            }
            Way::Where => {
                let [mask, yes, no] = [args[0], args[1], args[2]];
                match self.held {
                    Some(held) if held == mask => {
                        let (x, y) = (self.place(yes), self.place(no));
                        self.emit(Op::Select, Some(x), Some(y));
                    }
                    Some(held) if held == no && no != yes => {
                        let (x, y) = (self.place(mask), self.place(yes));
                        self.emit(Op::SelectElse, Some(x), Some(y));
                    }
                    _ => {
                        self.load(yes);
                        let (x, y) = (self.place(mask), self.place(no));
                        self.emit(Op::SelectThen, Some(x), Some(y));
                    }
                }
            }
            Way::Call => {
                let from = match self.places.get(&args[0]) {
                    Some(place) => *place,
                    // It is held, and nobody else wants it.
                    None if self.is_inner(args[0]) => {
                        let slot = self.slot();
                        self.emit(Op::Store, Some(slot), None);
                        self.places.insert(args[0], slot);
                        slot
                    }
                    None => self.place(args[0]),
                };
                let to = self.slot();
                let kernel = self.strips.kernels.len() as u8;
                self.strips.kernels.push(draft.kernel);
                self.code.push(Line { op: Op::Call, x: Some(to), y: Some(from), loads: false, kernel });
                self.places.insert(Source::Register(at as u16), to);
            }
            Way::FromOther => {
                let from = self.input(args[0], self.strips.float.other().size());
                self.emit(Op::LoadOther, Some(from), None);
            }
            Way::ToOther => self.load(args[0]),
        }
        // What a conversion to the other type made is in memory only.
        let other = matches!(way, Way::ToOther);
        self.held = if other { self.held } else { Some(Source::Register(at as u16)) };
        for &arg in &self.drafts[at].args {
            if let Some(made) = arg.register().filter(|&value| value >= self.start) {
                self.uses[made - self.start] -= 1;
                if self.uses[made - self.start] == 0
                    && let Some(Place::Slot(slot)) = self.places.remove(&arg)
                {
                    self.free.push(slot);
                }
            }
        }
        self.keep(n, wanted, other);
    }

    /// Puts the value of a step, which is in the accumulator, where it is wanted later.
    fn keep(&mut self, n: usize, wanted: bool, other: bool) {
        let at = self.order[n];
        let (draft, value) = (&self.drafts[at], Source::Register(at as u16));
        if wanted {
            let result = Place::Result(self.strips.results.len());
            self.strips.results.push((at as u16, draft.out.size()));
            let op = match (other, draft.out) {
                (true, _) => Op::StoreOther,
                (false, DType::Bool) => Op::StoreBools,
                (false, _) => Op::Store,
            };
            self.emit(op, Some(result), None);
        }
        // The next step finds it in the accumulator; for all others, and where it is wanted there twice, it is put aside.
        let reads = |&at: &usize| self.drafts[at].args.iter().filter(|&&arg| arg == value).count();
        let (next, later) = (self.order.get(n + 1).map_or(0, reads), self.uses[at - self.start]);
        match self.places.get(&value) {
            // A kernel has put it there.
            Some(&Place::Slot(slot)) if later == 0 => {
                self.places.remove(&value);
                self.free.push(slot);
            }
            Some(_) => return,
            None => {}
        }
        if !other && (later > next || next > 1) {
            let slot = self.slot();
            self.emit(Op::Store, Some(slot), None);
            self.places.insert(value, slot);
        }
    }
}
