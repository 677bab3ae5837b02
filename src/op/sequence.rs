//! What ops on lists share: the elements of whatever has elements, their order, and reductions over them. Reductions that
//! also exist for arrays (`sum`, `mean`, `sort`, …) come here for lists.

use super::number;
use crate::data::{Form, Host, List, Map, Value, buffer, cancel, task::deep};
use crate::err;
use crate::kernel::elementwise::Binary;
use crate::kernel::radix::Sort;
use crate::text::{Error, Result, Span};
use std::cmp::Ordering;
use std::ops::Deref;
use std::sync::Arc;

/// The elements of a value, without copying those of a list.
pub struct Seq(Arc<List>);

impl Seq {
    /// Elements of a list; pairs of a map; characters of a string; parts of an array along its first axis; parts of a
    /// quoted call; none of nil. Gives back the value that has no elements.
    pub fn of(value: Value) -> Result<Seq, Value> {
        let items = match &value {
            Value::List(items) => return Ok(Seq(items.clone())),
            Value::Nil => Vec::new(),
            Value::Map(map) => map.iter().map(|(k, v)| pair(k.clone(), v.clone())).collect(),
            Value::Str(text) => text.chars().map(character).collect(),
            Value::Block(block) if block.ndim() > 0 => block.parts(),
            Value::Code(task) => match &task.form {
                Form::Call(items) => items.iter().map(|t| t.quoted()).collect(),
                _ => return Err(value),
            },
            _ => return Err(value),
        };
        Ok(Seq(Arc::new(List::from(items))))
    }

    /// The elements, moved where nobody else holds the list.
    pub fn into_vec(self) -> Vec<Value> {
        match Arc::try_unwrap(self.0) {
            Ok(list) => list.into_vec(),
            Err(shared) => shared.to_vec(),
        }
    }

    pub fn into_value(self) -> Value {
        Value::List(self.0)
    }
}

impl Deref for Seq {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.0
    }
}

pub fn pair(a: Value, b: Value) -> Value {
    Value::List(Arc::new(List::from([a, b])))
}

/// A character as a string.
pub fn character(c: char) -> Value {
    let mut buffer = [0; 4];
    Value::str(&*c.encode_utf8(&mut buffer))
}

/// Refuses to make a list that is far too long for a list: an array in blocks is the way then.
pub fn check_len(n: usize) -> Result<()> {
    const MOST: usize = 1 << 26;
    let fits = match n > MOST {
        true => Err(err!(Memory, "a list of {n} elements is too long, {MOST} is the most")),
        false => buffer::check_room("list", n * size_of::<Value>()),
    };
    fits.map_err(|error| error.help("arrays hold more, in blocks: `(arange n :chunks 1_000_000)`"))
}

/// Appends to a list that may become far too long for one.
pub fn push(list: &mut Vec<Value>, value: Value) -> Result<()> {
    if list.len() == list.capacity() {
        check_len(list.len() + 1)?;
    }
    list.push(value);
    Ok(())
}

/// Moves elements to the end of a list that may become far too long for one.
pub fn append(list: &mut Vec<Value>, more: &mut Vec<Value>) -> Result<()> {
    if list.len() + more.len() > list.capacity() {
        check_len(list.len() + more.len())?;
    }
    list.append(more);
    Ok(())
}

/// Refuses to make a string that is far too long for a string.
pub fn check_text(bytes: usize) -> Result<()> {
    const MOST: usize = 1 << 30;
    if bytes > MOST {
        return Err(err!(Memory, "a string of {bytes} bytes is too long, {MOST} is the most"));
    }
    buffer::check_room("string", bytes)
}

/// Puts an entry into a map; `dsk::type` where the key cannot be one.
pub fn put(map: &mut Map, key: Value, value: Value) -> Result<()> {
    map.insert(key, value).map(drop).map_err(|key| no_key(&key))
}

#[cold]
pub fn no_key(value: &Value) -> Error {
    err!(Type, "{} cannot be the key of a map", value.a_type_name())
        .help("keys are numbers, strings, keywords, nil, and lists of these")
}

/// Whether an element counts as true where Python's truth is asked for: `nil`, `false`, 0, `""`, `[]` and `{}` do not.
pub fn counts_as_true(value: &Value) -> bool {
    match value {
        Value::Int(n) => *n != 0,
        Value::Float(x) => *x != 0.0,
        Value::Complex(c) => c.re != 0.0 || c.im != 0.0,
        Value::Str(s) => !s.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Block(b) if b.ndim() == 0 && !matches!(b.item(), Value::Block(_)) => counts_as_true(&b.item()),
        other => other.truthy(),
    }
}

