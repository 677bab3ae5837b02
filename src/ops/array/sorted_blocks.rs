//! Sorting and quantiles of one axis in several blocks, without bringing these together.
//!
//! Blocks are sorted by themselves, and samples of all of them tell about where each block of the result begins ([`select`]). What
//! lies there in each sorted block tells it exactly, so that the result has the blocks that it is declared to have:
//!
//! ```text
//! sorted      (sort-along [x i])
//! samples     (sort-samples [sorted i] …)
//! brackets    (sort-brackets … [samples 0] [samples 1] …)
//! candidates  (sort-candidates [sorted i] brackets)
//! cuts        (sort-cuts brackets … [candidates 0] [candidates 1] …)
//! pieces      (sorted-part [sorted i] cuts i j)
//! result      (merge-sorted [pieces 0 j] [pieces 1 j] …)
//! ```
//!
//! Quantiles are known when the candidates are. How large candidates and pieces are depends on data; what is declared of them are the sizes that
//! are to be expected, whose sum holds whatever the data are.

use crate::data::{Array, At, Axis, BlockRef, Body, Chunks, Cost, DType, Input, Task, Value};
use crate::kernel::select;
use crate::kernel::sort::{Method, quantile_dtype};
use crate::op::Token;
use crate::op::layers::{Parents, Plan, call, ints};
use crate::op::recut::recut;
use crate::text::Span;

/// Bytes of an array that is brought together sooner than all these tasks are gone through.
const SMALL: usize = 4 << 20;
/// Blocks that an array is sorted in, at most.
const MOST_BLOCKS: usize = 256;
/// Elements of a piece, of which there are as many as the square of the number of blocks, about and at least.
const PIECE: usize = 256;

/// The array in the blocks that it is sorted in, if it is to be sorted block by block.
pub fn in_blocks(array: &Array) -> Option<Vec<usize>> {
    if array.ndim() != 1 || array.dtype.is_complex() || array.chunks.block_count() < 2 || array.nbytes() <= SMALL {
        return None;
    }
    let len = array.len();
    let least = len.div_ceil(((len / PIECE).isqrt()).clamp(1, MOST_BLOCKS));
    let mut together: Vec<usize> = Vec::new();
    let mut open = 0;
    for &n in array.chunks.axis(0).iter() {
        open += n;
        if open >= least {
            together.push(std::mem::take(&mut open));
        }
    }
    if open > 0 {
        together.push(open);
    }
    (together.len() > 1).then_some(together)
}

/// An array of one axis, sorted in these blocks; the result has the blocks of the array.
pub fn sorted(array: &Array, lengths: Vec<usize>, span: Span) -> Array {
    let x = recut(array, Chunks::new(vec![lengths]), span);
    let bounds = bounds(&x);
    let ranks = inner(&bounds);
    let most = most_samples(ranks.len(), &x);
    recut(&Sorting { x: sorted_each(&x, span), most, span }.sorted(&bounds, &ranks), array.chunks.clone(), span)
}

/// Quantiles of an array of one axis, block by block.
pub fn quantiles(
    array: &Array,
    lengths: Vec<usize>,
    qs: &[f64],
    (method, skip_nan): (Method, bool),
    name: &Value,
    span: Span,
) -> Array {
    let x = recut(array, Chunks::new(vec![lengths]), span);
    let most = most_samples(2 * qs.len(), &x);
    Sorting { x: sorted_each(&x, span), most, span }.quantiles(qs, method, skip_nan, name)
}

fn bounds(x: &Array) -> Vec<usize> {
    x.chunks.bounds(0)
}

/// The bounds within the array, each once.
fn inner(bounds: &[usize]) -> Vec<usize> {
    let len = bounds.last().copied().unwrap_or(0);
    let mut ranks: Vec<usize> = bounds.iter().copied().filter(|&bound| 0 < bound && bound < len).collect();
    ranks.dedup();
    ranks
}

/// Samples of a block, such that all of them are about as many as the candidates will be.
fn most_samples(ranks: usize, x: &Array) -> usize {
    const LEAST: usize = 1 << 10;
    let all = 2.0 * ranks as f64 * x.len() as f64;
    ((all / x.chunks.block_count() as f64).sqrt() as usize).max(LEAST)
}

