"""Settings that every test shares."""

import os

# Before SciPy is first imported: lets scikit-learn's array API check run instead of being skipped.
os.environ["SCIPY_ARRAY_API"] = "1"

import torch

# Two test workers share two cores: one thread each keeps them from fighting.
torch.set_num_threads(1)

# Before Triton is first imported, if it is installed: without a GPU its kernels are interpreted.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
