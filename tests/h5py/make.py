"""Writes HDF5 files of every kind with h5py, and beside each dataset what it should read as.

    python3 make.py FOLDER

Every dataset `x` of `FOLDER/kinds.h5` has its values once more in `FOLDER/expected/x.raw`: little-endian, row-major, in the
dtype that dsk reads it as; `FOLDER/expected.txt` holds a line `file dataset dtype shape` for each.
"""

import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
os.makedirs(os.path.join(folder, "expected"), exist_ok=True)
lines = []
rng = np.random.default_rng(1)


def expect(file, dataset, values):
    values = np.asarray(values)
    name = "%s%s" % (file, dataset.replace("/", "-"))
    little = values.astype(values.dtype.newbyteorder("<"))
    with open(os.path.join(folder, "expected", name + ".raw"), "wb") as out:
        out.write(np.ascontiguousarray(little).tobytes())
    shape = ",".join(map(str, values.shape)) or "-"
    lines.append("%s %s %s %s" % (file, dataset, values.dtype.name, shape))


def numbers(dtype, shape):
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    if dtype.kind == "f":
        return (rng.normal(size=shape) * 100).astype(dtype)
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, count, dtype=dtype.newbyteorder("="), endpoint=True)
    return values.reshape(shape).astype(dtype)


def write(file, f, name, values, read_as=None, **options):
    f.create_dataset(name, data=values, **options)
    expect(file, "/" + name, values if read_as is None else values.astype(read_as))


DTYPES = "? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16".split()