fn sorted_each(x: &Array, span: Span) -> Array {
    let task = call("sort-along", vec![Task::input(0)], vec![("axis", Task::data(0usize))]);
    let plan = Plan {
        token: Token::new("sort-along").with("each").layer(&x.layer),
        parents: vec![x.layer.clone()],
        dtype: x.dtype,
        chunks: x.chunks.clone(),
        cost: Cost::Dear,
        span,
    };
    plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at: At::same(1) }], task })
}

/// An array whose blocks are sorted, each by itself, and how many samples are taken of each.
struct Sorting {
    x: Array,
    most: usize,
    span: Span,
}

impl Sorting {
    fn lengths(&self) -> &[usize] {
        self.x.chunks.axis(0)
    }

    /// A layer of what is told of each sorted block, with what is known of all of them.
    fn each(&self, lengths: Vec<usize>, all: Option<&Array>, task: Task) -> Array {
        let mut parents = Parents::default();
        let mut inputs = vec![Input { parent: parents.add(&self.x.layer), at: At::same(1) }];
        let mut token = Token::new(head(&task)).task(&task).layer(&self.x.layer);
        if let Some(all) = all {
            inputs.push(Input { parent: parents.add(&all.layer), at: At([Axis::Block(0)].into_iter().collect()) });
            token = token.layer(&all.layer);
        }
        let chunks = Chunks::new(vec![lengths]);
        let plan =
            Plan { token, parents: parents.layers, dtype: DType::I64, chunks, cost: Cost::Dear, span: self.span };
        plan.array(Body::Blockwise { inputs, task })
    }

    /// A layer of one task, of one block of each of `alone` and all blocks of `all`, in this order.
    fn one(
        &self,
        dtype: DType,
        shape: &[usize],
        alone: &[&Array],
        all: &Array,
        task: impl Fn(Vec<Task>) -> Task,
    ) -> Array {
        let mut parents = Parents::default();
        let mut inputs = Vec::new();
        let mut token = Token::new("");
        for (array, blocks) in alone.iter().map(|&a| (a, 1)).chain([(all, all.chunks.block_count())]) {
            token = token.layer(&array.layer);
            let parent = parents.add(&array.layer);
            let block = |n| Input { parent, at: At([Axis::Block(n as u32)].into_iter().collect()) };
            inputs.extend((0..blocks).map(block));
        }
        let task = task((0..inputs.len()).map(Task::input).collect());
        let token = Token::new(head(&task)).with(token.hash()).task(&task);
        let chunks = Chunks::whole(shape);
        let plan = Plan { token, parents: parents.layers, dtype, chunks, cost: Cost::Dear, span: self.span };
        plan.array(Body::Blockwise { inputs, task })
    }

    fn samples(&self) -> Array {
        let task = call("sort-samples", vec![Task::input(0), Task::data(self.most)], Vec::new());
        let len = |&n: &usize| 1 + select::sample_count(n, self.most);
        self.each(self.lengths().iter().map(len).collect(), None, task)
    }

    /// The brackets of so many ranks, which the first arguments of the op say, and the candidates of these.
    fn candidates(&self, ranks: usize, name: &'static str, first: &[Task]) -> (Array, Array) {
        let with = |tasks| {
            let data = [Task::data(ints(self.lengths())), Task::data(self.most)];
            call(name, first.iter().cloned().chain(data).chain(tasks).collect(), Vec::new())
        };
        let samples = self.samples();
        let brackets = self.one(DType::I64, &[1 + 3 * ranks], &[], &samples, with);
        let task = call("sort-candidates", vec![Task::input(0), Task::input(1)], Vec::new());
        let few = |n: usize| (2 * n).div_ceil(select::sample_count(n, self.most).max(1));
        let lengths = self.lengths().iter().map(|&n| ranks * (select::SHARE + few(n))).collect();
        let candidates = self.each(lengths, Some(&brackets), task);
        (brackets, candidates)
    }

