//! Elementwise ops, a row each: the name ties it to `kernel::elementwise`'s list, which knows dtypes and kernels.

use crate::data::{Args, Block, Cost, DType, Memory, Task, Value};
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::{Expr, Program};
use crate::op::layers::{self, call};
use crate::op::{Kind, Op, Operand, Token, number};
use crate::text::{Result, Span};
use smallvec::SmallVec;

macro_rules! rows {
    ($($run:ident $variant:ident $usage:literal $doc:literal $example:literal => $result:literal,)*) => {
        /// All of them, in documentation order.
        pub static OPS: &[Op] = &[$(Op {
            usage: $usage,
            doc: $doc,
            examples: &[($example, $result)],
            see: &[],
            cost: Cost::Cheap,
            kind: Kind::Array(Memory::Elementwise, |args| rows!(@ $run $variant, args)),
        },)*];
    };
    (@ unary $variant:ident, $args:expr) => { unary(Unary::$variant, $args) };
    (@ binary $variant:ident, $args:expr) => { binary(Binary::$variant, $args) };
    (@ fold $variant:ident, $args:expr) => { fold(Binary::$variant, $args) };
    (@ angle $variant:ident, $args:expr) => { angle(Unary::$variant, $args) };
    (@ finite $variant:ident, $args:expr) => { finite(Unary::$variant, $args) };
    (@ chain $variant:ident, $args:expr) => { chain(Binary::$variant, $args) };
}

