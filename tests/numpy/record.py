#!/usr/bin/env python3
"""Records what NumPy answers to the expressions in `cases/*.txt`, into `recorded/*.jsonl`.

Needs NumPy 2.4; SciPy and Dask for the few functions that NumPy has not. `tests/numpy.rs` puts the recorded cases to
dsk, and needs neither.

A line of `cases/` is a Python expression over the names of NumPy and of `INPUTS`. It is said in dsk by `said`: names in
kebab-case, parameters as keywords. `{a|b}` stands for one line with each. Behind ` :: ` is the dsk form where it is another
one, behind ` ;; ` what else is to be known:

    rtol=1e-9 atol=1e-12   how near values must be
    code=shape|value       which error codes will do; else it follows from the exception
    of=linalg.svd          the function that the case is about, if not the outermost
    shape                  compare shape and dtype only
    differs                dsk answers otherwise, and the table of functions says how

A line `% rtol=..` sets the same for all lines below.
"""

import ast
import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
NAN, INF = np.nan, np.inf


def inputs():
    f34 = np.array([[1.5, -2.0, 3.25, 0.0], [4.0, 5.5, -6.0, 7.125], [-8.0, 2.5, 1.0, 0.75]])
    i34 = np.array([[3, -1, 4, 1], [-5, 9, 2, 6], [5, 3, 5, 0]])
    t = np.arange(24, dtype=float).reshape(2, 3, 4) * 7 % 11 - 4.5
    c34 = f34 + 1j * i34
    m = np.array([[4.0, 1.0, -2.0, 0.5], [1.0, 3.0, 0.0, 1.0], [0.5, -1.0, 5.0, 2.0], [2.0, 0.0, 1.0, 6.0]])
    n34 = f34.copy()
    n34[0, 1] = n34[2, 3] = n34[2, 0] = NAN
    return {
        "f34": f34, "g34": f34.astype("f4"), "i34": i34, "j34": i34.astype("i4"), "u34": abs(i34).astype("u1"),
        "k34": (i34 * 20).astype("i1"), "b34": i34 > 2, "c34": c34, "h34": c34.astype("c8"), "n34": n34,
        "ng34": n34.astype("f4"), "nc34": n34 + 1j * i34, "w34": abs(f34) + 0.5, "q34": abs(i34).astype("u8"),
        "f5": np.array([0.5, -1.25, 3.0, -0.75, 2.0]), "g5": np.array([0.5, -1.25, 3.0, -0.75, 2.0], "f4"),
        "i5": np.array([2, 0, -3, 7, 2]), "j5": np.array([2, 0, 3, 7, 2], "i4"), "k5": np.array([100, -128, 127, 0, -1], "i1"),
        "u5": np.array([0, 3, 255, 128, 7], "u1"), "v5": np.array([1, 0, 65535, 12, 9], "u2"),
        "q5": np.array([0, 1, 2**64 - 1, 2**63, 12], "u8"), "b5": np.array([True, False, True, True, False]),
        "c5": np.array([1 + 2j, -0.5 - 1j, 3j, 2, -1.5 + 0.5j]), "h5": np.array([1 + 2j, -0.5 - 1j, 3j, 2, -1.5 + 0.5j], "c8"),
        "n5": np.array([1.0, NAN, -2.0, 4.0, NAN]), "nan3": np.array([NAN, NAN, NAN]),
        "p5": np.array([0.1, 0.9, 0.5, 0.25, 0.75]), "p34": (f34 + 9) / 17,
        "x12": np.array([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e300, 5e-324, 3.0]),
        "y12": np.array([1.0, INF, 2.0, -0.0, 3.0, NAN, -INF, 0.0, -2.5, 1e300, 0.5, -1.0]),
        "xg12": np.array([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e30, 1e-40, 3.0], "f4"),
        "e0": np.zeros([0]), "ei0": np.zeros([0], int), "e03": np.zeros([0, 3]), "e30": np.zeros([3, 0]), "e203": np.zeros([2, 0, 3]),
        "o1": np.array([2.5]), "o14": np.array([[1.0, -2.0, 0.5, 4.0]]), "o31": np.array([[1.0], [-2.0], [3.0]]),
        "o121": np.array([[[4.0], [-1.0]]]), "s": np.array(2.25), "si": np.array(3),
        "t234": t, "it234": (t * 2).astype(int), "ct23": (t + 1j * t[::-1])[:, :, 0],
        "d8": np.array([3, 1, 2, 3, 3, 0, 1, 2]), "fd8": np.array([2.5, 1.0, NAN, 2.5, 0.0, 1.0, NAN, -0.0]),
        "up5": np.array([-1.0, 0.5, 0.5, 2.0, 7.0]), "iup4": np.array([1, 2, 2, 5]),
        "m44": m, "mg44": m.astype("f4"), "m53": np.vstack([m, m[:1] * 3])[:, :3].copy(), "m35": np.hstack([m, m[:, :1] * 3])[:3].copy(),
        "spd": m @ m.T + np.eye(4), "cm33": m[:3, :3] + 1j * m[1:, 1:], "im33": np.array([[2, 1, 0], [1, 3, 1], [0, 1, 4]]),
        "herm": np.array([[3.0, 1 - 2j], [1 + 2j, 8.0]]), "st": np.stack([m[:3, :3], m[1:, 1:]]), "sing": np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]]),
        "m11": np.array([[4.0]]), "e00": np.zeros([0, 0]), "e33": np.zeros([0, 3, 3]), "zero33": np.zeros([3, 3]),
    }