    fn sorted(&self, bounds: &[usize], ranks: &[usize]) -> Array {
        let (brackets, candidates) = self.candidates(ranks.len(), "sort-brackets", &[Task::data(ints(ranks))]);
        let shape = [self.lengths().len(), bounds.len()];
        let cuts = self.one(DType::I64, &shape, &[&brackets], &candidates, |mut tasks| {
            let candidates = tasks.split_off(1);
            let data = [self.lengths(), bounds].map(|numbers| Task::data(ints(numbers)));
            call("sort-cuts", tasks.into_iter().chain(data).chain(candidates).collect(), Vec::new())
        });
        self.merged(&self.pieces(&cuts, bounds), bounds)
    }

    /// The pieces of all blocks, those of one block one after the other.
    fn pieces(&self, cuts: &Array, bounds: &[usize]) -> Array {
        let parts = bounds.len() - 1;
        let len = self.x.len().max(1) as f64;
        let expected =
            |n: usize| bounds.windows(2).map(move |b| (n as f64 * (b[1] - b[0]) as f64 / len).ceil() as usize);
        let mut parents = Parents::default();
        let (x, at) = (parents.add(&self.x.layer), parents.add(&cuts.layer));
        let plan = Plan {
            token: Token::new("sorted-part").layer(&self.x.layer).layer(&cuts.layer),
            parents: parents.layers,
            dtype: self.x.dtype,
            chunks: Chunks::new(vec![self.lengths().iter().flat_map(|&n| expected(n)).collect()]),
            cost: Cost::Dear,
            span: self.span,
        };
        plan.per_block(move |index| {
            let (block, part) = (index[0] as usize / parts, index[0] as usize % parts);
            let blocks = vec![
                BlockRef { parent: x, index: [block as u32].into_iter().collect() },
                BlockRef { parent: at, index: [0, 0].into_iter().collect() },
            ];
            let items = vec![Task::input(0), Task::input(1), Task::data(block), Task::data(part)];
            (blocks, call("sorted-part", items, Vec::new()))
        })
    }

    /// The blocks of the result, each of one piece of every block.
    fn merged(&self, pieces: &Array, bounds: &[usize]) -> Array {
        let (blocks, parts) = (self.lengths().len(), bounds.len() - 1);
        let plan = Plan {
            token: Token::new("sort").layer(&pieces.layer),
            parents: vec![pieces.layer.clone()],
            dtype: self.x.dtype,
            chunks: Chunks::new(vec![bounds.windows(2).map(|b| b[1] - b[0]).collect()]),
            cost: Cost::Dear,
            span: self.span,
        };
        plan.per_block(move |index| {
            let piece = |block| {
                let at = block * parts + index[0] as usize;
                BlockRef { parent: 0, index: [at as u32].into_iter().collect() }
            };
            let tasks = (0..blocks).map(Task::input).collect();
            ((0..blocks).map(piece).collect(), call("merge-sorted", tasks, Vec::new()))
        })
    }

    fn quantiles(&self, qs: &[f64], method: Method, skip_nan: bool, name: &Value) -> Array {
        let list = Task::data(Value::list(qs.iter().copied().map(Value::Float).collect()));
        let asked = [list, Task::data(name.clone()), Task::data(Value::Bool(skip_nan))];
        let ranks = 2 * qs.len();
        let (brackets, candidates) = self.candidates(ranks, "quantile-brackets", &asked);
        let keys =
            self.one(DType::I64, &[ranks], &[&brackets], &candidates, |tasks| call("sort-keys", tasks, Vec::new()));
        let (length, dtype) = (self.x.len(), self.x.dtype);
        self.one(quantile_dtype(dtype, method), &[qs.len()], &[&keys], &brackets, |tasks| {
            let last = [Task::data(length), Task::data(Value::keyword(dtype.name()))];
            call("quantiles-of-keys", tasks.into_iter().chain(asked.clone()).chain(last).collect(), Vec::new())
        })
    }
}

