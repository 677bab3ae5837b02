//! The elementwise operations: one list that names them, says which dtypes they take and give (NumPy 2's rules), and
//! that inference, the op tables and the kernels read.

use super::create;
use super::fused::{Expr, Program};
use crate::data::{Block, DType, Kind, Value};
use crate::err;
use crate::text::Result;

/// What an operation does with the dtypes it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// Every dtype, as it is.
    Any,
    /// Numbers; bool is refused.
    Numbers,
    /// Numbers; bool counts as int8.
    NumbersOfBool,
    /// Everything but complex, as it is.
    Real,
    /// Real numbers; bool counts as int8.
    RealOfBool,
    /// Bool and integers.
    Bits,
    /// Integers; bool is refused.
    Integers,
    /// Integers; bool counts as int8.
    IntegersOfBool,
    /// Floats and complex; integers count as the smallest float that NumPy has a loop for.
    Inexact,
    /// Floats; integers as in `Inexact`.
    InexactReal,
    /// Floats and complex; every integer counts as float64.
    Quotient,
    /// Floats; every integer counts as float64.
    QuotientReal,
    /// Everything counts as float64 or complex128.
    Double,
}

/// The dtype of the result, from the dtype computed in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    Same,
    Bool,
    /// The dtype of the real part.
    Real,
}

/// The dtypes of one operation: its arguments are cast to `compute`, its result has `out`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    pub compute: DType,
    pub out: DType,
}

/// NumPy computes functions of small integers in float16, which dsk does not have: float32 takes its place.
fn inexact(dtype: DType) -> DType {
    match dtype.kind() {
        Kind::Float | Kind::Complex => dtype,
        _ if dtype.size() <= 2 => DType::F32,
        _ => DType::F64,
    }
}

impl Domain {
    fn compute(self, dtype: DType) -> Option<DType> {
        use Domain::*;
        let of_bool = if dtype == DType::Bool { DType::I8 } else { dtype };
        let (bool, integer, complex) = (dtype == DType::Bool, dtype.is_integer(), dtype.is_complex());
        match self {
            Any => Some(dtype),
            Numbers => (!bool).then_some(dtype),
            NumbersOfBool => Some(of_bool),
            Real => (!complex).then_some(dtype),
            RealOfBool => (!complex).then_some(of_bool),
            Bits => (bool || integer).then_some(dtype),
            Integers => integer.then_some(dtype),
            IntegersOfBool => (bool || integer).then_some(of_bool),
            Inexact => Some(inexact(dtype)),
            InexactReal => (!complex).then(|| inexact(dtype)),
            Quotient => Some(dtype.to_inexact()),
            QuotientReal => (!complex).then(|| dtype.to_inexact()),
            Double => Some(if complex { DType::C128 } else { DType::F64 }),
        }
    }
}

impl Gives {
    fn out(self, compute: DType) -> DType {
        match self {
            Gives::Same => compute,
            Gives::Bool => DType::Bool,
            Gives::Real => compute.real(),
        }
    }
}