rows! {
    fold Add "(add & xs)" "Adds; joins strings." "(add 1 2 3)" => "6",
    fold Subtract "(subtract x & more)" "Subtracts the others from the first; of one argument, its negative." "(subtract 5 2 1)" => "2",
    fold Multiply "(multiply & xs)" "Multiplies." "(multiply 2 3 4)" => "24",
    fold Divide "(divide x & more)" "Divides the first by the others, exactly; of one argument, its reciprocal." "(divide 7 2)" => "3.5",
    binary FloorDivide "(floor-divide x y)" "The quotient rounded down." "(floor-divide -7 2)" => "-4",
    binary Mod "(mod x y)" "The remainder of `floor-divide`, which has the sign of the divisor." "(mod -7 3)" => "2",
    binary Fmod "(fmod x y)" "The remainder that has the sign of the dividend, as C's." "(fmod -7 3)" => "-1",
    binary Power "(power x y)" "x to the power y." "(power 2 10)" => "1024",
    binary FloatPower "(float-power x y)" "x to the power y, in floats." "(float-power 2 3)" => "8.0",
    unary Negative "(negative x)" "-x." "(negative 3)" => "-3",
    unary Positive "(positive x)" "x itself, which must be a number." "(positive 3)" => "3",
    unary Absolute "(absolute x)" "Distance from zero; of complex numbers, the modulus." "(absolute -3)" => "3",
    unary Fabs "(fabs x)" "Distance from zero, as a float." "(fabs -3)" => "3.0",
    unary Sign "(sign x)" "-1, 0 or 1; of a complex number, that number over its modulus." "(sign -2.5)" => "-1.0",
    unary Square "(square x)" "x times x." "(square 3)" => "9",
    unary Reciprocal "(reciprocal x)" "1 over x; of integer arrays, in integers." "(reciprocal 4.0)" => "0.25",
    unary Sqrt "(sqrt x)" "Square root; `nan` of negative reals." "(sqrt 9)" => "3.0",
    unary Cbrt "(cbrt x)" "Cube root." "(cbrt 8)" => "2.0",
    unary Exp "(exp x)" "e to the power x." "(exp 0)" => "1.0",
    unary Exp2 "(exp2 x)" "2 to the power x." "(exp2 3)" => "8.0",
    unary Expm1 "(expm1 x)" "(- (exp x) 1), exact near zero." "(expm1 0)" => "0.0",
    unary Log "(log x)" "Natural logarithm." "(log 1)" => "0.0",
    unary Log2 "(log2 x)" "Logarithm to base 2." "(log2 8)" => "3.0",
    unary Log10 "(log10 x)" "Logarithm to base 10." "(log10 1000)" => "3.0",
    unary Log1p "(log1p x)" "(log (+ 1 x)), exact near zero." "(log1p 0)" => "0.0",
    binary Logaddexp "(logaddexp x y)" "(log (+ (exp x) (exp y))), without overflow." "(logaddexp 0.0 -inf)" => "0.0",
    binary Logaddexp2 "(logaddexp2 x y)" "(log2 (+ (exp2 x) (exp2 y))), without overflow." "(logaddexp2 1 1)" => "2.0",
    unary Sin "(sin x)" "Sine, of radians." "(sin 0)" => "0.0",
    unary Cos "(cos x)" "Cosine, of radians." "(cos 0)" => "1.0",
    unary Tan "(tan x)" "Tangent, of radians." "(tan 0)" => "0.0",
    unary Arcsin "(arcsin x)" "Inverse sine, in radians." "(arcsin 0)" => "0.0",
    unary Arccos "(arccos x)" "Inverse cosine, in radians." "(arccos 1)" => "0.0",
    unary Arctan "(arctan x)" "Inverse tangent, in radians." "(arctan 0)" => "0.0",
    binary Arctan2 "(arctan2 y x)" "The angle of the point (x, y), in radians." "(arctan2 0.0 1.0)" => "0.0",
    binary Hypot "(hypot x y)" "The hypotenuse, without overflow." "(hypot 3 4)" => "5.0",
    unary Sinh "(sinh x)" "Hyperbolic sine." "(sinh 0)" => "0.0",
    unary Cosh "(cosh x)" "Hyperbolic cosine." "(cosh 0)" => "1.0",
    unary Tanh "(tanh x)" "Hyperbolic tangent." "(tanh 0)" => "0.0",
    unary Arcsinh "(arcsinh x)" "Inverse hyperbolic sine." "(arcsinh 0)" => "0.0",
    unary Arccosh "(arccosh x)" "Inverse hyperbolic cosine." "(arccosh 1)" => "0.0",
    unary Arctanh "(arctanh x)" "Inverse hyperbolic tangent." "(arctanh 0)" => "0.0",
    unary Deg2rad "(deg2rad x)" "Degrees to radians." "(deg2rad 0)" => "0.0",
    unary Rad2deg "(rad2deg x)" "Radians to degrees." "(rad2deg 0)" => "0.0",
    unary Floor "(floor x)" "Rounded down." "(floor 2.7)" => "2.0",
    unary Ceil "(ceil x)" "Rounded up." "(ceil 2.1)" => "3.0",
    unary Trunc "(trunc x)" "Rounded towards zero." "(trunc -2.7)" => "-2.0",
    unary Rint "(rint x)" "Rounded to the nearest whole number, halves to even." "(rint 2.5)" => "2.0",
    fold Maximum "(maximum x & more)" "The largest; `nan` where any is." "(maximum 2 5)" => "5",
    fold Minimum "(minimum x & more)" "The smallest; `nan` where any is." "(minimum 2 5)" => "2",
    binary Fmax "(fmax x y)" "The larger of two; a number rather than `nan`." "(fmax 2.0 nan)" => "2.0",
    binary Fmin "(fmin x y)" "The smaller of two; a number rather than `nan`." "(fmin 2.0 nan)" => "2.0",
    binary Copysign "(copysign x y)" "x with the sign of y." "(copysign 2 -1)" => "-2.0",
    binary Nextafter "(nextafter x y)" "The float next to x on the way to y." "(nextafter 0.0 0.0)" => "0.0",
    unary Spacing "(spacing x)" "Distance to the next float away from zero." "(spacing 1.0)" => "2.220446049250313e-16",
    unary I0 "(i0 x)" "The modified Bessel function of the first kind, of order 0." "(i0 0)" => "1.0",
    binary Heaviside "(heaviside x y)" "0 below zero, 1 above, y at zero." "(heaviside -1.0 0.5)" => "0.0",
    binary Gcd "(gcd x y)" "Greatest common divisor, of integers." "(gcd 12 18)" => "6",
    binary Lcm "(lcm x y)" "Least common multiple, of integers." "(lcm 4 6)" => "12",
    chain Equal "(equal x & more)" "Whether all are equal; of arrays, element by element." "(equal 1 1.0)" => "true",
    binary NotEqual "(not-equal x y)" "Whether two differ; of arrays, element by element." "(not-equal 1 2)" => "true",
    chain Less "(less x & more)" "Whether each is less than the next." "(less 1 2 3)" => "true",
    chain LessEqual "(less-equal x & more)" "Whether each is at most the next." "(less-equal 1 1 3)" => "true",
    chain Greater "(greater x & more)" "Whether each is greater than the next." "(greater 3 2 2)" => "false",
    chain GreaterEqual "(greater-equal x & more)" "Whether each is at least the next." "(greater-equal 3 2 2)" => "true",
    fold LogicalAnd "(logical-and x & more)" "Whether all are true: not zero." "(logical-and true 0)" => "false",
    fold LogicalOr "(logical-or x & more)" "Whether any is true: not zero." "(logical-or false 2)" => "true",
    fold LogicalXor "(logical-xor x & more)" "Whether an odd number of them is true." "(logical-xor true true)" => "false",
    unary LogicalNot "(logical-not x)" "Whether x is zero." "(logical-not 0)" => "true",
    fold BitwiseAnd "(bitwise-and x & more)" "Bits set in all." "(bitwise-and 12 10)" => "8",
    fold BitwiseOr "(bitwise-or x & more)" "Bits set in any." "(bitwise-or 12 10)" => "14",
    fold BitwiseXor "(bitwise-xor x & more)" "Bits set in an odd number of them." "(bitwise-xor 12 10)" => "6",
    unary Invert "(invert x)" "All bits turned; of bools, `logical-not`." "(invert 0)" => "-1",
    binary LeftShift "(left-shift x n)" "Bits moved up by n places." "(left-shift 1 4)" => "16",
    binary RightShift "(right-shift x n)" "Bits moved down by n places, the sign kept." "(right-shift -8 1)" => "-4",
    unary Isnan "(isnan x)" "Whether x is `nan`." "(isnan nan)" => "true",
    unary Isinf "(isinf x)" "Whether x is infinite." "(isinf -inf)" => "true",
    unary Isfinite "(isfinite x)" "Whether x is neither infinite nor `nan`." "(isfinite 1)" => "true",
    unary Isposinf "(isposinf x)" "Whether x is `inf`." "(isposinf -inf)" => "false",
    unary Isneginf "(isneginf x)" "Whether x is `-inf`." "(isneginf -inf)" => "true",
    unary Isreal "(isreal x)" "Whether the imaginary part is zero." "(isreal 1j)" => "false",
    unary Iscomplex "(iscomplex x)" "Whether the imaginary part is not zero." "(iscomplex 1j)" => "true",
    unary Signbit "(signbit x)" "Whether the sign is minus; also of -0.0." "(signbit -0.0)" => "true",
    unary Real "(real x)" "The real part." "(real 1+2j)" => "1.0",
    unary Imag "(imag x)" "The imaginary part." "(imag 1+2j)" => "2.0",
    unary Conjugate "(conjugate x)" "The complex conjugate." "(conjugate 1+2j)" => "1-2j",
    angle Angle "(angle x :deg false)" "The angle of a complex number, in radians; with `:deg true` in degrees." "(angle 1j)" => "1.5707963267948966",
    finite NanToNum "(nan-to-num x :nan nil :posinf nil :neginf nil :copy true)" "`nan` as 0 and infinities as the largest finite numbers, or as other numbers." "(nan-to-num nan)" => "0.0",
}

