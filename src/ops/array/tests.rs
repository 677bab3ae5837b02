//! Arrays as a whole: chunked as unchunked, printed graphs as computed, whatever the number of workers.

use crate::data::{Form, Function, Graph, Host, Key, Pool, Task, Value};
use crate::err;
use crate::op::Registry;
use crate::schedule::{Config, Runtime};
use crate::text::{Result, SourceId, Span};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Just enough of an interpreter: ops, `let`, quoted data, calls.
struct Small {
    ops: Registry,
    runtime: Runtime,
}

type Names = FxHashMap<String, Value>;

impl Small {
    fn new() -> Small {
        Small { ops: crate::ops::registry().unwrap(), runtime: Runtime::new(Pool::new(1 << 24)) }
    }

    fn text(&self, text: &str) -> Result<Value> {
        self.eval(&crate::read::read_one(SourceId(1), text)?, &Names::default())
    }

    fn eval(&self, task: &Task, names: &Names) -> Result<Value> {
        match &task.form {
            Form::Data(value) => Ok(value.clone()),
            Form::Key(key) => match names.get(&key.to_string()) {
                Some(value) => Ok(value.clone()),
                None => self.global(&key.name).ok_or_else(|| err!(Unbound, "{key}").label(task.span, "here")),
            },
            Form::List(items) => match Graph::key_of(task).and_then(|key| names.get(&key.to_string())) {
                Some(value) => Ok(value.clone()),
                None => Ok(Value::list(items.iter().map(|t| self.eval(t, names)).collect::<Result<_>>()?)),
            },
            Form::Call(items) if items[0].as_symbol().is_some_and(|s| s == "let") => {
                let Form::List(pairs) = &items[1].form else { panic!("let") };
                let mut inner = names.clone();
                for pair in pairs.chunks(2) {
                    inner.insert(pair[0].as_symbol().unwrap().to_string(), self.eval(&pair[1], &inner)?);
                }
                self.eval(&items[2], &inner)
            }
            Form::Call(items) => {
                let head = self.eval(&items[0], names)?;
                let args: Vec<Value> = items[1..].iter().map(|t| self.eval(t, names)).collect::<Result<_>>()?;
                self.apply(&head, &args, task.span)
            }
            _ => panic!("{task:?}"),
        }
    }

    fn computed(&self, value: &Value, config: &Config) -> Result<Value> {
        let cancel = AtomicBool::new(false);
        Ok(crate::schedule::compute(self, &[value.clone()], &self.runtime, config, &cancel)?.remove(0))
    }
}

impl Host for Small {
    fn apply(&self, callee: &Value, args: &[Value], span: Span) -> Result<Value> {
        match callee {
            Value::Function(f) => f.call(self, args, span),
            other => Err(err!(Type, "{other:?} is no function")),
        }
    }

    fn op(&self, name: &str) -> Option<Arc<Function>> {
        self.ops.get(name).cloned()
    }

    fn global(&self, name: &str) -> Option<Value> {
        self.op(name).map(Value::Function)
    }

    fn compute(&self, values: &[Value], _: Span) -> Result<Vec<Value>> {
        let cancel = AtomicBool::new(false);
        crate::schedule::compute(self, values, &self.runtime, &Config::default(), &cancel)
    }

    fn interrupted(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
#[ignore]
fn scratch() {
    let small = Small::new();
    let config = Config { optimize: std::env::var("OPT").is_ok(), ..Config::default() };
    let programs = std::fs::read_to_string("/tmp/arrays_scratch.dsk").unwrap();
    let mut out = String::new();
    for line in programs.lines() {
        let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            small.text(line).and_then(|v| small.computed(&v, &config))
        }));
        let json = match got {
            Ok(Ok(value)) => crate::tools::json::answer(&value, &|_| String::new()),
            Ok(Err(error)) => crate::tools::json::failure(&error, None),
            Err(_) => "{\"ok\":false,\"code\":\"panic\",\"message\":\"panicked\"}".into(),
        };
        out.push_str(json.trim());
        out.push('\n');
    }
    std::fs::write("/tmp/arrays_scratch.json", out).unwrap();
}
