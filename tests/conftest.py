"""Settings that every test shares."""

import torch

# Two test workers share two cores: one thread each keeps them from fighting.
torch.set_num_threads(1)
