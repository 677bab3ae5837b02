//! Operations in one loop give what they give one by one, to the bit, whatever the vectors and wherever a tile ends.

use crate::data::{Block, DType, Value};
use crate::kernel::elementwise::{self, Operand};
use crate::kernel::fused::{Expr, Program};
use crate::kernel::reduce::{Reduce, Reduction, reduce};
use crate::kernel::{Binary, Unary, strip};
use proptest::prelude::*;

const INPUTS: [DType; 6] = [DType::F64, DType::F64, DType::F32, DType::F32, DType::Bool, DType::I64];

const UNARY: [Unary; 17] = [
    Unary::Negative,
    Unary::Absolute,
    Unary::Sqrt,
    Unary::Square,
    Unary::Reciprocal,
    Unary::Floor,
    Unary::Ceil,
    Unary::Trunc,
    Unary::Rint,
    Unary::Isnan,
    Unary::Isfinite,
    Unary::LogicalNot,
    // Called for each strip, where strips are long; else these end one loop and begin another.
    Unary::Sin,
    Unary::Exp,
    Unary::Log,
    Unary::Tanh,
    // Not done on strips.
    Unary::Sign,
];

const BINARY: [Binary; 17] = [
    Binary::Add,
    Binary::Subtract,
    Binary::Multiply,
    Binary::Divide,
    Binary::Maximum,
    Binary::Minimum,
    Binary::Fmax,
    Binary::Fmin,
    Binary::Equal,
    Binary::NotEqual,
    Binary::Less,
    Binary::LessEqual,
    Binary::Greater,
    Binary::GreaterEqual,
    Binary::LogicalAnd,
    Binary::LogicalOr,
    Binary::LogicalXor,
];

/// Expressions of what NumPy has a rule for, whatever the dtypes meet.
fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        6 => (0..INPUTS.len()).prop_map(Expr::Input),
        1 => prop::sample::select(vec![-1.5, 0.0, 2.0, f64::NAN]).prop_map(|x| Expr::Number(Value::Float(x))),
    ];
    leaf.prop_recursive(6, 40, 3, |inner| {
        prop_oneof![
            3 => (prop::sample::select(UNARY.to_vec()), inner.clone()).prop_map(|(op, x)| Expr::unary(op, x)),
            6 => (prop::sample::select(BINARY.to_vec()), inner.clone(), inner.clone())
                .prop_map(|(op, a, b)| Expr::binary(op, a, b)),
            2 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| Expr::where_(c, a, b)),
            2 => (prop::sample::select(vec![DType::F32, DType::F64]), inner).prop_map(|(to, x)| Expr::cast(to, x)),
        ]
    })
}

/// The expression, one operation after the other.
fn one_by_one(expr: &Expr, inputs: &[Block]) -> crate::text::Result<Operand> {
    Ok(match expr {
        Expr::Input(i) => Operand::Block(inputs[*i].clone()),
        Expr::Number(number) => Operand::Number(number.clone()),
        Expr::Unary(op, x) => match one_by_one(x, inputs)? {
            Operand::Block(x) => Operand::Block(elementwise::unary(*op, x)?),
            // The smallest array of it, as programs have it.
            Operand::Number(_) => Operand::Block(Program::new(&[], expr)?.run(Vec::new())?),
        },
        Expr::Binary(op, args) => {
            let [a, b] = [one_by_one(&args[0], inputs)?, one_by_one(&args[1], inputs)?];
            Operand::Block(elementwise::binary(*op, a, b)?)
        }
        Expr::Where(args) => {
            let [c, a, b] =
                [one_by_one(&args[0], inputs)?, one_by_one(&args[1], inputs)?, one_by_one(&args[2], inputs)?];
            Operand::Block(elementwise::where_(c, a, b)?)
        }
        Expr::Cast(dtype, x) => match one_by_one(x, inputs)? {
            Operand::Block(x) => Operand::Block(x.cast(*dtype)?),
            Operand::Number(_) => Operand::Block(Program::new(&[], expr)?.run(Vec::new())?),
        },
    })
}

/// Numbers without a pattern, of 31 bits.
fn scattered(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    }
}

/// Blocks of `n` elements, with all that is special among them.
fn inputs(n: usize, seed: u64) -> Vec<Block> {
    let special = [0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5, 2.5, -2.5, 1e-310, 1e300];
    let mut next = scattered(seed);
    let mut numbers = || -> Vec<f64> {
        (0..n)
            .map(|_| match next() % 3 {
                0 => special[next() % special.len()],
                _ => (next() % 2000) as f64 / 64.0 - 15.0,
            })
            .collect()
    };
    let block = |dtype: DType| match dtype {
        DType::Bool => Block::from_slice(&[n], &numbers().iter().map(|x| *x > 0.0).collect::<Vec<bool>>()),
        DType::I64 => Block::from_slice(&[n], &numbers().iter().map(|x| *x as i64 % 100).collect::<Vec<i64>>()),
        DType::F32 => Block::from_slice(&[n], &numbers().iter().map(|x| *x as f32).collect::<Vec<f32>>()),
        _ => Block::from_slice(&[n], &numbers()),
    };
    INPUTS.iter().copied().map(block).collect()
}

