//! The passes on graphs made by hand: what they make of a graph, and that it answers the same.

use dsk::Engine;
use std::time::{Duration, Instant};

/// A dataset of 1000 numbers, and an engine that reads it as `f`.
struct Session {
    engine: Engine,
    file: String,
    _folder: tempfile::TempDir,
}

impl Session {
    fn new() -> Session {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("{}::/x", folder.path().join("data.h5").display());
        let engine = Engine::new();
        engine.eval(&format!("(store (arange 1000.0 :chunks 100) \"{file}\")")).unwrap();
        Session { engine, file, _folder: folder }
    }

    #[track_caller]
    fn said(&self, expression: &str) -> String {
        let expression = expression.replace("FILE", &format!("\"{}\"", self.file));
        let value = self.engine.eval(&expression).unwrap_or_else(|e| panic!("{expression}: {e:?}"));
        dsk::read::print(&value).replace(&format!("\"{}\"", self.file), "FILE")
    }

    /// What a pass makes of a graph, as a map of tasks, its keys computing to the same.
    #[track_caller]
    fn pass(&self, pass: &str, graph: &str, keys: &str) -> String {
        let optimized = format!("(optimize '{{{graph}}} :keys {keys} :passes [:{pass}])");
        let answers = |graph: &str| self.said(&format!("(compute {graph} {keys} :optimize false)"));
        assert_eq!(answers(&optimized), answers(&format!("(graph '{{{graph}}})")), "{graph}");
        let printed = self.said(&optimized);
        printed.trim_start_matches("(graph '{").trim_end_matches("})").replace("\n  ", ", ")
    }
}

#[test]
fn each_pass_on_its_own() {
    let session = Session::new();
    let said = |call: &str| {
        session.engine.eval("(def g (graph '{x 1, y (inc x), z (add y 10), other (inc x)}))").unwrap();
        session.said(call).trim_start_matches("(graph '{").trim_end_matches("})").replace("\n  ", ", ")
    };
    assert_eq!(said("(cull g ['z])"), "x 1, y (inc x), z (add y 10)");
    assert_eq!(said("(inline g ['y])"), "x 1, y (inc 1), z (add (inc 1) 10), other (inc 1)");
    assert_eq!(said("(inline-functions g [inc])"), "x 1, z (add (inc x) 10), other (inc x)");
    assert_eq!(said("(fuse (cull g ['z]))"), "z (add (inc 1) 10)");
    assert_eq!(said("(fuse (cull g ['z]) ['y])"), "y (inc 1), z (add y 10)");
    let error = session.engine.eval("(cull g ['othr])").unwrap_err();
    assert_eq!(error.help_lines(), ["did you mean `other`?"]);
    // A function that is called is not a key.
    assert_eq!(said("(dependencies (graph '{inc 1, y (inc inc)}) 'y)"), "[inc]");
    assert_eq!(said("(inline (graph '{inc 1, y (inc inc)}))"), "inc 1, y (inc 1)");
}

#[test]
fn what_is_put_into_a_special_form_keeps_to_its_scope() {
    let session = Session::new();
    for (graph, inlined, answer) in [
        ("x 1, y (let [x 2] x)", "x 1, y ((fn [x] (let [x 2] x)) 1)", "2"),
        ("x 1, y (+ x (let [z 2] (* x z)))", "x 1, y (+ 1 ((fn [x] (let [z 2] (* x z))) 1))", "3"),
        ("[x 0] 5, y (if [x 0] 7 8)", "[x 0] 5, y ((fn [|x 0|] (if |x 0| 7 8)) 5)", "7"),
        ("x 1, y (let [z 2] z)", "x 1, y (let [z 2] z)", "2"),
    ] {
        let of = |g: &str| session.said(&format!("(compute {g} 'y)"));
        let call = format!("(inline (graph '{{{graph}}}))");
        let printed = session.said(&call);
        assert_eq!(printed.trim_start_matches("(graph '{").trim_end_matches("})").replace("\n  ", ", "), inlined);
        assert_eq!(of(&call), answer, "{graph}");
        assert_eq!(of(&format!("(graph '{{{graph}}})")), answer, "{graph}");
        // A chain whose only link is named within the form, and a printed graph that is read back.
        assert_eq!(of(&format!("(fuse (graph '{{{graph}}}) ['y])")), answer, "{graph}");
        assert_eq!(of(&printed), answer, "{graph}");
    }
}

