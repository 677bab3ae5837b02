//! Kernels against NumPy's recorded results, and against scalar loops.

mod numpy;
