"""Imports run one way: the folders of the package are layers."""

import ast
from pathlib import Path

import sklearn_aensae

ROOT = Path(sklearn_aensae.__file__).parent
LAYERS = [
    {"exceptions", "params", "recipes", "_docs", "_devices", "_numbers", "_warnings"},
    {"kernels", "coding", "sources", "datasets", "testing"},
    {"llm"},
    {"metrics"},
    {"theory"},
    {"modules"},
    {"objective"},
    {"dead_features"},
    {"training"},
    {"io"},
    {"estimators"},
    {"model_selection"},
    {"inspection"},
]
MAY_KNOW = {
    "sklearn": {
        "estimators",
        "model_selection",
        "metrics",
        "theory",
        "datasets",
        "inspection",
        "llm",
        "_numbers",
        "_warnings",
    },
    "skorch": {"training", "estimators"},
    "transformers": {"llm", "datasets", "metrics"},
    "matplotlib": {"inspection"},
    "triton": {"kernels"},
}


def imports():
    """Yield (folder, imported module, whether the import is lazy) over the package."""
    for path in ROOT.rglob("*.py"):
        folder = path.relative_to(ROOT).parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text())
        top = set(map(id, tree.body))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield folder, node.module, id(node) not in top
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield folder, alias.name, id(node) not in top


def level(folder):
    return next((i for i, layer in enumerate(LAYERS) if folder in layer), None)


def test_layers():
    upward = set()
    for folder, module, lazy in imports():
        parts = module.split(".")
        if parts[0] != "sklearn_aensae" or len(parts) == 1 or folder == "__init__":
            continue
        above = level(parts[1]) is not None and level(folder) is not None
        if above and level(parts[1]) > level(folder) and not lazy:
            upward.add((folder, module))
    assert not upward


def test_who_knows_which_library():
    found = {library: set() for library in MAY_KNOW}
    for folder, module, _ in imports():
        library = module.split(".")[0]
        if library in found:
            found[library].add(folder)
    for library, folders in found.items():
        assert folders <= MAY_KNOW[library], library


def test_optional_libraries_are_imported_lazily():
    for folder, module, lazy in imports():
        if module.split(".")[0] in {"transformers", "matplotlib", "tokenizers"}:
            assert lazy, (folder, module)


def test_files_can_be_read_in_a_sitting():
    long = {p.name: n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 330}
    assert not long
