use dsk::data::Value;
use dsk::eval::Interpreter;
use dsk::text::Result;

fn eval(text: &str) -> Result<Value> {
    Interpreter::new(dsk::ops::registry().unwrap()).unwrap().eval_source("test", text)
}

#[test]
fn quick() {
    for (text, want) in [
        ("(+ 1 2)", "3"),
        ("(let [x 1 y (+ x 1)] (* x y))", "2"),
        ("((fn [x] (* x x)) 4)", "16"),
        ("(def x 3) (defn f [n] (if (< n 2) n (+ (f (- n 1)) (f (- n 2))))) (f 20)", "6765"),
        ("(loop [i 0 s 0] (if (< i 1000) (recur (+ i 1) (+ s i)) s))", "499500"),
        ("(defn f [n acc] (if (= n 0) acc (f (- n 1) (+ acc 1)))) (f 100000 0)", "100000"),
        ("(and 1 2)", "2"),
        ("(try (throw \"x\") (catch e (:message e)))", "\"x\""),
        ("(let [[a [b & c] :as all] [1 [2 3 4]]] [a b c all])", "[1, 2, [3, 4], [1, [2, 3, 4]]]"),
        ("(let [{:keys [a b] c :c :or {b 5}} {:a 1 :c 3}] [a b c])", "[1, 5, 3]"),
        (
            "(defn f [x :axis 0 :n (* x 2)] [x axis n]) [(f 1) (f 1 :n 3) (f 1 :axis 2) (f 1 7)]",
            "[[1, 0, 2], [1, 0, 3], [1, 2, 2], [1, 7, 2]]",
        ),
        ("(defn f [& xs] xs) (f 1 2 3)", "[1, 2, 3]"),
        ("(let [n 3 f (fn [x] (+ x n))] (f 4))", "7"),
        ("(defmacro twice [x] `(do ~x ~x)) (twice 3)", "3"),
        ("(-> 5 (- 1) (* 2))", "8"),
        ("(try (/ 1 2) (finally 3))", "0.5"),
        ("(let [f (fn g [n] (if (= n 0) :done (g (- n 1))))] (f 1000))", ":done"),
        ("(case 2 1 \"one\" [2 3] \"few\" \"many\")", "\"few\""),
    ] {
        let got = eval(text).map(|v| format!("{v:?}"));
        match got {
            Ok(got) => assert_eq!(got, want, "{text}"),
            Err(e) => panic!("{text}: {e:?}"),
        }
    }
}
