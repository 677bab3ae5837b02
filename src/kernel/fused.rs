//! Nests of elementwise operations as small programs that make one pass over memory.

use super::elementwise::{Binary, Unary};
use crate::data::{Block, DType, Value};
use crate::text::Result;

/// A nest of elementwise operations.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The n-th block the program is given.
    Input(usize),
    /// A plain number, weak in promotion.
    Number(Value),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<[Expr; 2]>),
    /// Condition, then, else.
    Where(Box<[Expr; 3]>),
    Cast(DType, Box<Expr>),
}

impl Expr {
    pub fn unary(op: Unary, x: Expr) -> Expr {
        Expr::Unary(op, Box::new(x))
    }

    pub fn binary(op: Binary, a: Expr, b: Expr) -> Expr {
        Expr::Binary(op, Box::new([a, b]))
    }

    pub fn where_(condition: Expr, a: Expr, b: Expr) -> Expr {
        Expr::Where(Box::new([condition, a, b]))
    }

    pub fn cast(dtype: DType, x: Expr) -> Expr {
        Expr::Cast(dtype, Box::new(x))
    }

    /// `minimum(maximum(x, low), high)`.
    pub fn clip(x: Expr, low: Option<Expr>, high: Option<Expr>) -> Expr {
        let x = match low {
            Some(low) => Expr::binary(Binary::Maximum, x, low),
            None => x,
        };
        match high {
            Some(high) => Expr::binary(Binary::Minimum, x, high),
            None => x,
        }
    }

    /// Rounds `x`, which has that dtype, to `decimals` places.
    pub fn round(_x: Expr, _dtype: DType, _decimals: i32) -> Expr {
        todo!()
    }
}

/// A compiled expression. Programs are values: make one per layer, run it once per block, on any thread.
#[derive(Clone, Debug)]
pub struct Program {
    out: DType,
}

impl Program {
    /// Compiles an expression for inputs of these dtypes. Errors are those of dtypes (`dsk::type`) and of plain numbers that
    /// do not fit (`dsk::overflow`).
    pub fn new(_inputs: &[DType], _expr: &Expr) -> Result<Program> {
        todo!()
    }

    /// The dtype of the result.
    pub fn dtype(&self) -> DType {
        self.out
    }

    /// Runs over blocks that broadcast to the result's shape (`dsk::shape` if they do not). The memory of a block that nobody
    /// else holds, of the result's shape and element size, becomes the result's.
    pub fn run(&self, _inputs: Vec<Block>) -> Result<Block> {
        todo!()
    }
}
