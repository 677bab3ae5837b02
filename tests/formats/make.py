"""Makes the files in this folder: `python3 make.py`, with NumPy and netCDF4. They are committed; no test runs this."""

import os

import netCDF4
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(here, name)


# What every array of numbers holds: 0 to 23, or whether that is odd, or with itself as imaginary part.
def values(dtype):
    x = np.arange(24).reshape(2, 3, 4)
    if dtype == "?":
        return x % 2 == 1
    if np.dtype(dtype).kind == "c":
        x = x + 1j * x
    return x.astype(dtype)


for dtype in ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]:
    for order in "<>":
        x = values(dtype).astype(np.dtype(dtype).newbyteorder(order))
        name = "b1" if dtype == "?" else dtype
        if order == ">" and np.dtype(dtype).itemsize == 1:
            x, order = np.asfortranarray(x), "F"
        elif order == ">":
            x = np.asfortranarray(x) if dtype in ("i2", "f8", "c8") else x
        label = {"<": "little", ">": "big", "F": "fortran"}[order]
        np.save(path(f"{name}-{label}.npy"), x)

with open(path("version-2.npy"), "wb") as f:
    np.lib.format.write_array(f, values("f8"), version=(2, 0))
with open(path("version-3.npy"), "wb") as f:
    np.lib.format.write_array(f, values("f8"), version=(3, 0))
np.save(path("scalar.npy"), np.float64(2.5))
np.save(path("empty.npy"), np.zeros((0, 3)))
np.save(path("text.npy"), np.array(["a", "bc"]))
np.save(path("records.npy"), np.zeros(2, [("a", "<f8"), ("b", "<i4")]))

for version, name in [
    ("NETCDF3_CLASSIC", "classic.nc"),
    ("NETCDF3_64BIT_OFFSET", "offset.nc"),
    ("NETCDF3_64BIT_DATA", "data.nc"),
]:
    with netCDF4.Dataset(path(name), "w", format=version) as f:
        f.title = "made by netCDF4"
        f.numbers = np.array([1.5, 2.5])
        f.createDimension("time", None)
        f.createDimension("y", 3)
        f.createDimension("x", 5)
        t = f.createVariable("t2m", "f4", ("time", "y", "x"))
        t.units = "K"
        t.offset = np.int16(7)
        b = f.createVariable("flag", "i1", ("time", "y"))
        h = f.createVariable("hours", "f8", ("time",))
        z = f.createVariable("height", "i2", ("y", "x"))
        f.createVariable("name", "S1", ("y",))[:] = np.array([b"a", b"b", b"c"])
        n = f.createVariable("number", "i4", ())
        n[...] = 42
        if version == "NETCDF3_64BIT_DATA":
            for kind in ["u1", "u2", "u4", "i8", "u8"]:
                f.createVariable(kind, kind, ("x",))[:] = np.arange(5) + 3
        t[0:4] = np.arange(60).reshape(4, 3, 5)
        b[0:4] = np.arange(12).reshape(4, 3) - 6
        h[0:4] = np.arange(4) * 6.0
        z[:] = np.arange(15).reshape(3, 5) * 100

# A single variable of records is not padded.
with netCDF4.Dataset(path("alone.nc"), "w", format="NETCDF3_CLASSIC") as f:
    f.createDimension("time", None)
    f.createDimension("y", 3)
    f.createVariable("flag", "i1", ("time", "y"))[0:5] = np.arange(15).reshape(5, 3)