/// An operation on two elements: plain values here, everything else by the op.
pub fn binary(host: &dyn Host, op: Binary, a: &Value, b: &Value, span: Span) -> Result<Value> {
    let arrayed = |v: &Value| matches!(v, Value::Block(_) | Value::Array(_) | Value::Delayed(_));
    match host.op(op.name()) {
        Some(function) if arrayed(a) || arrayed(b) => {
            host.apply(&Value::Function(function), &[a.clone(), b.clone()], span)
        }
        _ => number::binary(op, a, b),
    }
}

/// The sum, from the left; 0 of nothing.
pub fn sum(host: &dyn Host, items: &[Value], span: Span) -> Result<Value> {
    fold(host, Binary::Add, items, Value::Int(0), span)
}

/// The product, from the left; 1 of nothing.
pub fn product(host: &dyn Host, items: &[Value], span: Span) -> Result<Value> {
    fold(host, Binary::Multiply, items, Value::Int(1), span)
}

fn fold(host: &dyn Host, op: Binary, items: &[Value], empty: Value, span: Span) -> Result<Value> {
    let Some((first, rest)) = items.split_first() else { return Ok(empty) };
    // Numbers stay numbers: `true` alone is 1.
    let start = if matches!(first, Value::Bool(_)) { number::binary(op, &empty, first)? } else { first.clone() };
    if op == Binary::Add && matches!(first, Value::Str(_)) {
        return joined(items);
    }
    rest.iter().try_fold(start, |total, item| binary(host, op, &total, item, span))
}

/// Strings one after the other, without a string for every step.
fn joined(items: &[Value]) -> Result<Value> {
    let mut all = String::new();
    for item in items {
        match item {
            Value::Str(s) => {
                check_text(all.len() + s.len())?;
                all.push_str(s);
            }
            other => return number::binary(Binary::Add, &Value::from(all), other),
        }
    }
    Ok(all.into())
}

/// The smallest element ([`Binary::Minimum`]) or the greatest ([`Binary::Maximum`]); the first of equals; `nan` where
/// there is one. `dsk::value` of nothing, `dsk::type` where elements have no order.
pub fn extreme(op: Binary, items: &[Value]) -> Result<Value> {
    let Some((first, rest)) = items.split_first() else {
        return Err(err!(Value, "there is no {} of nothing", if op == Binary::Minimum { "least" } else { "greatest" }));
    };
    let mut best = first;
    for item in rest {
        if is_nan(best) {
            break;
        }
        let order = if is_nan(item) {
            Ordering::Less
        } else {
            number::compare(item, best).ok_or_else(|| unordered(item, best))?
        };
        if is_nan(item) || if op == Binary::Minimum { order.is_lt() } else { order.is_gt() } {
            best = item;
        }
    }
    match (rest.is_empty(), class(best)) {
        (true, None) => Err(unordered(best, best)),
        _ => Ok(best.clone()),
    }
}

fn is_nan(value: &Value) -> bool {
    matches!(value, Value::Float(x) if x.is_nan())
}

/// The numbers as floats; `dsk::type` where one is not a real number.
pub fn floats(items: &[Value]) -> Result<Vec<f64>> {
    let float = |v: &Value| match v {
        Value::Bool(b) => Some(f64::from(*b)),
        other => other.as_float(),
    };
    items.iter().map(|v| float(v).ok_or_else(|| err!(Type, "expected numbers, found {}", v.a_type_name()))).collect()
}

/// The arithmetic mean. `dsk::value` of nothing.
pub fn mean(items: &[Value]) -> Result<Value> {
    if items.is_empty() {
        return Err(err!(Value, "there is no mean of nothing"));
    }
    let numbers = floats(items)?;
    Ok(Value::Float(numbers.iter().sum::<f64>() / numbers.len() as f64))
}

/// The variance, with `count - ddof` in the denominator: the mean of squares of deviations, in two passes. `dsk::value`
/// where that is not positive.
pub fn variance(items: &[Value], ddof: f64) -> Result<Value> {
    let numbers = floats(items)?;
    let n = numbers.len() as f64;
    if n - ddof <= 0.0 {
        return Err(err!(Value, "the variance of {n} numbers with `:ddof {ddof}` has no value"));
    }
    let mean = numbers.iter().sum::<f64>() / n;
    Ok(Value::Float(numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - ddof)))
}