INPUTS = inputs()

# What has another name in dsk, or is no function there.
NAMES = {
    "conj": "conjugate", "concat": "concatenate", "pow": "power", "remainder": "mod", "true_divide": "divide", "None": "nil",
    "True": "true", "False": "false", "sorted_": "sort",
}
DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128"]
OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.MatMult: "@",
    ast.BitAnd: "bitwise-and", ast.BitOr: "bitwise-or", ast.BitXor: "bitwise-xor", ast.LShift: "left-shift", ast.RShift: "right-shift",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=", ast.NotEq: "!=", ast.USub: "negative", ast.Invert: "invert",
}


def number(x):
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, complex):
        return f"(complex {x.real!r} {x.imag!r})"
    return repr(x)


def said(node):
    """An expression in dsk."""
    match node:
        case ast.Constant(value=str(text)):
            return json.dumps(text)
        case ast.Constant(value=None):
            return "nil"
        case ast.Constant(value=v) if v is Ellipsis:
            return "..."
        case ast.Constant(value=v):
            return number(v)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=v)):
            return number(-v)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id="inf")):
            return "-inf"
        case ast.Name(id=name):
            if name in DTYPES:
                return f":{name}"
            return NAMES.get(name, name if name in INPUTS else name.replace("_", "-"))
        case ast.Attribute(value=v, attr=name):
            return f"{said(v)}/{NAMES.get(name, name.replace('_', '-'))}"
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return f"[{' '.join(map(said, items))}]"
        case ast.Dict(keys=keys, values=values):
            return "{" + " ".join(f"{said(k)} {said(v)}" for k, v in zip(keys, values)) + "}"
        case ast.BinOp(left=a, op=op, right=b):
            return f"({OPERATORS[type(op)]} {said(a)} {said(b)})"
        case ast.UnaryOp(op=op, operand=a):
            return f"({OPERATORS[type(op)]} {said(a)})"
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            return f"({OPERATORS[type(op)]} {said(a)} {said(b)})"
        case ast.Lambda(args=args, body=body):
            return f"(fn [{' '.join(a.arg for a in args.args)}] {said(body)})"
        case ast.Subscript(value=x, slice=index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            words = ["newaxis" if isinstance(p, ast.Constant) and p.value is None else said(p) for p in parts]
            return f"(slice {said(x)} {' '.join(words)})"
        case ast.Slice(lower=a, upper=b, step=c):
            text = f"{said(a) if a else ''}:{said(b) if b else ''}"
            return text + (f":{said(c)}" if c else "")
        case ast.Call(func=f, args=args, keywords=keywords):
            words = [said(f)] + [said(a.value if isinstance(a, ast.Starred) else a) for a in args]
            words += [f":{k.arg.replace('_', '-')} {said(k.value)}" for k in keywords]
            return f"({' '.join(words)})"
    raise SystemExit(f"no dsk for {ast.dump(node)}")


def about(node):
    """The function that an expression is about."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
            return f"{module}.{name}"
        case ast.Subscript(value=ast.Call() as call):
            return about(call)
        case ast.Subscript():
            return "getitem"
        case ast.BinOp(op=op) | ast.Compare(ops=[op]) | ast.UnaryOp(op=op):
            return f"operator {OPERATORS[type(op)]}"
    return "?"


def expanded(line):
    """The lines that a line with `{a|b}` stands for; the same braces in the dsk form go with those of the expression."""
    found = re.search(r"\{([^{}]*\|[^{}]*)\}", line)
    if not found:
        return [line]
    before, behind = line[: found.start()], line[found.end() :]
    lines = []
    for part in found[1].split("|"):
        text, sep, form = behind.partition(" :: ")
        lines += expanded(before + part + text + sep + form.replace(found[0], part))
    return lines


def plain(x):
    """A number as JSON has it."""
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    if isinstance(x, (complex, np.complexfloating)):
        return [plain(x.real), plain(x.imag)]
    x = float(x)
    if x != x:
        return "nan"
    return str(x) if x in (INF, -INF) else x


def short(x):
    """float32 values with the digits that they have."""
    if isinstance(x, np.complex64):
        return [short(x.real), short(x.imag)]
    return plain(float(str(x))) if isinstance(x, np.float32) and np.isfinite(x) else plain(x)


def answer(x):
    if isinstance(x, np.dtype):
        return {"text": f":{x.name}"}
    if isinstance(x, str):
        return {"text": json.dumps(x)}
    if isinstance(x, (tuple, list)):
        return {"items": [answer(y) for y in x]}
    x = np.asarray(x)
    if x.dtype.name not in DTYPES:
        raise NotImplementedError(f"a result of {x.dtype}, which dsk has not")
    return {"dtype": x.dtype.name, "shape": list(x.shape), "values": [short(v) for v in x.ravel()]}


def failure(error):
    """The codes with which dsk may fail where NumPy fails so."""
    text = str(error)
    if isinstance(error, np.exceptions.AxisError):
        return ["axis"]
    if isinstance(error, np.linalg.LinAlgError):
        return ["singular"] if "ingular" in text or "positive definite" in text else ["shape"]
    if isinstance(error, IndexError):
        return ["index"]
    if isinstance(error, OverflowError):
        return ["overflow", "value"]
    if isinstance(error, TypeError):
        return ["type"]
    if isinstance(error, ValueError):
        shapes = re.search("shape|broadcast|dimension|size|align|length|split", text)
        return ["shape", "value"] if shapes else ["value"]
    raise error


def names():
    """What expressions may name."""
    from reference import NAMES as extra

    space = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    space |= {name: getattr(np, name) for name in DTYPES if name != "bool"} | {"bool": np.bool_}
    space |= extra | INPUTS
    return space


def options(text):
    found = {}
    for word in text.split():
        name, _, value = word.partition("=")
        found[name] = True if not value else float(value) if name in ("rtol", "atol") else value
    return found


def record(path, space):
    lines, defaults = [], {}
    for line in path.read_text().splitlines():
        line = line.strip()
        if line.startswith("%"):
            defaults = options(line[1:])
            continue
        if not line or line.startswith("#"):
            continue
        for text in expanded(line):
            text, _, flags = text.partition(" ;; ")
            text, _, form = (part.strip() for part in text.partition(" :: "))
            flags = defaults | options(flags)
            node = ast.parse(text, mode="eval").body
            case = {"form": form or said(node), "of": flags.pop("of", None) or about(node)}
            code = flags.pop("code", None)
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    got = eval(text, dict(space))
                if code:
                    pass  # Only some of several alternatives may fail.
                case |= answer(got)
            except NotImplementedError as error:
                print(f"{path.name}: {text}: {error}")
                continue
            except Exception as error:
                try:
                    case["error"] = code.split("|") if code else failure(error)
                except Exception:
                    print(f"{path.name}: {text}: {error!r}")
                    continue
            if flags.pop("shape", None):
                case.pop("values", None)
            lines.append(json.dumps(case | flags, separators=(",", ":"), ensure_ascii=False))
    return lines


def main():
    sys.path.insert(0, str(HERE))
    space = names()
    folder = HERE / "recorded"
    folder.mkdir(exist_ok=True)
    rows = [json.dumps({"name": name, **answer(x)}, separators=(",", ":")) for name, x in INPUTS.items()]
    (folder / "inputs.jsonl").write_text("\n".join(rows) + "\n")
    for path in sorted((HERE / "cases").glob("*.txt")):
        lines = record(path, space)
        (folder / f"{path.stem}.jsonl").write_text("\n".join(lines) + "\n")
        print(f"{path.stem}: {len(lines)}")


if __name__ == "__main__":
    main()