fn unary(op: Unary, mut args: Args) -> Result<Value> {
    let x = std::mem::take(&mut args.values[0]);
    apply_unary(op, x, args.span)
}

/// `op` on any value: a number gives a number.
pub fn apply_unary(op: Unary, x: Value, span: Span) -> Result<Value> {
    if !matches!(x, Value::Block(_) | Value::Array(_) | Value::List(_)) {
        return number::unary(op, &x);
    }
    apply(op.name(), vec![Operand::any(x)?], span, |x| Expr::unary(op, x[0].clone()))
}

fn angle(op: Unary, mut args: Args) -> Result<Value> {
    let (degrees, span) = (args.bool("deg")?, args.span);
    let found = apply_unary(op, args.take("x"), span)?;
    match degrees {
        true => apply_binary(Binary::Multiply, found, Value::Float(180.0 / std::f64::consts::PI), span),
        false => Ok(found),
    }
}

/// `nan-to-num`: as the kernel has it, and with other numbers where these were asked for.
fn finite(op: Unary, mut args: Args) -> Result<Value> {
    let masks = [("nan", Unary::Isnan), ("posinf", Unary::Isposinf), ("neginf", Unary::Isneginf)];
    let masks = masks.map(|(name, mask)| (mask, args.take(name)));
    let (x, span) = (args.take("x"), args.span);
    let dtype = Operand::any(x.clone())?.dtype();
    if masks.iter().all(|(_, number)| matches!(number, Value::Nil)) || dtype.to_inexact() != dtype {
        return apply_unary(op, x, span);
    }
    let replaced = |x: Value| {
        masks.iter().filter(|(_, number)| !matches!(number, Value::Nil)).try_fold(
            apply_unary(op, x.clone(), span)?,
            |made, (mask, number)| {
                super::choose::chosen_of([apply_unary(*mask, x.clone(), span)?, number.clone(), made], span)
            },
        )
    };
    if !dtype.is_complex() {
        return replaced(x);
    }
    let part = |op: Unary| replaced(apply_unary(op, x.clone(), span)?);
    super::choose::of_parts(part(Unary::Real)?, part(Unary::Imag)?, span)
}

