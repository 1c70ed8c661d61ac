"""Settings that every test shares."""

import os
from pathlib import Path

# Before SciPy is first imported: lets scikit-learn's array API check run instead of being skipped.
os.environ["SCIPY_ARRAY_API"] = "1"

import torch

# Two test workers share two cores: one thread each keeps them from fighting.
torch.set_num_threads(1)

# Before Triton is first imported, if it is installed: without a GPU its kernels are interpreted.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# Counting lines makes these, which train for long or often, take half as long again. Nearly all
# that they reach, others reach with a few steps.
HERE = Path(__file__).parent
NOT_COUNTED = {
    HERE / f"{name}.py"
    for name in (
        "estimators/test_archetypal",
        "estimators/test_exact",
        "estimators/test_matryoshka",
        "estimators/test_poly",
        "estimators/test_refitting",
        "estimators/test_target_l0",
        "estimators/test_tree",
        "examples/test_fair_comparison",
        "examples/test_reproduce_paper",
        "examples/test_spiked",
        "examples/test_thresholded_codes",
        "dead_features/test_revival",
        "test_checkpoint",
        "test_documentation",
        "test_memory",
        "test_model_selection",
        "test_out_of_core",
        "test_out_of_core_resume",
        "test_pipeline_on_texts",
        "test_sklearn_contract",
        "test_sparse_step",
    )
}


def pytest_collection_modifyitems(config, items):
    """Leave out of the count of lines what needs none of it."""
    if missing := [path for path in NOT_COUNTED if not path.exists()]:
        raise FileNotFoundError(f"NOT_COUNTED names {missing}")
    if config.pluginmanager.hasplugin("_cov") and not config.option.no_cov:
        for item in items:
            if item.path in NOT_COUNTED:
                item.add_marker("no_cover")