/// The op that a task calls.
fn head(task: &Task) -> crate::data::Str {
    match &task.form {
        crate::data::Form::Call(items) => items.first().and_then(Task::as_symbol).map(Into::into),
        _ => None,
    }
    .unwrap_or_else(|| "sort".into())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Choices, Small, from_text};
    use super::*;
    use crate::data::{Block, Key};
    use crate::kernel::sort;
    use crate::op::layers::constant;
    use crate::schedule::Config;
    use crate::text::Result;
    use proptest::prelude::*;

    const METHODS: &[&str] = &[
        "median",
        "linear",
        "lower",
        "higher",
        "midpoint",
        "nearest",
        "inverted-cdf",
        "averaged-inverted-cdf",
        "closest-observation",
        "interpolated-inverted-cdf",
        "hazen",
        "weibull",
        "median-unbiased",
        "normal-unbiased",
    ];

    const DTYPES: &[DType] =
        &[DType::F64, DType::F64, DType::F32, DType::I64, DType::I8, DType::U64, DType::U16, DType::Bool];

    /// Numbers of which many are equal, and some are none.
    fn numbers(choices: &mut Choices, len: usize) -> Block {
        let (dtype, spread) = (choices.of(DTYPES), choices.of(&[1, 3, 1000]));
        let number = |c: &mut Choices| match c.below(12) {
            0 => c.of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            1 => c.of(&[-0.0, 0.0]),
            _ => c.below(spread) as f64 - spread as f64 / 4.0,
        };
        let with_nan = choices.coin();
        let numbers: Vec<f64> = (0..len).map(|_| number(choices)).collect();
        let numbers: Vec<f64> = numbers.iter().map(|&x| if x.is_nan() && !with_nan { 1.0 } else { x }).collect();
        Block::from_slice(&[len], &numbers).cast(dtype).unwrap()
    }

    /// Blocks, some of which may be empty.
    fn lengths(choices: &mut Choices, len: usize) -> Vec<usize> {
        let mut bounds: Vec<usize> = (0..1 + choices.below(6)).map(|_| choices.below(len + 1)).collect();
        bounds.extend([0, len]);
        bounds.sort_unstable();
        bounds.windows(2).map(|b| b[1] - b[0]).collect()
    }

    fn bits(block: &Block) -> Vec<u64> {
        with_bits(block).unwrap()
    }

    fn with_bits(block: &Block) -> Result<Vec<u64>> {
        Ok(match block.dtype() {
            DType::F64 => block.view::<f64>().iter().map(|x| x.to_bits()).collect(),
            DType::F32 => block.view::<f32>().iter().map(|x| x.to_bits().into()).collect(),
            DType::U64 => block.view::<u64>().iter().copied().collect(),
            _ => block.cast(DType::I64)?.view::<i64>().iter().map(|&x| x as u64).collect(),
        })
    }

    fn computed(small: &Small, array: &Array, config: &Config) -> Block {
        match small.computed(&Value::Array(array.clone().into()), config).unwrap() {
            Value::Block(block) => (*block).clone(),
            other => panic!("{other:?} is no block"),
        }
    }

    /// That an array is this block, however it is computed, and in the blocks that it says.
    fn check(small: &Small, array: &Array, whole: &Block, story: &str) -> std::result::Result<(), TestCaseError> {
        prop_assert_eq!(array.dtype, whole.dtype(), "{}", story);
        for (workers, optimize) in [(1, false), (1, true), (3, true)] {
            let found = computed(small, array, &Config { workers, optimize, ..Config::default() });
            prop_assert_eq!(bits(&found), bits(whole), "{} workers, {}: {:?} {:?}", workers, story, found, whole);
        }
        let names = from_text(small, &array.layer).unwrap();
        for index in array.layer.indices() {
            let key = Key::block(array.layer.name.clone(), &index);
            let Some(Value::Block(block)) = names.get(&key.to_string()) else { panic!("{key} is no block") };
            prop_assert_eq!(block.shape(), &*array.chunks.block_shape(&index), "{}", story);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        /// However few samples are taken: only the candidates are more then.
        #[test]
        fn blocks_are_sorted_as_the_whole_is(seed in any::<u64>(), len in 0usize..80, most in 1usize..8) {
            let (small, mut choices) = (Small::new(), Choices(seed));
            let block = numbers(&mut choices, len);
            let x = constant(&block, Chunks::new(vec![lengths(&mut choices, len)]), Span::NONE);
            let story = format!("{block:?} in blocks of {:?}, {most} samples", x.chunks);
            let bounds = bounds(&x);
            let sorting = Sorting { x: sorted_each(&x, Span::NONE), most, span: Span::NONE };
            let sorted = sorting.sorted(&bounds, &inner(&bounds));
            prop_assert_eq!(&sorted.chunks, &x.chunks);
            check(&small, &sorted, &sort::sort(&block, 0, 1).unwrap(), &story)?;
        }

        #[test]
        fn quantiles_of_blocks_are_those_of_the_whole(seed in any::<u64>(), len in 1usize..80, most in 1usize..8) {
            let (small, mut choices) = (Small::new(), Choices(seed));
            let block = numbers(&mut choices, len);
            let x = constant(&block, Chunks::new(vec![lengths(&mut choices, len)]), Span::NONE);
            let qs: Vec<f64> = (0..1 + choices.below(4)).map(|_| choices.below(101) as f64 / 100.0).collect();
            let (name, skip_nan) = (choices.of(METHODS), choices.coin());
            let method = Method::parse(name).unwrap();
            let story = format!("{qs:?} {name} {skip_nan} of {block:?} in blocks of {:?}, {most} samples", x.chunks);
            let sorting = Sorting { x: sorted_each(&x, Span::NONE), most, span: Span::NONE };
            let found = sorting.quantiles(&qs, method, skip_nan, &Value::from(name));
            check(&small, &found, &sort::quantiles(&block, 0, &qs, (method, skip_nan), 1).unwrap(), &story)?;
        }
    }

    /// Of all elements, it does not matter where they lie: small arrays and large ones, of several axes.
    #[test]
    fn flattened_arrays_are_sorted_by_their_blocks() {
        let small = Small::new();
        for (shape, chunks, blocks) in
            [("[12 10]", "[5 4]", 1), ("[700 1000]", "[300 260]", 12), ("[1000000]", "300000", 4), ("[]", "[]", 1)]
        {
            let x = format!("(random/normal 0 1 {shape} :chunks {chunks} :seed 1)");
            let whole = small.computed(&small.text(&x).unwrap(), &Config::default()).unwrap();
            for op in ["sort-along x :axis nil", "quantiles-along x [0 0.3 1] :axis nil", "topk-along x 3"] {
                if shape == "[]" && op.starts_with("topk") {
                    continue;
                }
                let form = crate::read::read_one(crate::text::SourceId(1), &format!("({op})")).unwrap();
                let of = |x: Value| small.eval(&form, &[("x".to_string(), x)].into_iter().collect()).unwrap();
                let lazy = of(small.text(&x).unwrap());
                if let (Value::Array(array), true) = (&lazy, op.starts_with("sort")) {
                    assert_eq!(array.chunks.block_count(), blocks, "{op} of {shape}");
                }
                let found = small.computed(&lazy, &Config { workers: 2, ..Config::default() }).unwrap();
                let expected = of(crate::kernel::create::from_value(&whole, None).unwrap().into());
                assert!(found.same(&expected), "{op} of {shape}: {found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn blocks_are_put_together_where_they_are_many() {
        let lengths = |n: usize, blocks: usize| {
            let x = constant(&Block::alloc(DType::U8, &[0]), Chunks::new(vec![vec![0]]), Span::NONE);
            let chunks = Chunks::new(vec![vec![n / blocks; blocks]]);
            in_blocks(&Array { chunks, ..x })
        };
        assert_eq!(lengths(4 << 20, 4), None);
        assert_eq!(lengths(8 << 20, 4), Some(vec![2 << 20; 4]));
        assert_eq!(lengths(8 << 20, 1 << 15), Some([vec![46592; 180], vec![2048]].concat()));
        assert_eq!(lengths(1 << 30, 1 << 15), Some(vec![1 << 22; 256]));
    }
}