#[test]
fn a_task_that_doubles_without_end_is_refused() {
    let tasks: String = (1..64).map(|n| format!(" k{n} (add k{} k{})", n - 1, n - 1)).collect();
    let keys: String = (0..64).map(|n| format!(" 'k{n}")).collect();
    let error = Engine::new().eval(&format!("(inline (graph '{{k0 1{tasks}}}) [{keys}])")).unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::limit");
}

#[test]
fn slices_go_down_to_what_is_read() {
    let session = Session::new();
    let sliced = |graph: &str, keys: &str| session.pass("slice", graph, keys);
    assert_eq!(sliced("x (read FILE 100:) y (slice x :10)", "['y]"), "y (read FILE 100:110)");
    assert_eq!(sliced("y (slice (slice (read FILE ::2) 3:) 1:20:3)", "['y]"), "y (read FILE 8:46:6)");
    assert_eq!(
        sliced("x (read FILE) a (* x 2) b (sqrt a) y (sum (slice b 10:20))", "['y]"),
        "y (sum (sqrt (* (read FILE 10:20) 2)))"
    );
    // What is wanted, or named otherwise, is read whole anyway; two parts might decode the same chunk.
    for (graph, keys) in [
        ("x (read FILE 100:), y (slice x :10)", "['x 'y]"),
        ("x (read FILE 100:), y (slice x :10), z (sum x)", "['y 'z]"),
        ("x (read FILE 100:), y (slice x :10), z (slice x 10:)", "['y 'z]"),
        // How long what is read is nobody knows.
        ("y (slice (read FILE) -10:)", "['y]"),
        ("y (slice (read FILE) ::-1)", "['y]"),
        ("y (slice (read FILE) 3)", "['y]"),
        // Not elementwise; and a form that is about a slice.
        ("y (slice (reshape (read FILE) 1000) :10)", "['y]"),
        ("y '(slice (read FILE) :10)", "['y]"),
    ] {
        assert_eq!(sliced(graph, keys), graph, "{graph}");
    }
}

#[test]
fn slices_go_down_to_what_is_made() {
    let session = Session::new();
    let sliced = |graph: &str, keys: &str| session.pass("slice", graph, keys);
    assert_eq!(sliced("y (slice (ones [5 4]) :3)", "['y]"), "y (ones [3 4])");
    assert_eq!(sliced("y (slice (full 5 2.5 :dtype :f4) -2:)", "['y]"), "y (full [2] 2.5 :dtype :f4)");
    assert_eq!(
        sliced("x (zeros [4 4]) y (slice x :1) z (slice x : 1:)", "['y 'z]"),
        "y (zeros [1 4]), z (zeros [4 3])"
    );
    assert_eq!(
        sliced("y (slice (random/normal 0 1 [10 10] :seed 7) 2:5)", "['y]"),
        "y (random/normal 0 1 [10 10] :seed 7 :part [[2 5] [0 10]])"
    );
    assert_eq!(
        sliced("y (slice (random/random [10] :seed 7 :dtype :f4) -3:)", "['y]"),
        "y (random/random [10] :seed 7 :dtype :f4 :part [[7 10]])"
    );
    assert_eq!(
        sliced("y (slice (random/integers 3 9 20 :seed 7) 4:6)", "['y]"),
        "y (random/integers 3 9 20 :seed 7 :part [[4 6]])"
    );
    // Other numbers each time: no part of the same.
    let optimized = session.said("(optimize '{y (slice (random/random 10) :3)} :passes [:slice])");
    assert_eq!(optimized, "(graph '{y (slice (random/random 10) :3)})");
    // An index that is out of range fails as before.
    let wrong = session.engine.eval("(compute (optimize '{y (slice (ones 5) :3 :3)}) 'y)").unwrap_err();
    assert_eq!(wrong.code().as_str(), "dsk::index");
}

