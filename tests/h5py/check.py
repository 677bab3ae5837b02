"""Checks with h5py that the datasets dsk wrote are what they should be.

    python3 check.py FOLDER

`FOLDER/written.txt` holds a line `file dataset dtype shape chunks filters` for each; its values, little-endian and row-major, are in
`FOLDER/expected/file-dataset.raw`.
"""

import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
count = 0
for line in open(os.path.join(folder, "written.txt")):
    file, dataset, dtype, shape, chunks, filters = line.split()
    where = "%s %s" % (file, dataset)
    shape = tuple(map(int, shape.split(","))) if shape != "-" else ()
    with open(os.path.join(folder, "expected", file + dataset.replace("/", "-") + ".raw"), "rb") as raw:
        expected = np.frombuffer(raw.read(), np.dtype(dtype).newbyteorder("<")).reshape(shape)
    with h5py.File(os.path.join(folder, file), "r") as f:
        d = f[dataset]
        assert d.dtype == np.dtype(dtype), (where, d.dtype)
        assert d.shape == shape, (where, d.shape)
        assert (d.chunks is None) == (chunks == "-"), (where, d.chunks)
        if chunks != "-":
            assert d.chunks == tuple(map(int, chunks.split(","))), (where, d.chunks)
        found = "+".join([n for n, on in [("shuffle", d.shuffle), ("gzip", d.compression == "gzip")] if on]) or "-"
        assert found == filters, (where, found)
        assert "dsk-incomplete" not in d.attrs, where
        values = d[...]
        assert np.array_equal(values, expected, equal_nan=expected.dtype.kind in "fc"), where
        assert not [n for n in f if n.endswith(".incomplete")], list(f)
        count += 1

with h5py.File(os.path.join(folder, "attributes.h5"), "r") as f:
    a = f["/x"].attrs
    assert a["int"] == 7 and a["int"].dtype == np.int64
    assert a["float"] == 2.5
    assert a["flag"] == True and a["flag"].dtype == bool  # noqa: E712
    assert a["complex"] == 1 - 2j
    assert a["text"] == "Grad Celsius, °C", a["text"]
    assert list(a["texts"]) == ["a", "", "ä"], a["texts"]
    assert list(a["numbers"]) == [1.5, 2.0] and a["numbers"].dtype == np.float64
    assert a["block"].shape == (2, 2) and a["block"].dtype == np.float32
    assert len(a["none"]) == 0
    count += 1

# A dataset that no store finished can be opened, and says so.
with h5py.File(os.path.join(folder, "failed.h5"), "r") as f:
    assert list(f) == ["C.incomplete", "before"], list(f)
    assert f["C.incomplete"].attrs["dsk-incomplete"] == 0
    assert (f["before"][...] == np.arange(6).reshape(2, 3)).all()

# Writing to what dsk made works as on any other file.
with h5py.File(os.path.join(folder, "types.h5"), "r+") as f:
    f["more"] = np.arange(10)
    del f["float64-whole"]

print("%d checked" % count)