macro_rules! operations {
    ($(#[$meta:meta])* $type:ident: $($variant:ident $name:literal $domain:ident $gives:ident,)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum $type { $($variant,)* }

        impl $type {
            pub const ALL: &'static [$type] = &[$($type::$variant,)*];

            /// NumPy's name, as dsk writes it: `floor-divide`.
            pub fn name(self) -> &'static str { match self { $($type::$variant => $name,)* } }

            pub fn parse(name: &str) -> Option<Self> { match name { $($name => Some($type::$variant),)* _ => None } }

            fn row(self) -> (Domain, Gives) { match self { $($type::$variant => (Domain::$domain, Gives::$gives),)* } }
        }
    };
}

operations! {
    /// Operations of one array.
    Unary:
    Negative "negative" Numbers Same,
    Positive "positive" Numbers Same,
    Absolute "absolute" Any Real,
    Fabs "fabs" InexactReal Same,
    Sign "sign" Numbers Same,
    Sqrt "sqrt" Inexact Same,
    Cbrt "cbrt" InexactReal Same,
    Square "square" NumbersOfBool Same,
    Reciprocal "reciprocal" NumbersOfBool Same,
    Exp "exp" Inexact Same,
    Exp2 "exp2" Inexact Same,
    Expm1 "expm1" Inexact Same,
    Log "log" Inexact Same,
    Log2 "log2" Inexact Same,
    Log10 "log10" Inexact Same,
    Log1p "log1p" Inexact Same,
    Sin "sin" Inexact Same,
    Cos "cos" Inexact Same,
    Tan "tan" Inexact Same,
    Arcsin "arcsin" Inexact Same,
    Arccos "arccos" Inexact Same,
    Arctan "arctan" Inexact Same,
    Sinh "sinh" Inexact Same,
    Cosh "cosh" Inexact Same,
    Tanh "tanh" Inexact Same,
    Arcsinh "arcsinh" Inexact Same,
    Arccosh "arccosh" Inexact Same,
    Arctanh "arctanh" Inexact Same,
    Deg2rad "deg2rad" InexactReal Same,
    Rad2deg "rad2deg" InexactReal Same,
    Floor "floor" Real Same,
    Ceil "ceil" Real Same,
    Trunc "trunc" Real Same,
    Rint "rint" Inexact Same,
    Spacing "spacing" InexactReal Same,
    I0 "i0" QuotientReal Same,
    Isnan "isnan" Any Bool,
    Isinf "isinf" Any Bool,
    Isfinite "isfinite" Any Bool,
    Isneginf "isneginf" Real Bool,
    Isposinf "isposinf" Real Bool,
    Isreal "isreal" Any Bool,
    Iscomplex "iscomplex" Any Bool,
    Signbit "signbit" InexactReal Bool,
    LogicalNot "logical-not" Any Bool,
    Invert "invert" Bits Same,
    Real "real" Any Real,
    Imag "imag" Any Real,
    Conjugate "conjugate" NumbersOfBool Same,
    Angle "angle" Inexact Real,
    NanToNum "nan-to-num" Any Same,
}

operations! {
    /// Operations of two arrays that broadcast.
    Binary:
    Add "add" Any Same,
    Subtract "subtract" Numbers Same,
    Multiply "multiply" Any Same,
    Divide "divide" Quotient Same,
    FloorDivide "floor-divide" RealOfBool Same,
    Mod "mod" RealOfBool Same,
    Fmod "fmod" RealOfBool Same,
    Power "power" NumbersOfBool Same,
    FloatPower "float-power" Double Same,
    Maximum "maximum" Any Same,
    Minimum "minimum" Any Same,
    Fmax "fmax" Any Same,
    Fmin "fmin" Any Same,
    Hypot "hypot" InexactReal Same,
    Arctan2 "arctan2" InexactReal Same,
    Copysign "copysign" InexactReal Same,
    Nextafter "nextafter" InexactReal Same,
    Logaddexp "logaddexp" InexactReal Same,
    Logaddexp2 "logaddexp2" InexactReal Same,
    Heaviside "heaviside" InexactReal Same,
    Gcd "gcd" Integers Same,
    Lcm "lcm" Integers Same,
    Equal "equal" Any Bool,
    NotEqual "not-equal" Any Bool,
    Less "less" Any Bool,
    LessEqual "less-equal" Any Bool,
    Greater "greater" Any Bool,
    GreaterEqual "greater-equal" Any Bool,
    LogicalAnd "logical-and" Any Bool,
    LogicalOr "logical-or" Any Bool,
    LogicalXor "logical-xor" Any Bool,
    BitwiseAnd "bitwise-and" Bits Same,
    BitwiseOr "bitwise-or" Bits Same,
    BitwiseXor "bitwise-xor" Bits Same,
    LeftShift "left-shift" IntegersOfBool Same,
    RightShift "right-shift" IntegersOfBool Same,
}

impl Unary {
    /// The dtypes for an argument of that dtype; `dsk::type` where NumPy has no loop.
    pub fn rule(self, dtype: DType) -> Result<Rule> {
        let (domain, gives) = self.row();
        // NumPy makes the missing imaginary part of a bool array in float64.
        let dtype = if (self, dtype) == (Unary::Angle, DType::Bool) { DType::F64 } else { dtype };
        let compute = domain.compute(dtype).ok_or_else(|| {
            let error = err!(Type, "`{}` does not take {dtype}", self.name());
            match self {
                Unary::Negative if dtype == DType::Bool => error.help("`logical-not` turns true into false"),
                _ => error,
            }
        })?;
        Ok(Rule { compute, out: gives.out(compute) })
    }
}

impl Binary {
    /// The dtypes for arguments of those dtypes; `dsk::type` where NumPy has no loop.
    ///
    /// int64 and uint64 compare exactly, although they promote to float64.
    pub fn rule(self, a: DType, b: DType) -> Result<Rule> {
        let (domain, gives) = self.row();
        let refuse = || {
            let error = if a == b {
                err!(Type, "`{}` does not take {a}", self.name())
            } else {
                err!(Type, "`{}` does not take {a} and {b}", self.name())
            };
            match self {
                Binary::Subtract if a == DType::Bool => error.help("`logical-xor` tells where two masks differ"),
                _ => error,
            }
        };
        let compute = match domain {
            Domain::InexactReal => {
                let (x, y) = (domain.compute(a).ok_or_else(refuse)?, domain.compute(b).ok_or_else(refuse)?);
                x.promote(y)
            }
            _ => domain.compute(a.promote(b)).ok_or_else(refuse)?,
        };
        Ok(Rule { compute, out: gives.out(compute) })
    }

    pub fn is_comparison(self) -> bool {
        use Binary::*;
        matches!(self, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
    }
}

/// What an elementwise operation is applied to: an array, or a plain number, which is weak in promotion (NEP 50).
#[derive(Clone, Debug)]
pub enum Operand {
    Block(Block),
    Number(Value),
}

impl From<Block> for Operand {
    fn from(block: Block) -> Self {
        Operand::Block(block)
    }
}

impl From<&Block> for Operand {
    fn from(block: &Block) -> Self {
        Operand::Block(block.clone())
    }
}

impl Operand {
    /// A block or a plain number; `None` for any other value.
    pub fn from_value(value: &Value) -> Option<Operand> {
        match value {
            Value::Block(b) => Some(Operand::Block((**b).clone())),
            number if number.number_kind().is_some() => Some(Operand::Number(number.clone())),
            _ => None,
        }
    }

    /// The dtype, or the kind of a plain number.
    pub fn typed(&self) -> Typed {
        match self {
            Operand::Block(b) => Typed::Strong(b.dtype()),
            Operand::Number(v) => Typed::Weak(v.number_kind().unwrap_or(Kind::Float)),
        }
    }
}

/// The dtype of an operand as promotion sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Typed {
    Strong(DType),
    /// A plain number of that kind.
    Weak(Kind),
}

impl Typed {
    /// The dtype an array made of it alone has.
    pub fn dtype(self) -> DType {
        match self {
            Typed::Strong(dtype) => dtype,
            Typed::Weak(Kind::Bool) => DType::Bool,
            Typed::Weak(Kind::Int | Kind::UInt) => DType::I64,
            Typed::Weak(Kind::Float) => DType::F64,
            Typed::Weak(Kind::Complex) => DType::C128,
        }
    }

    /// Both dtypes once plain numbers have taken theirs from the other side: not promoted to each other yet.
    pub fn resolve(a: Typed, b: Typed) -> (DType, DType) {
        match (a, b) {
            (Typed::Strong(a), Typed::Weak(k)) => (a, a.promote_weak(k)),
            (Typed::Weak(k), Typed::Strong(b)) => (b.promote_weak(k), b),
            _ => (a.dtype(), b.dtype()),
        }
    }
}

/// The dtypes of `op` between operands some of which may be plain numbers.
pub fn binary_rule(op: Binary, a: Typed, b: Typed) -> Result<Rule> {
    let (a, b) = Typed::resolve(a, b);
    op.rule(a, b)
}

/// A plain number as a 0-d block of that dtype. An integer that the dtype cannot hold is `dsk::overflow`, as NumPy 2's
/// OverflowError.
pub fn weak(dtype: DType, number: &Value) -> Result<Block> {
    create::scalar(dtype, number)
}

/// Applies `op` to every element. The memory of `block` is used for the result where nobody else holds it.
pub fn unary(op: Unary, block: Block) -> Result<Block> {
    let program = Program::new(&[block.dtype()], &Expr::unary(op, Expr::Input(0)))?;
    program.run(vec![block])
}

/// Applies `op` to every pair of elements, broadcasting as NumPy does. The memory of an operand is used for the result
/// where nobody else holds it and it fits.
pub fn binary(op: Binary, a: impl Into<Operand>, b: impl Into<Operand>) -> Result<Block> {
    apply(|args| Expr::binary(op, args[0].clone(), args[1].clone()), vec![a.into(), b.into()])
}

/// `a` where `condition` holds (is not zero), `b` elsewhere; all three broadcast.
pub fn where_(condition: impl Into<Operand>, a: impl Into<Operand>, b: impl Into<Operand>) -> Result<Block> {
    let args = vec![condition.into(), a.into(), b.into()];
    apply(|args| Expr::where_(args[0].clone(), args[1].clone(), args[2].clone()), args)
}

/// Every element kept between `low` and `high`; a missing bound does not bound. `nan` anywhere stays `nan`.
pub fn clip(block: Block, low: Option<Operand>, high: Option<Operand>) -> Result<Block> {
    let mut args = vec![Operand::Block(block)];
    let has_low = low.is_some();
    args.extend(low);
    let has_high = high.is_some();
    args.extend(high);
    apply(
        |args| {
            let low = has_low.then(|| args[1].clone());
            let high = if has_high { args.last().cloned() } else { None };
            Expr::clip(args[0].clone(), low, high)
        },
        args,
    )
}

/// Rounded to `decimals` places, halves to even; negative places round before the point. NumPy's `round`.
pub fn round(block: Block, decimals: i32) -> Result<Block> {
    let dtype = block.dtype();
    Program::new(&[dtype], &Expr::round(Expr::Input(0), dtype, decimals))?.run(vec![block])
}

/// Runs an expression of operands at once.
fn apply(expr: impl FnOnce(&[Expr]) -> Expr, operands: Vec<Operand>) -> Result<Block> {
    let (mut blocks, mut dtypes, mut args) = (Vec::new(), Vec::new(), Vec::new());
    for operand in operands {
        args.push(match operand {
            Operand::Block(block) => {
                dtypes.push(block.dtype());
                blocks.push(block);
                Expr::Input(blocks.len() - 1)
            }
            Operand::Number(value) => Expr::Number(value),
        });
    }
    Program::new(&dtypes, &expr(&args))?.run(blocks)
}