/// Whether lists or maps are compared of which it is not known yet what is in them.
fn waits(op: Binary, args: &Args) -> bool {
    let mut values = args.values.iter().chain(&args.rest);
    matches!(op, Binary::Equal | Binary::NotEqual)
        && values.clone().all(|v| !has_elements(v))
        && values.any(Value::holds_lazy)
}

fn binary(op: Binary, mut args: Args) -> Result<Value> {
    if waits(op, &args) {
        return args.host.delay(&args);
    }
    let (x, y) = (std::mem::take(&mut args.values[0]), std::mem::take(&mut args.values[1]));
    apply_binary(op, x, y, args.span)
}

fn has_elements(v: &Value) -> bool {
    matches!(v, Value::Block(_) | Value::Array(_))
}

/// `op` on any two values: on numbers by Python's rules, on arrays by NumPy's.
pub fn apply_binary(op: Binary, x: Value, y: Value, span: Span) -> Result<Value> {
    if !has_elements(&x) && !has_elements(&y) {
        return number::binary(op, &x, &y);
    }
    let plain = |v: &Value| matches!(v, Value::List(_)) || v.number_kind().is_some() || has_elements(v);
    match op {
        // An array is not equal to what is no array at all.
        Binary::Equal | Binary::NotEqual if !plain(&x) || !plain(&y) => return number::binary(op, &x, &y),
        _ => {}
    }
    apply(op.name(), vec![Operand::any(x)?, Operand::any(y)?], span, |x| Expr::binary(op, x[0].clone(), x[1].clone()))
}

/// All the arguments of an op that takes any number: the first few may be parameters of their own.
fn all(args: &mut Args) -> Vec<Value> {
    let rest = args.function.signature.rest_index();
    let mut values: Vec<Value> = Vec::with_capacity(args.values.len() + args.rest.len());
    for (at, value) in args.values.iter_mut().enumerate() {
        if Some(at) != rest {
            values.push(std::mem::take(value));
        }
    }
    values.append(&mut args.rest);
    values
}