for version in ["earliest", "latest"]:
    file = version + ".h5"
    with h5py.File(os.path.join(folder, file), "w", libver=version) as f:
        for code in DTYPES:
            for order in "<>":
                if code in ("?", "i1", "u1") and order == ">":
                    continue
                dtype = np.dtype(order + code if code != "?" else "?")
                read_as = np.float32 if code == "f2" else dtype.newbyteorder("=")
                label = {"?": "bool"}.get(code, code) + {"<": "", ">": "-big"}[order]
                values = numbers(dtype, (7, 9))
                write(file, f, "types/%s-contiguous" % label, values, read_as)
                write(file, f, "types/%s-chunked" % label, values, read_as, chunks=(3, 4))
                write(file, f, "types/%s-gzip" % label, values, read_as, chunks=(3, 4), compression="gzip", shuffle=True)
        values = numbers("f8", (50, 40))
        for name, options in {
            "gzip": dict(compression="gzip"),
            "gzip-9": dict(compression="gzip", compression_opts=9),
            "shuffle": dict(shuffle=True),
            "fletcher32": dict(fletcher32=True),
            "gzip-shuffle-fletcher32": dict(compression="gzip", shuffle=True, fletcher32=True),
            "shuffle-fletcher32": dict(shuffle=True, fletcher32=True),
            "lzf": dict(compression="lzf"),
            "lzf-shuffle": dict(compression="lzf", shuffle=True),
            "scale-offset": dict(scaleoffset=2),
            "growing": dict(maxshape=(None, 40)),
            "growing-2": dict(maxshape=(50, None)),
            "growing-both": dict(maxshape=(None, None)),
            "growing-gzip": dict(maxshape=(None, 40), compression="gzip"),
            "growing-both-gzip": dict(maxshape=(None, None), compression="gzip"),
            "limited": dict(maxshape=(500, 400)),
        }.items():
            for chunks in [(7, 16), (50, 40), (1, 40), (50, 1)]:
                if name == "scale-offset":
                    wanted = np.round(values, 2)
                    f.create_dataset("filters/%s-%dx%d" % (name, *chunks), data=wanted, chunks=chunks, **options)
                    expect(file, "/filters/%s-%dx%d" % (name, *chunks), f["filters/%s-%dx%d" % (name, *chunks)][...])
                else:
                    write(file, f, "filters/%s-%dx%d" % (name, *chunks), values, chunks=chunks, **options)
        # Deep indexes: many chunks, in every kind of index.
        values = numbers("i4", (300, 301))
        write(file, f, "many/fixed", values, chunks=(2, 3))
        write(file, f, "many/fixed-gzip", values, chunks=(4, 3), compression="gzip")
        write(file, f, "many/growing", values, chunks=(2, 3), maxshape=(None, 301))
        write(file, f, "many/growing-inner", values, chunks=(3, 2), maxshape=(300, None))
        write(file, f, "many/growing-both", values, chunks=(2, 3), maxshape=(None, None))
        write(file, f, "many/growing-gzip", values, chunks=(4, 3), maxshape=(None, 301), compression="gzip")
        write(file, f, "many/growing-both-gzip", values, chunks=(4, 3), maxshape=(None, None), compression="gzip")
        # Chunks and whole datasets that were never written.
        for name, options in {
            "holes": dict(),
            "holes-fill": dict(fillvalue=-7),
            "holes-gzip": dict(fillvalue=3, compression="gzip"),
            "holes-growing": dict(fillvalue=4, maxshape=(None, 90)),
            "holes-both": dict(fillvalue=5, maxshape=(None, None)),
        }.items():
            d = f.create_dataset("fill/" + name, (100, 90), "i4", chunks=(9, 8), **options)
            d[20:30, 50:70] = numbers("i4", (10, 20))
            d[95, 85] = 1
            expect(file, "/fill/" + name, d[...])
        for name, options in {
            "never": dict(),
            "never-fill": dict(fillvalue=2.5),
            "never-chunked": dict(chunks=(3, 3)),
            "never-chunked-fill": dict(chunks=(3, 3), fillvalue=1e300),
        }.items():
            d = f.create_dataset("fill/" + name, (10, 11), ">f8", **options)
            expect(file, "/fill/" + name, d[...].astype("f8"))
        d = f.create_dataset("fill/shrunk", data=numbers("i2", (40, 40)), chunks=(8, 8), maxshape=(None, None))
        d.resize((19, 23))
        expect(file, "/fill/shrunk", d[...])
        d.file.flush()
        # Shapes.
        write(file, f, "shapes/scalar", np.float64(2.5))
        write(file, f, "shapes/scalar-big", np.array(7, ">i4"), "i4")
        write(file, f, "shapes/one", numbers("f8", (1,)))
        write(file, f, "shapes/none", np.zeros((0,), "f4"))
        write(file, f, "shapes/none-2", np.zeros((3, 0), "i8"))
        f.create_dataset("shapes/none-chunked", (0, 5), "f8", chunks=(2, 5), maxshape=(None, 5))
        expect(file, "/shapes/none-chunked", np.zeros((0, 5)))
        write(file, f, "shapes/five", numbers("i2", (3, 4, 2, 5, 6)), chunks=(2, 3, 1, 5, 4))
        write(file, f, "shapes/line", numbers("u1", (100_003,)), chunks=(1000,), compression="gzip")
        write(file, f, "shapes/rows", numbers("f4", (5, 20_000)), chunks=(2, 7000))
        # Types that need the library, or another reading.
        colours = h5py.special_dtype(enum=("i2", {"red": 0, "green": 1, "blue": 300})) if not hasattr(
            h5py, "enum_dtype") else h5py.enum_dtype({"red": 0, "green": 1, "blue": 300}, "i2")
        values = rng.choice(np.array([0, 1, 300], "i2"), 20)
        f.create_dataset("odd/enum", data=values, dtype=colours)
        expect(file, "/odd/enum", values)
        kind = h5py.h5t.STD_I32LE.copy()
        kind.set_precision(12)
        kind.set_offset(4)
        space = h5py.h5s.create_simple((6,))
        made = h5py.h5d.create(f["odd"].id, b"twelve-bits", kind, space)
        values = np.array([0, 1, -1, 2047, -2048, 77], "i4")
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
        expect(file, "/odd/twelve-bits", values)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4,))
        if hasattr(plist, "set_nbit"):
            plist.set_nbit()
            made = h5py.h5d.create(f["odd"].id, b"nbit", kind, space, plist)
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
            expect(file, "/odd/nbit", values)
        for code in "i1 u2 >i4 i8".split():
            whole = (numbers(code, (5, 6)) % 100).astype(code)
            name = "filters/scale-offset-%s" % code.replace(">", "big-")
            f.create_dataset(name, data=whole, chunks=(2, 4), scaleoffset=0, fillvalue=3)
            expect(file, "/" + name, whole)
        values = numbers("f8", (6,)).astype(np.longdouble)
        f.create_dataset("odd/long-double", data=values)
        expect(file, "/odd/long-double", values.astype("f8"))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        values = numbers("i4", (5, 3))
        made = h5py.h5d.create(f["odd"].id, b"compact", h5py.h5t.STD_I32LE, h5py.h5s.create_simple((5, 3)), plist)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
        expect(file, "/odd/compact", values)
        # A chunk whose filters were left out.
        d = f.create_dataset("odd/masked", (8, 8), "f8", chunks=(4, 8), compression="gzip", shuffle=True)
        values = numbers("f8", (8, 8))
        d[...] = values
        d.id.write_direct_chunk((4, 0), values[4:].tobytes(), filter_mask=3)
        expect(file, "/odd/masked", values)
        # Not arrays of numbers.
        f["not/text"] = "a string"
        f["not/texts"] = np.array(["a", "bc"], dtype=h5py.special_dtype(vlen=str))
        f["not/fixed-text"] = np.array([b"abc", b"de"])
        f["not/records"] = np.zeros(3, dtype=[("x", "f8"), ("y", "i4")])
        f["not/empty"] = h5py.Empty("f8")
        f["not/dangling"] = h5py.SoftLink("/nowhere")
        f["not/datatype"] = np.dtype("f8")
        f["soft"] = h5py.SoftLink("/shapes/rows")
        f["loop/self"] = h5py.SoftLink("/loop")
        f["zz-again"] = f["shapes"]
        # Attributes.
        a = f["shapes/one"].attrs
        a["int"] = 7
        a["float"] = 2.5
        a["text"] = "temperature of ä"
        a["bytes"] = np.bytes_(b"fixed")
        a["texts"] = np.array(["a", "bc"], dtype=h5py.special_dtype(vlen=str))
        a["array"] = np.arange(3, dtype="i4")
        a["big"] = np.array([1.5, 2.5], ">f8")
        a["flag"] = True
        a["complex"] = 1 + 2j
        a["nothing"] = h5py.Empty("f8")
        a["record"] = np.zeros(1, dtype=[("x", "f8"), ("y", "i4")])[0]
        f.attrs["title"] = "kinds"

