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

# Counting lines makes these, which train for long or often, take half as long again. What they
# reach, others reach with a few steps.
NOT_COUNTED = {
    "test_archetypal",
    "test_checkpoint",
    "test_documentation",
    "test_exact",
    "test_fair_comparison",
    "test_matryoshka",
    "test_memory",
    "test_model_selection",
    "test_out_of_core",
    "test_out_of_core_resume",
    "test_pipeline_on_texts",
    "test_poly",
    "test_refitting",
    "test_reproduce_paper",
    "test_revival",
    "test_sklearn_contract",
    "test_sparse_step",
    "test_spiked",
    "test_target_l0",
    "test_thresholded_codes",
    "test_tree",
}


def pytest_collection_modifyitems(config, items):
    """Leave out of the count of lines what needs none of it."""
    if config.pluginmanager.hasplugin("_cov"):
        for item in items:
            if item.path.stem in NOT_COUNTED:
                item.add_marker("no_cover")
