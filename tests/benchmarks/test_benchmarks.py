"""Every part of the benchmark runs and reports what it should; nothing is timed."""

import json
import math
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import SAES

from . import __main__ as command_line
from . import growth as growth_part
from . import memory as memory_part
from . import variants as variants_part
from .child import measure
from .dense import DenseAEN, DenseTopK, SparseDenseAEN
from .encoding import run_encoding
from .exact import run_exact
from .extraction import run_extraction
from .growth import exponent, run_growth
from .interleave import Stepper, interleave
from .joined import run_joined
from .machine import memory
from .memory import run_memory
from .ours import AEN, ClippedTopK, SparseAEN, TopK
from .overhead import run_overhead
from .peer_sklearn import SklearnDictionary
from .problem import SETTINGS, Problem, Setting, make_problem
from .quality import run_quality
from .registry import PEERS, VARIANT_PEERS, installed
from .report import key, render, time_to, times_slower, write_page
from .several import run_several
from .steps import run_steps
from .variants import OURS, run_variants

SETTING = Setting(600, 16, 48, 64, k=4, n_atoms=32, n_active=3)
ALWAYS = [
    TopK, ClippedTopK, DenseTopK, SparseAEN, SparseDenseAEN, AEN, DenseAEN, SklearnDictionary
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def problem():
    return make_problem(SETTING)


def test_steps_are_taken_in_turn(problem):
    taken = []

    class Noting(DenseTopK):
        """Notes its steps."""

        def step(self, step, x):
            taken.append((self.name, step))
            super().step(step, x)

    class Other(Noting):
        """Another one."""

        name = "other"

    unit, times = interleave([Noting(problem), Other(problem)], n_rounds=6, warm_up=1)
    assert len(unit) == 6
    assert {name: len(seconds) for name, seconds in times.items()} == {Noting.name: 6, "other": 6}
    names = [name for name, _ in taken]
    # One step each to warm up; then each round has an order of its own.
    rounds = [tuple(names[i : i + 2]) for i in range(2, len(names), 2)]
    both = {(Noting.name, "other"), ("other", Noting.name)}
    assert {*rounds} == both and len(rounds) == 6
    assert [step for name, step in taken if name == "other"] == [*range(7)]


def test_an_error_in_a_loop_reaches_the_caller(problem):
    class Failing(DenseTopK):
        """Fails in its second step."""

        def step(self, step, x):
            if step:
                raise ArithmeticError("no more")

    with pytest.raises(RuntimeError, match="dense TopK"):
        interleave([Failing(problem)], 2)
    stepper = Stepper(TopK(make_problem(SETTING, n_steps=2)))
    stepper.step(), stepper.step()
    with pytest.raises(RuntimeError, match="n_steps"):
        stepper.step()


def test_part_1():
    result = run_steps(SETTING, n_rounds=3, methods=ALWAYS)
    assert {m["name"] for m in result["methods"]} == {cls.name for cls in ALWAYS}
    by_name = {m["name"]: m for m in result["methods"]}
    assert all(len(m["ms"]) == 3 and min(m["ms"]) > 0 for m in by_name.values())
    assert by_name[TopK.name]["l0"] == by_name[DenseTopK.name]["l0"] == 4
    of_medians, rounds = times_slower(by_name[DenseTopK.name], result)
    assert len(rounds) == 3
    assert of_medians == pytest.approx(
        np.median(by_name[DenseTopK.name]["ms"]) / np.median(by_name[TopK.name]["ms"])
    )
    assert times_slower(by_name[TopK.name], result)[1] == []
    check(result)


@pytest.mark.filterwarnings("ignore:the rarest of 256 components")
def test_every_estimator_takes_part_as_sparse_as_the_problem_says(monkeypatch):
    # Peers, where there are any, have a test of their own.
    monkeypatch.setattr(variants_part, "VARIANT_PEERS", [])
    setting = replace(SETTING, n_components=256)
    result = run_variants(setting, n_rounds=2)
    l0 = {method["name"]: method["l0"] for method in result["methods"]}
    assert set(l0) == {f"{cls.__name__} (ours)" for cls in SAES}
    for method in OURS:
        expected = 40 if method.is_dense_at_first() else setting.k
        assert 0.5 * expected < l0[method.name] < 1.5 * expected
    check(result)


def test_part_1_leaves_out_what_is_too_large():
    X = torch.zeros(2, 8)
    wide = Problem(X, SETTINGS["wide"].n_components, 1)
    assert "32 GiB" in SklearnDictionary.obstacle(wide)
    assert SklearnDictionary.obstacle(Problem(X, SETTINGS["S"].n_components, 1)) is None


def in_process(method, data, n_steps, **parameters):
    return measure(method, str(data), n_steps, **parameters)


def test_memory(monkeypatch):
    monkeypatch.setattr(memory_part, "train_in_child", in_process)
    result = run_memory(SETTING, n_steps=3, methods=[TopK, SparseDenseAEN])
    assert [m["data_mib"] for m in result["methods"]] == [600 * 16 * 4 / 2**20] * 2
    assert all(m["mib"] >= 0 for m in result["methods"])
    check(result)


def test_memory_in_a_child(tmp_path, problem):
    path = tmp_path / "X.npy"
    np.save(path, problem.X.numpy())
    record = memory_part.train_in_child(
        TopK.name, path, 3, n_components=20_000, batch_size=600, k=4
    )
    # At least a block of 256 rows of pre-codes, and both weights with both of their moments.
    assert record["mib"] > (256 * 20_000 + 6 * 16 * 20_000) * 4 / 2**20
    assert len(record["step_seconds"]) == 2


def test_memory_counts_what_is_taken():
    _, before = memory()
    taken = torch.ones(2**26)
    assert memory()[1] >= before
    assert memory()[0] > taken.nbytes / 2**20


def test_overhead():
    result = run_overhead({"tiny": (SETTINGS["tiny"], 30)})
    for fit in result["fits"]:
        assert 0 < fit["draw_ms"] < fit["overhead_ms"]
        assert 0 < fit["overhead_share"] < 1
    check(result)


def test_part_2():
    sizes = {"n_steps": 12, "n_train": 500, "n_test": 100, "batch_size": 50, "n_components": 64}
    result = run_quality("synthetic", methods=[TopK, DenseTopK, AEN, DenseAEN], n_scores=3, **sizes)
    for method in result["methods"]:
        assert len(method["step_ms"]) == 11
        assert len(method["curve"]) == 3
        assert method["curve"][-1][0] == pytest.approx(sum(method["step_ms"]) / 1e3)
    ends = {m["name"]: m["curve"][-1][1:] for m in result["methods"]}
    assert ends[TopK.name] == pytest.approx(ends[DenseTopK.name], rel=1e-3)
    assert ends[AEN.name] == pytest.approx(ends[DenseAEN.name], rel=1e-3)
    check(result)


def test_encoding():
    result = run_encoding(600, n_features=8, n_components=32, l0=3)
    assert [fit["name"] for fit in result["fits"]] == [TopK.name, SparseAEN.name]
    assert result["fits"][0]["l0"] == 3
    assert all(fit["csr_mib"] > 0 for fit in result["fits"])
    check(result)


def test_exact_codes():
    result = run_exact(sizes=((8, 24),), n_steps=60, n_repeats=2)
    names = [method["name"] for method in result["methods"]]
    assert len(names) == 2 * len(set(names)) >= 10
    approximate = ["encoder", "refined once (ours)", "refined twice (ours)"]
    for method in result["methods"]:
        assert 0 <= method["mean_error"] <= method["worst_error"]
        worst = 1e-5 if method["name"] == "exact (ours)" else 1e-3
        assert method["name"] in approximate or method["worst_error"] < worst
        assert len(method["rows_per_second"]) == len(method["exact_is_faster_by"]) == 2
    for lambda_2 in {method["lambda_2"] for method in result["methods"]}:
        errors = {
            method["name"]: method["mean_error"]
            for method in result["methods"]
            if method["lambda_2"] == lambda_2
        }
        assert 1e-3 < errors["encoder"] > errors[approximate[1]] > errors[approximate[2]]
    check(result)


def test_extraction():
    result = run_extraction(6, n_rounds=2)
    assert result["sizes"]["n_texts"] == 6
    speed, memory = result["speed"], result["memory"]
    assert 6 * 8 <= speed["n_tokens"] <= 7 * 257 and 0 <= speed["padding_share"] < 0.5
    assert len(speed["ours_over_bare_clock"]) == len(speed["ours_over_bare_cpu"]) == 2
    assert len(result["layers"]["three_over_one_clock"]) == 1
    assert memory["largest_block_megabytes"] < memory["peak_megabytes"]
    check(result)


def test_several_at_once():
    sizes = {"n_features": 8, "n_components": 16, "batch_size": 64, "n_texts": 1}
    result = run_several(600, **sizes, n_steps=6, n_repeats=1)
    kinds = ["array", "array, held-out scores", "file", "language model"]
    assert [fit["data"] for fit in result["fits"]] == kinds
    for fit in result["fits"]:
        assert fit["same"]
        assert all(len(seconds) == 1 and min(seconds) > 0 for seconds in fit["seconds"].values())
    check(result)


def test_joined_products():
    result = run_joined([(32, 8, 16)], n_repeats=2)
    (product,) = result["products"]
    assert all(len(times) == 2 and min(times) > 0 for times in product["seconds"].values())
    check(result)


def test_time_to_a_level():
    curve = [[1.0, 0.8, 90], [2.0, 0.5, 10], [3.0, 0.6, 9]]
    assert time_to(0.7, 100, curve) == "1.0"
    assert time_to(0.4, 10, curve) == "2.0"
    assert time_to(0.55, 10, curve) == "3.0"
    assert time_to(0.7, 10, curve) == "not reached"


def test_part_3(monkeypatch):
    monkeypatch.setattr(growth_part, "train_in_child", in_process)
    axes = {"n_samples": (64, 256), "n_features": (8, 16), "l0": (4, 8)}
    result = run_growth(axes, n_repeats=1, batch_size=32)
    assert [axis["axis"] for axis in result["axes"]] == list(axes)
    assert all(math.isfinite(axis["time_exponent"]) for axis in result["axes"])
    check(result)


def test_exponents():
    sizes = [1.0, 4.0, 16.0]
    assert exponent(sizes, [3 * s**1.5 for s in sizes]) == pytest.approx(1.5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", installed([TopK, *PEERS]), ids=lambda cls: cls.package)
def test_peers_do_what_ours_do(cls, problem):
    method = cls(problem)
    _, times = interleave([method], 2)
    assert len(times[method.name]) == 2
    reconstruction, l0 = method.reconstruct(problem.X[:50])
    assert reconstruction.shape == (50, 16)
    assert l0 <= 4


@pytest.mark.parametrize("cls", [TopK, *installed(VARIANT_PEERS)], ids=lambda cls: cls.name)
def test_peers_of_other_kinds_train(cls, problem):
    method = cls(problem)
    _, times = interleave([method], 2)
    assert len(times[method.name]) == 2
    assert method.reconstruct(problem.X[:50])[0].shape == (50, 16)


def test_the_page_is_filled_between_its_markers(tmp_path):
    result = run_overhead({"tiny": (SETTINGS["tiny"], 5)})
    path, page = tmp_path / "overhead.json", tmp_path / "page.md"
    path.write_text(json.dumps(result))
    page.write_text("before\n<!-- begin overhead -->\nold\n<!-- end overhead -->\nafter\n")
    write_page(page, [path])
    text = page.read_text()
    assert text.startswith("before\n<!-- begin overhead -->\n| setting | fit |")
    assert text.endswith("<!-- end overhead -->\nafter\n")
    assert "old" not in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="begin overhead"):
        write_page(page, [path])


def check(result):
    """A result survives JSON, knows where it comes from, and can be shown."""
    again = json.loads(json.dumps(result))
    assert {"cpu", "cores", "threads", "versions", "commit", "dirty", "date"} <= set(
        again["machine"]
    )
    assert again["machine"]["versions"]["torch"] in render(again)
    assert key(again).startswith(again["part"])
    assert "| ---" in render(again)


def test_all_parts_are_run_each_in_a_process_of_its_own(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(command_line.subprocess, "run", lambda c, check: commands.append(c))
    command_line.run_all(Namespace(threads=1, out=tmp_path, quick=True))
    parsed = []
    for command in commands:
        assert command[:3] == [sys.executable, "-m", "tests.benchmarks"]
        monkeypatch.setattr(sys, "argv", command[2:])
        parsed.append(command_line.parse())
    assert {args.part for args in parsed} == set(command_line.RUNS)
    assert all(args.quick and args.threads == 1 and args.out == tmp_path for args in parsed)
    steps = [(args.setting, args.precision) for args in parsed if args.part == "steps"]
    assert steps == [("S", "highest"), ("S", "medium"), ("M", "highest"), ("wide", "highest")]


def test_the_page_is_what_the_data_say():
    root = Path(__file__).parents[2]
    text = (root / "docs" / "performance.md").read_text()
    found = [json.loads(file.read_text()) for file in (root / "docs/data/performance").glob("*")]
    ours = [result for result in found if result["part"] != "device"]
    # What ran on a GPU has a form of its own.
    assert len(ours) == len(found) - 1 > 10
    for result in ours:
        name = key(result)
        assert f"<!-- begin {name} -->\n{render(result)}\n<!-- end {name} -->" in text