/// The standard deviation: the root of [`variance`].
pub fn deviation(items: &[Value], ddof: f64) -> Result<Value> {
    match variance(items, ddof)? {
        Value::Float(x) => Ok(Value::Float(x.sqrt())),
        other => Ok(other),
    }
}

/// Sorts, keeping equals in their order: numbers (`nan` last), strings, bools, lists of them. `dsk::type` where elements
/// have no order.
pub fn sort(items: &mut [Value], reverse: bool) -> Result<()> {
    if let Some(mut ints) = ints(items) {
        let mut other = vec![0; ints.len()];
        i64::sort(&mut ints, &mut other, 1)?;
        let set = |(item, &n): (&mut Value, &i64)| *item = Value::Int(n);
        match reverse {
            false => items.iter_mut().zip(&ints).for_each(set),
            true => items.iter_mut().rev().zip(&ints).for_each(set),
        }
        return Ok(());
    }
    sort_by(items, reverse, |item| item)
}

/// All of them, if they are ints.
fn ints(items: &[Value]) -> Option<Vec<i64>> {
    let int = |item: &Value| match item {
        Value::Int(n) => Some(*n),
        _ => None,
    };
    items.iter().map(int).collect()
}

/// The order in which these keys rise, or fall; equals stay in theirs. Nothing where they are not ints, or too far apart for their places to fit
/// beside them.
pub fn places_by_ints(keys: &[Value], reverse: bool) -> Result<Option<Vec<u32>>> {
    let Some(ints) = ints(keys) else { return Ok(None) };
    let (Some(&least), Some(&most)) = (ints.iter().min(), ints.iter().max()) else { return Ok(Some(Vec::new())) };
    let bits = (ints.len() as u64).ilog2() + 1;
    if bits > 32 || most.abs_diff(least).leading_zeros() < bits {
        return Ok(None);
    }
    let rank = |key: i64| if reverse { most.abs_diff(key) } else { key.abs_diff(least) };
    let mut packed: Vec<u64> = ints.iter().zip(0..).map(|(&key, place)| rank(key) << bits | place).collect();
    let mut other = vec![0; packed.len()];
    u64::sort(&mut packed, &mut other, 1)?;
    Ok(Some(packed.into_iter().map(|key| (key & ((1 << bits) - 1)) as u32).collect()))
}

/// Sorts by what `key` takes of each element.
pub fn sort_by<T>(items: &mut [T], reverse: bool, key: impl Fn(&T) -> &Value) -> Result<()> {
    let ints = items.iter().all(|item| matches!(key(item), Value::Int(_)));
    let int = |item: &T| match key(item) {
        Value::Int(n) => *n,
        _ => 0,
    };
    match (ints, reverse) {
        (true, false) => in_steps(items, |items| items.sort_by_key(int))?,
        (true, true) => in_steps(items, |items| items.sort_by_key(|item| std::cmp::Reverse(int(item))))?,
        _ => {
            // The order is total even among what has none, because a sort must not see a contradiction; the first
            // two without an order are then reported.
            let mut problem = None;
            in_steps(items, |items| {
                items.sort_by(|a, b| {
                    let order = total(key(a), key(b), &mut problem);
                    if reverse { order.reverse() } else { order }
                })
            })?;
            if let Some((a, b)) = problem {
                return Err(unordered(&a, &b));
            }
        }
    }
    if let [only] = &items[..]
        && class(key(only)).is_none()
    {
        return Err(unordered(key(only), key(only)));
    }
    Ok(())
}

/// Sorts longer and longer parts, so that it can be cancelled in between: a stable sort that finds parts in order merges them.
fn in_steps<T>(items: &mut [T], mut sort: impl FnMut(&mut [T])) -> Result<()> {
    cancel::check()?;
    let mut size = 1 << 20;
    while size < items.len() {
        for part in items.chunks_mut(size) {
            sort(part);
            cancel::check()?;
        }
        size *= 4;
    }
    sort(items);
    Ok(())
}

/// Kinds of values that have an order among themselves.
fn class(value: &Value) -> Option<u8> {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Some(0),
        Value::Block(b) if b.ndim() == 0 && !b.dtype().is_complex() => Some(0),
        Value::Str(_) | Value::Keyword(_) => Some(1),
        Value::List(_) => Some(2),
        _ => None,
    }
}