/// Bits are compared, but those of nan: which of two nan an operation passes on is the compiler's choice.
fn bits(block: &Block) -> Vec<u64> {
    match block.dtype() {
        DType::F32 => {
            block.as_slice::<f32>().unwrap().iter().map(|x| if x.is_nan() { 1 } else { x.to_bits().into() }).collect()
        }
        DType::F64 => {
            block.as_slice::<f64>().unwrap().iter().map(|x| if x.is_nan() { 1 } else { x.to_bits() }).collect()
        }
        _ => block.cast(DType::I64).unwrap().as_slice::<i64>().unwrap().iter().map(|&x| x as u64).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn one_loop_gives_the_bits_of_one_by_one(
        expr in any_expr(),
        n in prop_oneof![Just(1usize), 1usize..200, 500usize..1500],
        seed: u64,
    ) {
        let inputs = inputs(n, seed);
        // What has no rule for its dtypes has none either way.
        let Ok(expected) = one_by_one(&expr, &inputs) else { return Ok(()) };
        let Operand::Block(expected) = expected else { return Ok(()) };
        for wide in [true, false] {
            let got = strip::with_vectors(wide, || Program::new(&INPUTS, &expr).unwrap().run(inputs.clone()).unwrap());
            prop_assert_eq!(got.dtype(), expected.dtype());
            let expected = expected.broadcast_to(got.shape()).unwrap().contiguous();
            prop_assert_eq!(bits(&got), bits(&expected), "wide: {}", wide);
        }
    }
}

/// Nests whose results are finite, each of both floats, with one loop, with a kernel before it and with one behind.
fn finite_nests() -> Vec<Expr> {
    let sum = |a, b| Expr::binary(Binary::Add, a, b);
    let product = |a, b| Expr::binary(Binary::Multiply, a, b);
    let [x, y] = [|| Expr::Input(0), || Expr::Input(1)];
    vec![
        sum(x(), Expr::Number(Value::Float(0.1))),
        Expr::where_(Expr::binary(Binary::Less, x(), y()), product(x(), x()), Expr::unary(Unary::Negative, y())),
        sum(Expr::unary(Unary::Sin, x()), y()),
        Expr::unary(Unary::Sin, sum(x(), y())),
        Expr::cast(DType::F64, product(x(), y())),
        Expr::cast(DType::F32, sum(x(), y())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_sum_of_a_loop_is_that_of_what_it_makes(
        rows in prop_oneof![Just(1usize), 2usize..5],
        columns in prop_oneof![1usize..600, 1000usize..1100, 4000usize..4200, 5000usize..20_000],
        seed: u64,
        mask in 1u8..4,
    ) {
        let mut next = scattered(seed);
        let numbers: Vec<f64> = (0..2 * rows * columns).map(|_| next() as f64 / (1u64 << 31) as f64 - 0.3).collect();
        let (a, b) = numbers.split_at(rows * columns);
        let axes: Vec<usize> = (0..2).filter(|axis| mask >> axis & 1 == 1).collect();
        for dtype in [DType::F64, DType::F32] {
            let inputs = [a, b].map(|x| Block::from_slice(&[rows, columns], x).cast(dtype).unwrap());
            for expr in finite_nests() {
                for wide in [true, false] {
                    let (got, made) = strip::with_vectors(wide, || {
                        let sum = Reduction::new(Reduce::Sum, &[dtype; 2], expr.clone(), None).unwrap();
                        let made = Program::new(&[dtype; 2], &expr).unwrap().run(inputs.to_vec()).unwrap();
                        (sum.run(&inputs, &axes).unwrap(), made)
                    });
                    let expected = reduce(Reduce::Sum, &made, &axes, None).unwrap();
                    prop_assert_eq!(bits(&got), bits(&expected), "{:?} of {:?}, wide: {}", expr, dtype, wide);
                }
            }
        }
    }
}

#[test]
fn a_long_nest_is_several_loops_with_any_number_of_constants() {
    let n = 3_000;
    let sum = (1..=n).fold(Expr::Input(0), |sum, i| Expr::binary(Binary::Add, sum, Expr::Number(Value::Int(i))));
    let program = Program::new(&[DType::F64], &sum).unwrap();
    let block = Block::from_slice(&[3], &[0.0f64, 1.0, 2.0]);
    let total = (n * (n + 1) / 2) as f64;
    assert!(program.run(vec![block]).unwrap().same(&Block::from_slice(&[3], &[total, total + 1.0, total + 2.0])));
}