/// Operations that go on from left to right: `(+ a b c)`.
fn fold(op: Binary, mut args: Args) -> Result<Value> {
    let span = args.span;
    let values = all(&mut args);
    if values.len() > 2 && values.iter().all(|v| matches!(v, Value::Block(_))) {
        // One pass over all of them: what trees of reductions merge their parts with.
        let operands = values.into_iter().map(Operand::any).collect::<Result<_>>()?;
        return apply(op.name(), operands, span, |x| {
            let mut items = x.iter().cloned();
            let first = items.next().unwrap_or(Expr::Number(Value::Nil));
            items.fold(first, |a, b| Expr::binary(op, a, b))
        });
    }
    let mut values = values.into_iter();
    let Some(first) = values.next() else {
        return Ok(Value::Int(if op == Binary::Multiply { 1 } else { 0 }));
    };
    let Some(second) = values.next() else {
        return match op {
            Binary::Subtract => apply_unary(Unary::Negative, first, span),
            Binary::Divide => apply_binary(op, Value::Int(1), first, span),
            Binary::LogicalAnd | Binary::LogicalOr | Binary::LogicalXor => {
                apply_unary(Unary::LogicalNot, first, span).and_then(|v| apply_unary(Unary::LogicalNot, v, span))
            }
            _ => Ok(first),
        };
    };
    let start = apply_binary(op, first, second, span)?;
    values.try_fold(start, |a, b| apply_binary(op, a, b, span))
}

/// Comparisons of each with the next: `(< a b c)`.
fn chain(op: Binary, mut args: Args) -> Result<Value> {
    if waits(op, &args) {
        return args.host.delay(&args);
    }
    let span = args.span;
    let mut values = all(&mut args);
    if values.len() == 2
        && let (Some(y), Some(x)) = (values.pop(), values.pop())
    {
        return apply_binary(op, x, y, span);
    }
    let mut result = Value::Bool(true);
    for pair in values.windows(2) {
        let next = apply_binary(op, pair[0].clone(), pair[1].clone(), span)?;
        result = match (&result, &next) {
            (Value::Bool(a), Value::Bool(b)) => Value::Bool(*a && *b),
            _ => apply_binary(Binary::LogicalAnd, result, next, span)?,
        };
    }
    Ok(result)
}

/// An elementwise op of arrays and numbers, at least one of them an array: at once, or as a layer.
///
/// `expr` is the op as the kernel knows it; compiling it finds the dtype of the result, and the same errors, before anything
/// runs.
pub fn apply(
    name: &'static str,
    operands: Vec<Operand>,
    span: Span,
    expr: impl FnOnce(&[Expr]) -> Expr,
) -> Result<Value> {
    apply_with(name, operands, Vec::new(), span, expr)
}

/// As [`apply`], with keywords that the op is called with in tasks.
pub fn apply_with(
    name: &'static str,
    operands: Vec<Operand>,
    keywords: Vec<(&'static str, Value)>,
    span: Span,
    expr: impl FnOnce(&[Expr]) -> Expr,
) -> Result<Value> {
    let mut dtypes: SmallVec<[DType; 4]> = SmallVec::new();
    let inputs: Vec<Expr> = operands
        .iter()
        .map(|operand| match (operand, operand.typed()) {
            (Operand::Number(n), _) => Expr::Number(n.clone()),
            (_, typed) => {
                dtypes.push(typed.dtype());
                Expr::Input(dtypes.len() - 1)
            }
        })
        .collect();
    let program = Program::new(&dtypes, &expr(&inputs))?;
    if operands.iter().any(Operand::is_lazy) {
        let mut token = Token::new(name);
        for (keyword, value) in &keywords {
            token = token.with(*keyword).value(value);
        }
        let array = layers::elementwise(token, &operands, program.dtype(), Cost::Cheap, span, |items| {
            let keywords = keywords.into_iter().map(|(k, v)| (k, Task::data(v))).collect();
            call(name, items, keywords)
        })?;
        return Ok(Value::Array(array.into()));
    }
    let blocks: Vec<Block> = operands
        .into_iter()
        .filter_map(|operand| match operand {
            Operand::Block(b) => Some(std::sync::Arc::unwrap_or_clone(b)),
            _ => None,
        })
        .collect();
    Ok(program.run(blocks)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_kernel_is_a_row() {
        let names: Vec<&str> = OPS.iter().map(Op::name).collect();
        for name in Unary::ALL.iter().map(|op| op.name()).chain(Binary::ALL.iter().map(|op| op.name())) {
            assert!(names.contains(&name), "{name}");
        }
        assert_eq!(names.len(), Unary::ALL.len() + Binary::ALL.len());
    }
}
