"""The Python in the README and the guides runs as it stands."""

import re
from inspect import isfunction
from pathlib import Path

import matplotlib as mpl
import pytest

from sklearn_aensae import theory

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{i}")
    for page in PAGES
    for i, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.S))
]
LINKS = [
    (page, target)
    for page in PAGES
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text())
    if not target.startswith("http")
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block):
    mpl.use("Agg")
    exec(compile(block, "page", "exec"), {"__name__": "page"})


def test_the_quickstart_of_the_readme_is_short():
    first = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    code = [line for line in first[1].splitlines() if line and "import" not in line]
    assert len(code) <= 20


def test_the_page_on_theory_calls_each_of_its_functions():
    page = (ROOT / "docs" / "theory.md").read_text()
    functions = {name for name in theory.__all__ if isfunction(getattr(theory, name))}
    assert functions == set(re.findall(r"theory\.(\w+)\(", page))


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_links_lead_somewhere(page, target):
    assert (page.parent / target).exists()
