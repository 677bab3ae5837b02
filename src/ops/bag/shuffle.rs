//! What needs elements of other partitions beside its own: groups, and running folds.

use super::each::pairs_of;
use crate::data::{Args, BlockRef, Dims, Map, Task, Value};
use crate::err;
use crate::op;
use crate::op::bags::{check_count, layer, partition, partitionwise, per_task, value};
use crate::op::layers::call;
use crate::op::sequence::put;
use crate::op::{Inputs, Kind, Op, Token};
use crate::ops::core::group::{add_to_group, keyed};
use crate::text::Result;
use smallvec::smallvec;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Over("coll", dealt), "(bag/dealt key n coll)",
        "A partition dealt out to `n` by the keys of its elements: that many lists of pairs `[key elements]`. Which one a key goes to is the same \
         in every process.",
        ["(bag/dealt even? 1 [1 2 3])" => "[[[false [1 3]] [true [2]]]]"], ["groupby"]),
    op!(Kind::Over("dealt", gathered), "(bag/gathered dealt)", "The groups of lists that partitions were dealt out to.",
        ["(bag/gathered [[[false [1]]] [[false [3]] [true [2]]]])" => "[[false [1 3]] [true [2]]]"], ["groupby"]),
    op!(Kind::Over("coll", carried), "(bag/carried f coll carry :first false)",
        "`[carry steps]`: the steps of a running fold over a partition, and the list of the last of all so far. The `:first` one begins with \
         what it was given.",
        ["(bag/carried + [1 2] [10])" => "[[13] [11 13]]", "(bag/carried + [1 2] [])" => "[[3] [1 3]]"], ["accumulate"]),
];

/// `(groupby key b)`: every partition dealt out by keys, then gathered.
pub fn groupby(args: Args) -> Result<Value> {
    let Some(bag) = layer(args.value("coll")).cloned() else { return args.host.delay(&args) };
    let have = bag.grid[0];
    let n = match args.size_or_nil("npartitions")? {
        Some(0) => return Err(err!(Value, "groupby: there is at least one partition").label(args.span, "in this call")),
        n => check_count(n.unwrap_or(have))?,
    };
    let mut inputs = Inputs::default();
    let key = inputs.task(args.value("key"));
    let task = call("bag/dealt", vec![key, Task::data(n), inputs.of_partition(args.value("coll"))], Vec::new());
    let Value::Delayed(dealt) = partitionwise("dealt", have, inputs, task, args.span) else { return Ok(Value::Nil) };
    // Each list is a task of its own, so that those which have to wait can do so on disk.
    let parts = check_count(have.saturating_mul(n))?;
    let dealt = per_task(Token::new("deal"), smallvec![parts], vec![dealt.layer.clone()], args.span, move |at| {
        (vec![partition(0, at / n)], call("get", vec![Task::input(0), Task::data(at % n)], Vec::new()))
    });
    let made = per_task(Token::new("groupby").with(n), smallvec![n], vec![dealt], args.span, move |k| {
        let all = Task::list((0..have).map(Task::input).collect());
        ((0..have).map(|p| partition(0, p * n + k)).collect(), call("bag/gathered", vec![all], Vec::new()))
    });
    Ok(value(made))
}

fn dealt(mut args: Args) -> Result<Value> {
    let mut dealt = Dealt::new(args.size("n")?)?;
    let key = args.take("key");
    let items = args.seq("coll")?.into_vec();
    keyed(&args, &key, items)?.into_iter().try_for_each(|(key, item)| dealt.add(key, item))?;
    Ok(dealt.into_value())
}

/// Elements by their keys, dealt out to so many.
pub struct Dealt(Vec<Map>);

impl Dealt {
    pub fn new(n: usize) -> Result<Dealt> {
        let mut groups = Vec::new();
        groups.resize_with(check_count(n.max(1))?, Map::new);
        Ok(Dealt(groups))
    }

