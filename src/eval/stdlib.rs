//! What of the language is written in the language. A definition is read and compiled when its name is asked for: a program uses few of
//! them, and starting takes no longer for the others.
//!
//! What is there for other definitions only is a `defn-`: a `defn` that neither completion nor the reference tells of. A program that
//! knows its name can call it, as tasks do.

use super::interpreter::{Interpreter, without_spans};
use crate::data::{Form, Str, Task};
use crate::read;
use crate::text::{Result, SourceId, Span};
use parking_lot::{ReentrantMutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};

/// The texts, in which a definition begins at the margin and names what it defines on its first line.
pub const STDLIB: &[(&str, &str)] = &[
    ("prelude.dsk", include_str!("../../stdlib/prelude.dsk")),
    ("arrays.dsk", include_str!("../../stdlib/arrays.dsk")),
    ("dtypes.dsk", include_str!("../../stdlib/dtypes.dsk")),
    ("linalg.dsk", include_str!("../../stdlib/linalg.dsk")),
    ("fft.dsk", include_str!("../../stdlib/fft.dsk")),
    ("names.dsk", include_str!("../../stdlib/names.dsk")),
    ("overlap.dsk", include_str!("../../stdlib/overlap.dsk")),
    ("random.dsk", include_str!("../../stdlib/random.dsk")),
];

/// The definitions of a text: name, and where in the text it is.
pub fn definitions(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let at_margin = text.match_indices("\n(").map(|(at, _)| at + 1);
    let mut starts = text.starts_with('(').then_some(0).into_iter().chain(at_margin).peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().copied().unwrap_or(text.len());
        let name = text[start..end].split([' ', '\n', ')']).nth(1).unwrap_or_default();
        Some((name, start..end))
    })
}

/// Where a definition is.
type Place = (SourceId, Range<usize>);

/// Definitions that nobody has asked for yet.
#[derive(Default)]
pub(super) struct Later {
    /// The lock is held while one is evaluated: another thread that asks for the same name waits for it.
    forms: ReentrantMutex<RefCell<FxHashMap<Str, Place>>>,
    /// All their names, and those of helpers.
    names: RwLock<Vec<Str>>,
    helpers: RwLock<FxHashSet<Str>>,
    interpreter: OnceLock<Weak<Interpreter>>,
}

impl Later {
    /// Puts off what the texts of the standard library define.
    pub fn put_off(&self, interpreter: &Arc<Interpreter>) {
        let forms = self.forms.lock();
        for &(file, text) in STDLIB {
            let source = interpreter.sources().add(file, text);
            interpreter.modules.fill(source, &interpreter.language);
            let is_helper = |range: &Range<usize>| text[range.start..].starts_with(HELPER);
            let helpers = definitions(text).filter(|(_, range)| is_helper(range)).map(|(name, _)| Str::from(name));
            self.helpers.write().extend(helpers);
            forms.borrow_mut().extend(definitions(text).map(|(name, range)| (Str::from(name), (source, range))));
        }
        *self.names.write() = forms.borrow().keys().cloned().collect();
        let _ = self.interpreter.set(Arc::downgrade(interpreter));
    }

    /// Evaluates the definition of a name, if it was put off; whether the name may be bound now.
    pub fn define(&self, name: &str) -> bool {
        let Some(interpreter) = self.interpreter.get().and_then(Weak::upgrade) else { return false };
        let forms = self.forms.lock();
        let Some((name, form)) = forms.borrow_mut().remove_entry(name) else { return true };
        let defined = evaluate(&interpreter, &form);
        if defined.is_err() {
            // It was interrupted: the next who asks tries again.
            forms.borrow_mut().insert(name, form);
        }
        defined.is_ok()
    }

    pub fn names(&self) -> Vec<Str> {
        self.names.read().clone()
    }

    /// Whether a name is that of a helper, of which nobody is told.
    pub fn is_helper(&self, name: &str) -> bool {
        self.helpers.read().contains(name)
    }
}

/// How the definition of a helper begins.
const HELPER: &str = "(defn- ";

/// The definition of a helper as that of any other function.
fn as_defn(form: Task) -> Task {
    match &form.form {
        Form::Call(items) if form.is_call_of("defn-") => {
            let head = Task::symbol("defn");
            Task::call(std::iter::once(head).chain(items[1..].iter().cloned()).collect()).with_span(form.span)
        }
        _ => form,
    }
}

fn evaluate(interpreter: &Interpreter, (source, range): &Place) -> Result<()> {
    let whole = interpreter.sources().get(*source);
    let text = whole.as_ref().and_then(|source| source.text.get(range.clone())).unwrap_or_default();
    for form in read::read(*source, text)? {
        // What the macros here make is the user's code: it has no text of its own. The whole keeps its place, for `source`.
        let place = |at: u32| range.start + at as usize;
        let span = Span::new(*source, place(form.span.start), place(form.span.end));
        let form = as_defn(without_spans(&form, false).with_span(span));
        interpreter.eval_in(&interpreter.language, &form)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_texts_is_a_definition() {
        for (file, text) in STDLIB {
            let forms = read::read(SourceId(1), text).unwrap();
            let found: Vec<(&str, Range<usize>)> = definitions(text).collect();
            assert_eq!(forms.len(), found.len(), "{file}");
            for (form, (name, range)) in forms.iter().zip(found) {
                assert_eq!(form.span.start as usize, range.start, "{file}: {name}");
                assert!(["defn", "defmacro", "def", "defn-"].iter().any(|how| form.is_call_of(how)), "{file}: {name}");
            }
        }
    }
}
