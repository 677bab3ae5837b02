"""Writes small HDF5 files into the folder given, one for each way in which the format keeps groups, attributes and data:
what tests/damaged.rs breaks, byte by byte."""

import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)


def new(name, **options):
    return h5py.File(os.path.join(folder, name), "w", **options)


VALUES = np.arange(12, dtype="f8").reshape(3, 4) / 4

for version in ["earliest", "latest"]:
    # Groups, links, and attributes of every kind.
    with new("groups-%s.h5" % version, libver=version) as f:
        f["a/b/x"] = VALUES
        f["a/again"] = f["a/b"]
        f["soft"] = h5py.SoftLink("/a/b/x")
        f["loop/self"] = h5py.SoftLink("/loop")
        f["away"] = h5py.ExternalLink("data-%s.h5" % version, "/chunked")
        f["gone"] = h5py.SoftLink("/nowhere")
        f["type"] = np.dtype("f4")
        f["typed"] = f["a/b/x"][...].astype("f4")
        f.create_dataset("named", data=VALUES.astype("f4"), dtype=f["type"])
        x = f["a/b/x"]
        x.attrs["int"] = 7
        x.attrs["text"] = "temperature"
        x.attrs["texts"] = np.array(["a", "bc"], dtype=h5py.special_dtype(vlen=str))
        x.attrs["bytes"] = np.bytes_(b"fixed")
        x.attrs["flag"] = True
        x.attrs["complex"] = 1 + 2j
        x.attrs["nothing"] = h5py.Empty("f8")
        x.attrs["record"] = np.zeros(1, dtype=[("x", "f8"), ("y", "i4", (2,))])[0]
        x.attrs["wide"] = np.longdouble(2.5)
    # Data in every layout.
    with new("data-%s.h5" % version, libver=version) as f:
        f["whole"] = VALUES.astype(">i4")
        f.create_dataset("chunked", data=VALUES, chunks=(2, 2), fillvalue=3.0)
        f.create_dataset("packed", data=VALUES, chunks=(2, 3), compression="gzip", shuffle=True, fletcher32=True)
        f.create_dataset("growing", data=VALUES, chunks=(2, 2), maxshape=(None, 4))
        f.create_dataset("growing-both", data=VALUES, chunks=(1, 2), maxshape=(None, None), compression="lzf")
        f.create_dataset("never", (5, 5), "i2", chunks=(2, 2), fillvalue=9)
        f["complex"] = VALUES + 1j
        f["bool"] = VALUES > 1
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(f.id, b"compact", h5py.h5t.STD_I32LE, h5py.h5s.create_simple((3,)), plist)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(3, dtype="i4"))
    # What the library reads.
    with new("foreign-%s.h5" % version, libver=version) as f:
        f.create_dataset("offset", data=VALUES, chunks=(2, 2), scaleoffset=2)
        f.create_dataset("offset-int", data=np.arange(24, dtype="i4").reshape(4, 6), chunks=(2, 3), scaleoffset=0)
        raw = os.path.join(folder, "raw-%s.bin" % version)
        with open(raw, "wb") as out:
            out.write(VALUES.tobytes())
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_external(raw.encode(), 0, VALUES.nbytes)
        h5py.h5d.create(f.id, b"external", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple(VALUES.shape), plist)
        if hasattr(h5py, "VirtualLayout"):
            layout = h5py.VirtualLayout(shape=(3, 4), dtype="f8")
            layout[...] = h5py.VirtualSource("data-%s.h5" % version, "chunked", shape=(3, 4))
            f.create_virtual_dataset("virtual", layout)

# Links and attributes beyond what headers hold, with and without the order they were made in.
for order in [False, True]:
    with new("dense-%s.h5" % order, libver="latest", track_order=order) as f:
        for n in range(12):
            f["x%02d" % n] = np.int32(n)
            f.attrs["a%02d" % n] = n
        f.attrs["huge"] = np.arange(600, dtype="f8")

# A user block, and a group with more names than one node holds.
with new("user.h5", userblock_size=512) as f:
    for n in range(20):
        f["g/n%02d" % n] = np.int8(n)