    pub fn add(&mut self, key: Value, item: Value) -> Result<()> {
        // SipHash with fixed keys, of what keys are compared by.
        let mut state = DefaultHasher::new();
        key.hash_into(&mut state);
        let n = self.0.len() as u64;
        add_to_group(&mut self.0[(state.finish() % n) as usize], key, item)
    }

    pub fn into_value(self) -> Value {
        Value::list(self.0.into_iter().map(pairs_of).collect())
    }
}

fn gathered(mut args: Args) -> Result<Value> {
    let wrong = || err!(Type, "bag/gathered: expected lists of pairs `[key elements]`");
    let mut groups = Map::new();
    for dealt in args.seq("dealt")?.into_vec() {
        let Value::List(pairs) = dealt else { return Err(wrong()) };
        for (n, pair) in Arc::unwrap_or_clone(pairs).into_vec().into_iter().enumerate() {
            args.check_interrupt(n)?;
            let Value::List(pair) = pair else { return Err(wrong()) };
            let Ok([key, Value::List(items)]) = <[Value; 2]>::try_from(Arc::unwrap_or_clone(pair)) else {
                return Err(wrong());
            };
            match groups.get_mut(&key) {
                Some(Value::List(group)) => Arc::make_mut(group).extend(Arc::unwrap_or_clone(items).into_vec()),
                _ => put(&mut groups, key, Value::List(items))?,
            }
        }
    }
    Ok(pairs_of(groups))
}

/// `(accumulate f b)`: partition after partition, each from what the one before ended with.
pub fn accumulate(args: Args) -> Result<Value> {
    let Some(bag) = layer(args.value("coll")).cloned() else { return args.host.delay(&args) };
    let n = bag.grid[0];
    let mut inputs = Inputs::default();
    let f = inputs.task(args.value("f"));
    let given = args.is_given("initial");
    let from = if given { vec![inputs.task(args.value("initial"))] } else { Vec::new() };
    let whole = |at: usize| BlockRef { parent: at, index: smallvec![] };
    if !matches!(
        (&f.form, from.first().map(|t| &t.form)),
        (crate::data::Form::Data(_), None | Some(crate::data::Form::Data(_)))
    ) {
        return args.host.delay(&args);
    }
    let mut steps: Vec<Arc<crate::data::Layer>> = Vec::with_capacity(n);
    for p in 0..n {
        let before = steps.last().cloned();
        let carry = match &before {
            Some(_) => call("get", vec![Task::input(1), Task::data(0usize)], Vec::new()),
            None => Task::list(from.clone()),
        };
        let first = (p == 0 && given).then(|| ("first", Task::data(Value::Bool(true))));
        let task = call("bag/carried", vec![f.clone(), Task::input(0), carry], first.into_iter().collect());
        let refs: Vec<BlockRef> = std::iter::once(partition(0, p)).chain(before.iter().map(|_| whole(1))).collect();
        let parents = std::iter::once(bag.clone()).chain(before).collect();
        let token = Token::new("carried").with(p).task(&task);
        steps.push(per_task(token, Dims::new(), parents, args.span, move |_| (refs.clone(), task.clone())));
    }
    let made = per_task(Token::new("accumulate"), smallvec![n], steps, args.span, move |p| {
        (vec![whole(p)], call("get", vec![Task::input(0), Task::data(1usize)], Vec::new()))
    });
    Ok(value(made))
}

fn carried(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut carry = args.list("carry")?;
    let mut all = if args.bool("first")? { carry.clone() } else { Vec::new() };
    for (n, item) in args.seq("coll")?.into_vec().into_iter().enumerate() {
        args.check_interrupt(n)?;
        let total = match carry.pop() {
            Some(total) => args.apply(&f, [total, item])?,
            None => item,
        };
        all.push(total.clone());
        carry.push(total);
    }
    Ok(Value::list(vec![Value::list(carry), Value::list(all)]))
}
