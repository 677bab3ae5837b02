//! The operators that have instructions of their own, and the ops that carry them out for everything but plain
//! numbers: blocks, lazy arrays, strings.

use super::interpreter::Interpreter;
use crate::data::{Function, Value};
use crate::err;
use crate::text::{Result, Span};
use smallvec::smallvec;
use std::sync::Arc;

macro_rules! operators {
    ($($variant:ident $name:literal $short:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Operator { $($variant,)* }

        impl Operator {
            pub const ALL: &'static [Operator] = &[$(Operator::$variant,)*];

            /// The name of the op.
            pub fn name(self) -> &'static str {
                match self { $(Operator::$variant => $name,)* }
            }

            /// The operator that a name stands for: `+` or `add`.
            pub fn named(name: &str) -> Option<Operator> {
                match name { $($name | $short => Some(Operator::$variant),)* _ => None }
            }
        }
    };
}

operators! {
    Add "add" "+",
    Subtract "subtract" "-",
    Multiply "multiply" "*",
    Divide "divide" "/",
    FloorDivide "floor-divide" "//",
    Mod "mod" "%",
    Less "less" "<",
    LessEqual "less-equal" "<=",
    Greater "greater" ">",
    GreaterEqual "greater-equal" ">=",
    Equal "equal" "=",
    NotEqual "not-equal" "!=",
}

impl Operator {
    pub fn is_comparison(self) -> bool {
        self as usize >= Operator::Less as usize
    }
}

/// The op of every operator, looked up once.
pub(super) type Operators = [Option<Arc<Function>>; Operator::ALL.len()];

impl Interpreter {
    /// Carries out an operator on values that the machine does not handle itself.
    #[inline(never)]
    pub(super) fn operate(&self, operator: Operator, a: Value, b: Value, span: Span) -> Result<Value> {
        if matches!(operator, Operator::Equal | Operator::NotEqual) && compares_whole(&a) && compares_whole(&b) {
            let same = a.same_key(&b);
            // Whether two lists are the same may not be known yet.
            if same || !(a.holds_lazy() || b.holds_lazy()) {
                return Ok(Value::Bool(same == (operator == Operator::Equal)));
            }
        }
        let Some(op) = &self.operators[operator as usize] else {
            return Err(err!(Internal, "the op `{}` is not there", operator.name()));
        };
        super::call::call_function(self, op, smallvec![a, b], span)
    }
}

/// Whether `=` on the value is never elementwise.
fn compares_whole(value: &Value) -> bool {
    !matches!(value, Value::Block(_) | Value::Array(_) | Value::Delayed(_) | Value::Float(_))
}
