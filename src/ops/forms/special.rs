//! Special forms: how they are written. `eval` carries them out.

use crate::data::Cost;
use crate::op::{Kind, Op};

const fn form(
    usage: &'static str,
    doc: &'static str,
    examples: &'static [(&'static str, &'static str)],
    see: &'static [&'static str],
) -> Op {
    Op { usage, doc, examples, see, cost: Cost::Unknown, kind: Kind::Form }
}

pub static OPS: &[Op] = &[
    form(
        "(def name doc? value)",
        "Binds a global name to a value.\nA string before the value documents it. Redefining a name is seen by everything that mentions it.",
        &[("(do (def answer \"The answer.\" 42) answer)", "42")],
        &["defn", "let"],
    ),
    form(
        "(defn name doc? params & body)",
        "Binds a global name to a function.\n\
         Parameters: `[a b]`; `[x :axis 0]` have defaults, computed at each call, and are given in order or as `:axis 1`; \
         `[a & more]` takes the rest as a list, and what follows it is given by name only. A list or map in the place of a \
         name takes the argument apart. Lines `;=>` in the docstring are examples.",
        &[("(do (defn scale [x :by 2] (* x by)) [(scale 3) (scale 3 :by 10)])", "[6 30]")],
        &["fn", "def", "deftask"],
    ),
    form(
        "(deftask name doc? params & body)",
        "Binds a global name to a function whose calls are lazy: `compute` runs them.\n\
         Options stand before the parameters: `:pure true` says that equal calls give equal results, so that they run once, as those of \
         functions do that can be seen to do nothing but answer (see `dedup`); `:name \"load\"` is what keys begin with; `:nout 2` that it gives lists of two, so that a call is a \
         list of two lazy values.",
        &[
            ("(do (deftask double [x] (* 2 x)) (compute (double (double 5))))", "20"),
            (
                "(do (deftask ends :nout 2 [xs] [(first xs) (last xs)]) (let [[a z] (ends [1 2 3])] (compute (+ a z))))",
                "4",
            ),
        ],
        &["delay", "defn", "dedup"],
    ),
    form(
        "(defmacro name doc? params & body)",
        "Binds a global name to a macro: a function from forms to a form, which stands in place of the call.\n\
         In a quasiquote, `name#` is a symbol that is fresh every time.",
        &[("(do (defmacro twice [form] `(do ~form ~form)) (twice 3))", "3")],
        &["quasiquote"],
    ),
    form(
        "(fn name? params & body)",
        "A function; it may call itself by its name. `#(* % 2)` is short for `(fn [x] (* x 2))`.",
        &[("((fn [x] (* x x)) 7)", "49"), ("(#(- %1 %2) 7 5)", "2")],
        &["defn"],
    ),
    form(
        "(let bindings & body)",
        "Evaluates the body with names bound to values, each seeing those before it.\n\
         `[a [b & more]]` and `{:keys [x] y :why :or {x 0} :as all}` take values apart; what is absent is nil.",
        &[
            ("(let [x 2 y (* x x)] (+ x y))", "6"),
            ("(let [[a & more] [1 2 3] {:keys [b]} {:b 4}] [a more b])", "[1 [2 3] 4]"),
        ],
        &["loop", "if-let"],
    ),
    form(
        "(if test then else?)",
        "Evaluates `then` if the test holds, else `else`. Only nil and false do not hold.",
        &[("(if 0 \"yes\" \"no\")", "\"yes\"")],
        &["when", "cond"],
    ),
    form(
        "(do & body)",
        "Evaluates forms one after the other, for the value of the last.",
        &[("(do 1 2)", "2")],
        &["let"],
    ),
    form(
        "(quote form)",
        "The form itself, not evaluated; `'form` for short.",
        &[("'(+ 1 2)", "(+ 1 2)")],
        &["quasiquote"],
    ),
    form(
        "(quasiquote form)",
        "A form with holes: `~x` puts in a value, `~@xs` the items of a list, `name#` a fresh symbol.",
        &[("(let [xs [2 3]] `(f ~(+ 0 1) ~@xs))", "(f 1 2 3)")],
        &["quote", "defmacro"],
    ),
    form(
        "(loop bindings & body)",
        "Like `let`; `recur` in the body goes back to its beginning with new values.",
        &[("(loop [i 0 sum 0] (if (< i 5) (recur (+ i 1) (+ sum i)) sum))", "10")],
        &["recur", "while", "dotimes", "for"],
    ),
    form(
        "(recur & values)",
        "Goes back to the beginning of the `loop` or function around it, as the last thing it does.",
        &[("((fn [n product] (if (= n 0) product (recur (- n 1) (* product n)))) 5 1)", "120")],
        &["loop"],
    ),
    form(
        "(try & body)",
        "Evaluates the body; if it fails, `(catch e …)` at its end, with a map of `:code :message :key :span`.\n\
         `:key` is that of the task that failed, as `(keys (graph x))` has it, and `:span` where the text that caused it \
         stands: `{:source name :line n :column n :start byte :end byte}`; both may be nil.\n\
         `(finally …)` at the very end is evaluated in any case. An interrupt is not caught.",
        &[("(try (throw \"no\") (catch e (:message e)))", "\"no\""), ("(try 1 (finally 2))", "1")],
        &["throw"],
    ),
    form(
        "(throw value)",
        "Fails with the value: a message, a map with a `:message`, or an error that was caught.",
        &[("(try (throw {:message \"full\" :size 3}) (catch e (:size e)))", "3")],
        &["try"],
    ),
    form(
        "(delay call & options)",
        "A lazy call: function and arguments are computed now, the call itself when `compute` asks for it.\n\
         Lazy arguments, also in lists and maps, are computed first. Options are those of `deftask`: `:pure`, `:name`, `:nout`.",
        &[
            ("(compute (delay (+ 1 (delay (* 2 3)))))", "7"),
            ("(let [[a b] (delay (identity [1 2]) :nout 2)] (compute (- b a)))", "1"),
        ],
        &["deftask"],
    ),
    form(
        "(import path :as nil)",
        "Evaluates a file, once, and makes its names known here: as they are, or as `prefix/name` with `:as prefix`.\n\
         The path is relative to the file that imports.",
        &[],
        &["def"],
    ),
    form("(doc name)", "The usage and docstring of a name.", &[], &["source", "apropos"]),
    form("(source name)", "The text that defined a name.", &[], &["doc"]),
];
