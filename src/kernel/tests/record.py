"""Writes numpy.txt: what NumPy answers on special values. Run `python3 record.py > numpy.txt` to make it again.

A line is `op dtype[ dtype] | values [| values] | dtype values`; arguments of binary operations meet every value with every
value. `error` stands for an operation that NumPy does not have for the dtype. float16 is written float32, which dsk uses.
"""
import numpy as np

np.seterr(all="ignore")

UNARY = """negative positive absolute fabs sign sqrt cbrt square reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan
arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh deg2rad rad2deg floor ceil trunc rint spacing isnan isinf isfinite
isneginf isposinf isreal iscomplex signbit logical_not invert real imag conjugate angle nan_to_num""".split()
BINARY = """add subtract multiply divide floor_divide mod fmod power float_power maximum minimum fmax fmin hypot arctan2
copysign nextafter logaddexp logaddexp2 heaviside gcd lcm equal not_equal less less_equal greater greater_equal logical_and
logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift right_shift""".split()
inf, nan = np.inf, np.nan
VALUES = {
    "bool": [False, True],
    "int8": [-128, -7, -1, 0, 1, 3, 127],
    "int16": [-32768, -5, 0, 2, 32767],
    "int32": [-(2**31), -5, 0, 3, 2**31 - 1],
    "int64": [-(2**63), -9, -1, 0, 1, 2, 63, 2**63 - 1],
    "uint8": [0, 1, 7, 9, 255],
    "uint16": [0, 3, 65535],
    "uint32": [0, 3, 2**32 - 1],
    "uint64": [0, 1, 5, 64, 2**64 - 1],
    "float32": [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.75, 1e30, inf, -inf, nan],
    "float64": [0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 2.5, -3.75, 7.0, 1e300, 5e-324, inf, -inf, nan],
    "complex64": [0j, 1 + 2j, -0.5 + 0.25j, -3j],
    "complex128": [0j, 1 + 2j, -0.5 + 0.25j, -3j, 2 + 0j, complex(inf, 1), complex(1, nan)],
}
PAIRS = [(d, d) for d in VALUES] + [("int8", "uint8"), ("int64", "uint64"), ("int32", "float32"), ("float64", "complex64"),
                                    ("bool", "int64"), ("uint16", "int16"), ("int16", "float32")]


def text(a):
    a = np.asarray(a).ravel()
    if a.dtype.kind == "c":
        return " ".join(f"{z.real!s},{z.imag!s}" for z in a.tolist())
    if a.dtype.kind == "b":
        return " ".join("true" if x else "false" for x in a)
    return " ".join(repr(x) for x in a.tolist())


def result(f, *args):
    try:
        r = f(*args)
    except (TypeError, ValueError) as e:
        return "error " + ("value" if isinstance(e, ValueError) else "type")
    name = str(r.dtype)
    if name == "float16":
        r = f(*(a.astype("f4") for a in args))
        name = str(r.dtype)
    return f"{name} {text(r)}"


for op in UNARY:
    for d, values in VALUES.items():
        x = np.array(values, d)
        print(op.replace("_", "-"), d, "|", text(x), "|", result(getattr(np, op), x))
for op in BINARY:
    for a, b in PAIRS:
        x, y = np.array(VALUES[a], a)[:, None], np.array(VALUES[b], b)[None, :]
        if op == "power" and y.dtype.kind == "i" and x.dtype.kind in "biu":
            y = y[y >= 0][None, :]
        print(op.replace("_", "-"), a, b, "|", text(x), "|", text(y), "|", result(getattr(np, op), x, y))
for a, xs in VALUES.items():
    for b in VALUES:
        x = np.array(xs, a)
        x = x[np.isfinite(x) & (abs(x.real.astype("f8")) < 2**31)] if np.dtype(b).kind in "iu" and x.dtype.kind in "fc" else x
        print("cast", a, b, "|", text(x), "|", result(lambda x: x.astype(b), x))
