"""Zarr arrays of zarr-python, and what they should read as: made.tar.gz, in this folder. Needs zarr 3 and numpy.

Every array is of `values(shape, dtype)`, which the tests make again; chunks that are left out are the fill value.
"""
import gzip, io, json, tarfile, tempfile, warnings
from pathlib import Path
import numpy as np, zarr
from zarr.codecs import *
import numcodecs
warnings.filterwarnings("ignore")
root = Path(tempfile.mkdtemp())

def values(shape, dtype):
    n = int(np.prod(shape))
    i = np.arange(n)
    dtype = np.dtype(dtype)
    if dtype.kind == "b": x = i % 3 == 0
    elif dtype.kind == "c": x = (i % 50) - 1j * (i % 7)
    elif dtype.kind == "f": x = (i % 90) / 4 - 3
    elif dtype.kind == "i": x = i % 100 - 30
    else: x = i % 100
    return x.astype(dtype).reshape(shape)


expected = []

def note(path, name, dtype, shape, holes=()):
    """What an array of `values` should read as; `holes` are regions of fill value: [[start, stop], ...], value."""
    expected.append({"path": path, "name": name, "dtype": np.dtype(dtype).name, "shape": list(shape),
                     "holes": [{"region": r, "value": v} for r, v in holes]})

def make(path, name, dtype, shape, chunks, holes=(), **kw):
    kw.setdefault("fill_value", 0)
    a = zarr.create_array(root / path, name=name or None, shape=shape, dtype=dtype, chunks=chunks, **kw)
    x = values(shape, dtype)
    if holes:
        # Chunk by chunk: those in holes are never written.
        c = a.shards or a.chunks
        for index in np.ndindex(*[-(-n // k) for n, k in zip(shape, c)]):
            at = tuple(slice(i * k, (i + 1) * k) for i, k in zip(index, c))
            in_hole = any(all(r[0] <= s.start and min(s.stop, n) <= r[1] for r, s, n in zip(region, at, shape)) for region, _ in holes)
            if not in_hole: a[at] = x[at]
    else:
        a[...] = x
    note(path, name, dtype, shape, holes)
    return a

ALL = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128"]
zarr.config.set({"array.write_empty_chunks": True})
# Version 3: every type, then every codec.
zarr.create_group(root / "v3.zarr", attributes={"title": "made by Python", "levels": [1, 2, 3]})
for t in ALL:
    make("v3.zarr", "types/" + t, t, (3, 5), (2, 3), compressors=None)
codecs = {
    "gzip": dict(compressors=GzipCodec(level=3)),
    "zstd": dict(compressors=ZstdCodec(level=3, checksum=True)),
    "crc32c": dict(compressors=[GzipCodec(level=1), Crc32cCodec()]),
    "big": dict(serializer=BytesCodec(endian="big"), compressors=None),
    "turned": dict(filters=[TransposeCodec(order=(1, 2, 0))]),
    "dots": dict(chunk_key_encoding={"name": "default", "separator": "."}),
    "v2keys": dict(chunk_key_encoding={"name": "v2", "separator": "."}),
}
for name in ["lz4", "lz4hc", "blosclz", "zlib", "zstd"]:
    codecs["blosc-" + name] = dict(compressors=BloscCodec(cname=name, clevel=5, shuffle="shuffle" if name != "zstd" else "bitshuffle", typesize=4))
for name, kw in codecs.items():
    make("v3.zarr", "codecs/" + name, "int32", (7, 5, 9), (4, 3, 6), **kw)
make("v3.zarr", "long", "float64", (3000,), (2000,), compressors=BloscCodec(cname="lz4", clevel=9, shuffle="shuffle"))
make("v3.zarr", "longbits", "int16", (5000,), (4000,), compressors=BloscCodec(cname="blosclz", clevel=9, shuffle="bitshuffle"))
make("v3.zarr", "sharded", "uint16", (13, 10), (2, 5), shards=(6, 10), holes=[([[6, 12], [0, 10]], 7)], fill_value=7)
make("v3.zarr", "sharded-start", "float32", (9, 9), (3, 3), shards={"shape": (6, 6), "index_location": "start"}, compressors=GzipCodec())
make("v3.zarr", "scalar", "float64", (), ())
make("v3.zarr", "none", "int32", (0, 4), (1, 4))
make("v3.zarr", "holes", "float32", (10, 6), (5, 6), holes=[([[5, 10], [0, 6]], "NaN")], fill_value=float("nan"))
zarr.create_array(root / "v3.zarr", name="text", shape=(2,), dtype="str")
make("root3.zarr", "", "int64", (6, 4), (4, 4), attributes={"units": "K", "valid": [0.5, 1.5]})
# Version 2.
g = zarr.create_group(root / "v2.zarr", zarr_format=2, attributes={"title": "of version 2", "missing": float("nan")})
for t in [">i2", ">f8", ">c16", "<f2", "|b1", "<u4", ">f2"]:
    make("v2.zarr", "types/" + t[1:] + ("be" if t[0] == ">" else ""), t, (3, 5), (2, 3), zarr_format=2, compressors=None)
for name, kw in {
    "none": dict(compressors=None),
    "f": dict(order="F"),
    "fplain": dict(order="F", compressors=None),
    "slashes": dict(chunk_key_encoding={"name": "v2", "separator": "/"}),
    "blosc": dict(compressors=numcodecs.Blosc(cname="lz4", clevel=5, shuffle=numcodecs.Blosc.SHUFFLE)),
    "zlib": dict(compressors=numcodecs.Zlib(level=1)),
    "gzip": dict(compressors=numcodecs.GZip(level=1)),
    "bz2": dict(compressors=numcodecs.BZ2(level=1)),
    "shuffled": dict(filters=[numcodecs.Shuffle(elementsize=4)], compressors=numcodecs.Zstd(level=1)),
    "fletcher": dict(filters=[numcodecs.Fletcher32()], compressors=numcodecs.Zstd(level=1)),
}.items():
    make("v2.zarr", "codecs/" + name, "<i4", (7, 5, 9), (4, 3, 6), zarr_format=2, **kw)
make("v2.zarr", "holes", "float32", (10, 6), (5, 6), zarr_format=2, holes=[([[5, 10], [0, 6]], "NaN")], fill_value=float("nan"))
make("v2.zarr", "scalar", "float64", (), (), zarr_format=2)
zarr.create_array(root / "v2.zarr", name="delta", shape=(4,), dtype="<i4", filters=[numcodecs.Delta(dtype="<i4")], zarr_format=2)
zarr.create_array(root / "v2.zarr", name="times", shape=(4,), dtype="<M8[ns]", zarr_format=2)
make("root2.zarr", "", "int64", (6, 4), (4, 4), zarr_format=2, attributes={"units": "K"})
(root / "expected.json").write_text(json.dumps(expected))

# The same bytes for the same arrays: no times, no owners.
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        info = tarfile.TarInfo(str(path.relative_to(root)))
        info.size = path.stat().st_size
        tar.addfile(info, io.BytesIO(path.read_bytes()))
(Path(__file__).parent / "made.tar.gz").write_bytes(gzip.compress(packed.getvalue(), 9, mtime=0))