fn total(a: &Value, b: &Value, problem: &mut Option<(Value, Value)>) -> Ordering {
    let (of_a, of_b) = (class(a), class(b));
    match (of_a, of_b) {
        (Some(0), Some(0)) => number::compare(a, b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b))),
        (Some(2), Some(2)) if cancel::cancelled() => Ordering::Equal,
        (Some(2), Some(2)) => deep(|| {
            let (Value::List(x), Value::List(y)) = (a, b) else { return Ordering::Equal };
            let differ = x.iter().zip(y.iter()).map(|(x, y)| total(x, y, problem)).find(|o| o.is_ne());
            differ.unwrap_or_else(|| x.len().cmp(&y.len()))
        }),
        (Some(1), Some(1)) => a.as_text().cmp(&b.as_text()),
        _ => {
            problem.get_or_insert_with(|| (a.clone(), b.clone()));
            of_a.unwrap_or(u8::MAX).cmp(&of_b.unwrap_or(u8::MAX))
        }
    }
}

pub fn unordered(a: &Value, b: &Value) -> crate::text::Error {
    err!(Type, "{} and {} have no order", super::args::described(a), super::args::described(b))
        .help("numbers, strings, and lists of them have one among themselves; `:key` says what to compare")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Code;
    use proptest::prelude::*;

    fn sorted(items: Vec<Value>) -> Result<Vec<Value>, Code> {
        let mut items = items;
        sort(&mut items, false).map(|()| items).map_err(|e| e.code())
    }

    #[test]
    fn nan_comes_last_and_what_has_no_order_is_refused() {
        let got = sorted(vec![Value::Float(f64::NAN), Value::Int(2), Value::Float(1.5), Value::Bool(true)]).unwrap();
        assert_eq!(format!("{got:?}"), "[true, 1.5, 2, nan]");
        assert_eq!(sorted(vec![Value::Int(1), Value::str("a")]).err(), Some(Code::Type));
        assert_eq!(sorted(vec![Value::Nil]).err(), Some(Code::Type));
        assert_eq!(
            sorted(vec![pair(Value::Int(1), Value::Nil), pair(Value::Int(1), Value::Int(2))]).err(),
            Some(Code::Type)
        );
    }

    #[test]
    fn the_elements_of_an_array_are_its_parts_in_any_layout() {
        use crate::data::Block;
        let elements = |block: Block| Seq::of(block.into()).map(|seq| format!("{:?}", &*seq)).ok();
        let range = |start, step, count| crate::data::slice::Range { start, step, count };
        let x = Block::from_slice(&[4], &[1i64, 2, 3, 4]).slice_axis(0, range(3, -2, 2));
        assert_eq!(elements(x).as_deref(), Some("[4, 2]"));
        let large = Block::from_slice(&[2], &[u64::MAX, 7]);
        let large = Seq::of(large.into()).ok().unwrap();
        assert!(matches!(&large[..], [Value::Block(b), Value::Int(7)] if b.get::<u64>(&[]) == u64::MAX));
        let rows = Seq::of(Block::from_slice(&[2, 1], &[1.5, 2.5]).into()).ok().unwrap();
        assert!(matches!(&rows[..], [Value::Block(a), Value::Block(_)] if a.shape() == [1]));
    }

    #[test]
    fn long_lists_are_sorted_in_steps_and_can_be_cancelled() {
        let numbers = || (0..(1i64 << 20) + 12_345).map(|n| Value::Int(n * 7919 % 1_000_003)).collect::<Vec<_>>();
        let mut items = numbers();
        sort(&mut items, true).unwrap();
        assert!(items.windows(2).all(|w| w[0].as_int() >= w[1].as_int()));
        let cancelled = std::sync::atomic::AtomicBool::new(true);
        let stopped = cancel::during(&cancelled, || sort(&mut numbers(), false));
        assert_eq!(stopped.map_err(|e| e.code()), Err(Code::Interrupted));
    }

    #[test]
    fn an_unshared_list_is_moved() {
        let value = Value::from(vec![1i64, 2, 3]);
        let Value::List(list) = &value else { unreachable!() };
        let before = list.as_ptr();
        let Ok(seq) = Seq::of(value) else { unreachable!() };
        let moved = seq.into_vec();
        assert_eq!(moved.as_ptr(), before);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            "[a-c]{0,2}".prop_map(Value::from),
            Just(Value::Nil),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::list))
    }

    proptest! {
        /// The sort of the standard library may panic when an order contradicts itself.
        #[test]
        fn any_values_are_sorted_or_refused(items in prop::collection::vec(values(), 0..60)) {
            let n = items.len();
            if let Ok(sorted) = sorted(items) {
                prop_assert_eq!(sorted.len(), n);
                for two in sorted.windows(2) {
                    prop_assert!(number::compare(&two[0], &two[1]).is_none_or(|o| o.is_le()));
                }
            }
        }
    }
}