# Attributes that are stored densely, beyond eight of them.
with h5py.File(os.path.join(folder, "dense.h5"), "w", libver="latest") as f:
    write("dense.h5", f, "x", numbers("f8", (4, 4)), chunks=(2, 2))
    for n in range(40):
        f["x"].attrs["a%02d" % n] = n

# A user block before the file's own bytes.
for version in ["earliest", "latest"]:
    file = "user-%s.h5" % version
    with h5py.File(os.path.join(folder, file), "w", userblock_size=2048, libver=version) as f:
        values = numbers("f8", (20, 30))
        write(file, f, "contiguous", values)
        write(file, f, "chunked", values, chunks=(7, 8))
        write(file, f, "gzip", values, chunks=(7, 8), compression="gzip")
        write(file, f, "growing", values, chunks=(7, 8), maxshape=(None, 30))
    with open(os.path.join(folder, file), "r+b") as f:
        f.write(b"#!/bin/sh\necho this is a user block\n")

# Links to another file, and an array of files.
with h5py.File(os.path.join(folder, "links.h5"), "w") as f:
    f["away"] = h5py.ExternalLink("user-latest.h5", "/chunked")
    f["gone"] = h5py.ExternalLink("absent.h5", "/x")
    with h5py.File(os.path.join(folder, "user-latest.h5"), "r") as other:
        expect("links.h5", "/away", other["chunked"][...])
    if hasattr(h5py, "VirtualLayout"):
        layout = h5py.VirtualLayout(shape=(20, 30), dtype="f8")
        layout[...] = h5py.VirtualSource(os.path.join(folder, "user-earliest.h5"), "contiguous", shape=(20, 30))
        f.create_virtual_dataset("virtual", layout)
        with h5py.File(os.path.join(folder, "user-earliest.h5"), "r") as other:
            expect("links.h5", "/virtual", other["contiguous"][...])
    values = numbers("f8", (6, 5))
    with open(os.path.join(folder, "raw.bin"), "wb") as out:
        out.write(values.astype("<f8").tobytes())
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_external(os.path.join(folder, "raw.bin").encode(), 0, values.nbytes)
    h5py.h5d.create(f.id, b"external", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple(values.shape), plist)
    expect("links.h5", "/external", values)

with open(os.path.join(folder, "expected.txt"), "w") as out:
    out.write("\n".join(lines) + "\n")
