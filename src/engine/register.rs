//! Rust functions as functions of the language, with their arguments checked and converted.

use super::convert::{FromValue, IntoValue, described};
use crate::data::{Args, Callable, Value};
use crate::err;
use crate::text::{Error, Result};
use std::any::Any;
use std::marker::PhantomData;

/// A Rust function that the language can call: up to eight arguments that convert from values, and a result, or a
/// `Result`, that converts to one. `A` is the tuple of the arguments' types; the compiler finds it.
pub trait HostFunction<A>: Send + Sync + 'static {
    /// Number of arguments.
    const ARITY: usize;

    /// Calls with as many values as [`HostFunction::ARITY`] says.
    fn call(&self, args: &[Value]) -> Result<Value, Refusal>;
}

/// Why a call gave nothing.
pub enum Refusal {
    /// The argument at that position is not what the function takes, which is this.
    Argument(usize, String),
    /// The function itself failed.
    Failed(Error),
}

macro_rules! host_functions {
    ($($arity:literal: $($A:ident $n:literal),*;)*) => {$(
        impl<Fun, R, $($A),*> HostFunction<($($A,)*)> for Fun
        where
            Fun: Fn($($A),*) -> R + Send + Sync + 'static,
            R: IntoValue,
            $($A: FromValue,)*
        {
            const ARITY: usize = $arity;

            fn call(&self, _args: &[Value]) -> Result<Value, Refusal> {
                let result = self($(
                    _args.get($n).and_then($A::from_value).ok_or_else(|| Refusal::Argument($n, $A::wanted()))?
                ),*);
                result.into_value().map_err(Refusal::Failed)
            }
        }
    )*};
}

host_functions! {
    0: ;
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
    7: A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}

/// A registered function, as the evaluator and the workers see it.
pub(super) struct Registered<F, A> {
    function: F,
    args: PhantomData<fn(A)>,
}

impl<F, A> Registered<F, A> {
    pub(super) fn new(function: F) -> Self {
        Registered { function, args: PhantomData }
    }
}

impl<F: HostFunction<A>, A: 'static> Callable for Registered<F, A> {
    fn call(&self, mut args: Args) -> Result<Value> {
        // What `&` collects is a list, in its place among the parameters.
        if let Some(at) = args.function.signature.rest_index() {
            args.values[at] = Value::list(std::mem::take(&mut args.rest));
        }
        self.function.call(&args.values).map_err(|refusal| match refusal {
            Refusal::Failed(error) => error.at(args.span),
            Refusal::Argument(at, wanted) => {
                let (name, params) = (&args.function.name, &args.function.signature.params);
                let param = params.get(at).map_or("?", |p| p.name.as_str());
                let found = args.values.get(at).map_or("nothing".into(), described);
                err!(Type, "{name}: `{param}` takes {wanted}, found {found}").label(args.span, "in this call")
            }
        })
    }

    /// Called with concrete values only: with a lazy argument the call becomes a task, which a worker runs.
    fn takes_lazy(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
