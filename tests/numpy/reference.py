"""Functions that dsk has and NumPy has not, as Dask, SciPy or a few lines of NumPy have them."""

import dask.array as da
import numpy as np
import scipy.linalg


def blocked(f):
    """A function of dask.array, of arrays in one block."""
    lazy = lambda x: da.from_array(x, chunks=-1) if isinstance(x, np.ndarray) else x
    return lambda *args, **kw: f(*map(lazy, args), **kw).compute()


class Linalg:
    """NumPy's `linalg`, with SciPy's factorizations."""

    def __getattr__(self, name):
        return getattr(np.linalg, name)

    lu = staticmethod(scipy.linalg.lu)
    solve_triangular = staticmethod(scipy.linalg.solve_triangular)


NAMES = {
    "linalg": Linalg(),
    "topk": blocked(da.topk),
    "argtopk": blocked(da.argtopk),
    "coarsen": blocked(da.coarsen),
    "moment": blocked(da.reductions.moment),
    "complex": complex,
    "push": blocked(da.push),
    "isnull": np.isnan,
    "notnull": lambda x: ~np.isnan(x),
    "sliding_window_view": np.lib.stride_tricks.sliding_window_view,
    "map": lambda f, xs: [f(x) for x in xs],
    "dtype": lambda x: x.dtype,
    "nbytes": lambda x: x.nbytes,
    "itemsize": lambda x: x.itemsize,
}