#[test]
fn what_is_cheap_is_made_again_for_those_who_need_it_late() {
    let session = Session::new();
    let again = |graph: &str, keys: &str| session.pass("rematerialize", graph, keys);
    assert_eq!(
        again(
            "a (read FILE :500), b (read FILE 500:), m (/ (+ (sum a) (sum b)) 1000), y (sum (- a m)), z (sum (- b m))",
            "['y 'z]"
        ),
        "a (read FILE :500), b (read FILE 500:), m (/ (+ (sum a) (sum b)) 1000), \
         y (sum (- (read FILE :500) m)), z (sum (- (read FILE 500:) m))"
    );
    // By way of a tree, and of random numbers with a seed.
    assert_eq!(
        again(
            "a (random/random 9 :seed 1), b (ones 9), p (sum a), q (sum b), s (+ p q), m (/ s 18), y (- a m), z (* b 2)",
            "['y 'z]"
        ),
        "a (random/random 9 :seed 1), b (ones 9), p (sum a), q (sum b), s (+ p q), m (/ s 18), \
         y (- (random/random 9 :seed 1) m), z (* b 2)"
    );
    for (graph, keys) in [
        // Nobody waits for anybody.
        ("a (ones 3), y (+ a 1), z (* a 2)", "['y 'z]"),
        // It waits, but nothing else is held meanwhile.
        ("a (ones 3), m (sum a), y (- a m)", "['y]"),
        // Dear, made of something else, other numbers each time, or by a function of the program.
        ("a (dot (ones 3) 2), b (ones 3), m (+ (sum a) (sum b)), y (* a m)", "['y]"),
        ("c (ones 3), a (+ c 1), b (ones 3), m (+ (sum a) (sum b)), y (* a m)", "['y]"),
    ] {
        assert_eq!(again(graph, keys), graph, "{graph}");
    }
    for graph in [
        "a (random/random 9), b (ones 3), m (+ (sum a) (sum b)), y (* a m)",
        // What is written in between is other data.
        "a (read FILE), b (ones 3), m (+ (sum a) (sum b)), y (* a m), w (write FILE [0:1] 1)",
    ] {
        let optimized = session.said(&format!("(optimize '{{{graph}}} :passes [:rematerialize])"));
        let printed = optimized.trim_start_matches("(graph '{").trim_end_matches("})").replace("\n  ", ", ");
        assert_eq!(printed, graph, "{graph}");
    }
}

/// Centring so many blocks by hand: a mean that names all of them, and a difference for each.
fn centred(count: usize) -> Duration {
    let engine = Engine::new();
    let blocks: String = (0..count).map(|n| format!("[x {n}] (ones 2) [y {n}] (- [x {n}] m) ")).collect();
    let all: String = (0..count).map(|n| format!("[x {n}] ")).collect();
    let graph = format!("{{{blocks} m (mean [{all}])}}");
    let source = format!("(do (def g (graph '{graph})) (count (keys (optimize g :passes [:rematerialize]))))");
    let keys = |n: usize| i64::try_from(n).expect("a small number");
    let begin = Instant::now();
    assert_eq!(engine.eval_as::<i64>(&source).unwrap(), keys(2 * count + 1));
    assert_eq!(engine.eval_as::<i64>("(count (keys (optimize g :passes [:dedup])))").unwrap(), keys(count + 2));
    assert_eq!(engine.eval_as::<f64>("(compute g 'm)").unwrap(), 1.0);
    begin.elapsed()
}

/// Eight times as many blocks may take twice eight times as long; were every block compared with every other, it would be 64.
#[test]
fn a_large_graph_takes_a_time_near_to_linear() {
    let few = centred(1_000).min(centred(1_000));
    let many = centred(8_000);
    assert!(many < 16 * few + Duration::from_secs(1), "{few:?} for 1000 blocks, {many:?} for 8000");
}
