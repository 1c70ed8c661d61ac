"""Displays draw what the estimator learned; contexts are those of the strongest codes."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import make_data, quick
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearn_aensae import L1SAE, TreeSAE
from sklearn_aensae.inspection import (
    FeatureDensityDisplay,
    TrainingCurveDisplay,
    top_contexts,
    tree_text,
)

mpl.use("Agg")
from matplotlib import pyplot

X = make_data()


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def test_training_curve():
    sae = quick(L1SAE).fit(X)
    _, ax = pyplot.subplots()
    display = TrainingCurveDisplay.from_estimator(sae, ["loss", "l0"], ax=ax, label="L1")
    assert display.axes_ == [ax, ax]
    assert [line.get_label() for line in display.lines_] == ["L1 loss", "L1 l0"]
    np.testing.assert_array_equal(display.lines_[1].get_xydata()[:, 0], sae.history_["step"])
    np.testing.assert_array_equal(display.lines_[1].get_xydata()[:, 1], sae.history_["l0"])
    assert list(TrainingCurveDisplay.from_estimator(sae, "l0").curves) == ["l0"]
    panels = pyplot.subplots(2, 1, squeeze=False)[1]
    for axes in (None, [*panels[:, 0]], panels):  # a panel each, new or given
        display = TrainingCurveDisplay.from_estimator(sae, np.array(["loss", "l0"]), ax=axes)
        assert len(set(display.axes_)) == 2
        assert [line.axes for line in display.lines_] == display.axes_
        assert display.figure_ is display.axes_[1].figure
    with pytest.raises(ValueError, match="ax has 2 axes for 1 curves"):
        TrainingCurveDisplay.from_estimator(sae, "l0", ax=axes)
    with pytest.raises(ValueError, match=r"columns is empty"):
        TrainingCurveDisplay.from_estimator(sae, [])
    with pytest.raises(ValueError, match=r"\['speed'\] are not among"):
        TrainingCurveDisplay.from_estimator(sae, ["speed"])


def test_a_list_of_densities():
    assert FeatureDensityDisplay([0.1, 0.2, 0.0]).plot().counts_.sum() == 2


def test_feature_density():
    sae = quick(L1SAE).fit(X)
    display = FeatureDensityDisplay.from_estimator(sae, label="L1")
    assert display.counts_.sum() == (sae.feature_density_ > 0).sum()
    silent = FeatureDensityDisplay(np.array([0, 0.5, 0.1])).plot(bins=3)
    assert silent.ax_.get_legend().get_texts()[0].get_text() == "(1 silent)"


@pytest.mark.parametrize("display", [TrainingCurveDisplay, FeatureDensityDisplay])
def test_displays_need_a_fit(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(L1SAE())


def test_displays_say_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"sklearn-aensae\[plot\]"):
        FeatureDensityDisplay(np.array([0.5])).plot()


@pytest.mark.parametrize(
    "convert", [np.asarray, sparse.csr_array, sparse.csc_array, pd.DataFrame, pl.DataFrame]
)
def test_top_contexts(convert):
    words = ["a", " b", " c", "d", " e", " f", " g"]
    tokens = np.array(
        list(zip([0, 0, 0, 1, 1, 1, 2], words, strict=True)),
        dtype=[("text", int), ("token", object)],
    )
    codes = np.zeros((7, 3))
    codes[[1, 2, 4, 6], 1] = [3, 2, 5, 1]
    contexts = top_contexts(convert(codes), tokens, 1, width=1)
    assert [c.code for c in contexts] == [5, 3, 1]
    assert [c.row for c in contexts] == [4, 1, 6]
    assert contexts[0][1:4] == ("d", " e", " f")
    # The text before belongs to another document.
    assert contexts[2][1:4] == ("", " g", "")
    assert top_contexts(convert(codes), tokens, 1, width=1, n_contexts=1) == contexts[:1]
    assert top_contexts(convert(codes), tokens, 0) == []
    with pytest.raises(ValueError, match=r"feature must be in \[0, 3\); got 3"):
        top_contexts(convert(codes), tokens, 3)
    with pytest.raises(TypeError, match=r"feature must be the index .* got \[0, 1\]"):
        top_contexts(convert(codes), tokens, [0, 1])
    with pytest.raises(ValueError, match="codes has 6 rows, but tokens has 7"):
        top_contexts(convert(codes[:6]), tokens, 0)


def make_tree_estimator():
    sae = quick(TreeSAE, 7, layer_sizes=[2, 3, 2], layer_k=[1, 1, 1]).fit(X)
    sae.parents_ = np.array([-1, -1, 0, 0, 1, 2, -1])
    sae.feature_density_ = np.array([0.25, 0.5, 0.01, 0.125, 0.0, 0.005, 0.001])
    return sae


def test_tree_text():
    assert tree_text(make_tree_estimator()).splitlines() == [
        "root",
        "├─ 1 (50.0 %)",
        "├─ 0 (25.0 %)",
        "│  ├─ 3 (12.5 %)",
        "│  └─ 2 (1.0 %)",
        "│     └─ 5 (0.5 %)",
        "└─ 6 (0.1 %)",
    ]
    shown = tree_text(make_tree_estimator(), names=list("abcdefg"), max_children=1, silent=True)
    assert shown.splitlines() == [
        "root",
        "├─ b (50.0 %)",
        "│  └─ e (0.0 %)",
        "└─ and 2 more",
    ]


def test_tree_text_of_a_fit_names_every_component_once():
    sae = quick(TreeSAE).fit(X)
    lines = tree_text(sae, silent=True).splitlines()
    assert sorted(int(line.split()[-3]) for line in lines[1:]) == list(range(24))
    with pytest.raises(ValueError, match="names has 2 entries, but there are 24 components"):
        tree_text(sae, names=["a", "b"])
    with pytest.raises(ValueError, match="max_children must be at least 1 or None; got 0"):
        tree_text(sae, max_children=0)
    with pytest.raises(NotFittedError):
        tree_text(TreeSAE())


def around(tokens, row):
    """Before, token and after of the one context of a feature that fires at a row."""
    codes = np.zeros((len(tokens), 1))
    codes[row] = 1
    (context,) = top_contexts(codes, tokens, 0)
    return context[1:4]


def test_contexts_mark_tokens_that_were_dropped():
    tokens = np.array(
        [(0, 7, "z"), (1, 0, "a"), (1, 2, "b"), (1, 3, "c"), (1, 6, "d"), (1, 7, "e"), (2, 9, "f")],
        dtype=[("text", int), ("position", int), ("token", object)],
    )
    texts = {3: ("a…b", "c", "…de"), 2: ("a…", "b", "c…de"), 4: ("a…bc…", "d", "e")}
    for row, expected in texts.items():
        assert around(tokens, row) == expected


def test_added_tokens_are_no_gap_and_hide_none():
    places = [(-1, "<"), (0, "a"), (1, "b"), (-1, "<"), (2, "c"), (-1, "<"), (5, "d")]
    tokens = np.array(
        [(0, *place) for place in places],
        dtype=[("text", int), ("position", int), ("token", object)],
    )
    texts = {0: ("", "<", "ab<c<…d"), 2: ("<a", "b", "<c<…d"), 6: ("<ab<c<…", "d", "")}
    for row, expected in texts.items():
        assert around(tokens, row) == expected


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"n_contexts": 0}, ValueError, "n_contexts == 0"),
        ({"n_contexts": -1}, ValueError, "n_contexts == -1"),
        ({"n_contexts": 2.5}, TypeError, "n_contexts must be an instance of int"),
        ({"width": -1}, ValueError, "width == -1"),
        ({"width": 1.0}, TypeError, "width must be an instance of int"),
    ],
)
def test_sizes_of_contexts_are_whole_numbers(given, error, message):
    tokens = np.array([(0, "a")], dtype=[("text", int), ("token", object)])
    with pytest.raises(error, match=message):
        top_contexts(np.ones((1, 1)), tokens, 0, **given)
    assert top_contexts(np.ones((1, 1)), tokens, 0, width=0)[0].token == "a"
