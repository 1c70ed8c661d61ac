"""The tables of the pages are what the data of the repository say, whoever filled them in."""

import json
from pathlib import Path

import pytest

from examples.fair_comparison import page as fair
from examples.fair_comparison.arms import ARMS
from examples.fair_comparison.front import front
from examples.fair_comparison.problems import DATA
from examples.reproduce_paper import compare
from examples.reproduce_paper import page as reproduction
from examples.spiked import page as spiked
from examples.weight_rules import page as weight_rules
from examples.which_sae.page import table as which_sae_table

ROOT = Path(__file__).parents[2]


def fair_comparison():
    content = read("fair_comparison")
    groups = list(dict.fromkeys(data.group for kind in DATA.values() for data in kind))
    runs = [run for run in content["runs"] if run["not default"] == ARMS[run["estimator"]].extra]
    tables = {"front": front(runs, groups), **fair.tables(runs, groups)}
    return tables | {"provenance": fair.provenance(content)}


def reproduced():
    content = read("reproduction")
    found = compare.compare(content["runs"])
    return {
        "verdict": compare.verdict(found),
        "comparison": reproduction.comparison_table(found),
        "truth": reproduction.truth_table(found),
        "provenance": reproduction.provenance(content),
    }


def one_configuration():
    tables = {}
    for name, prefix in (("spiked", ""), ("spiked_noisy", "SPIKED_NOISY ")):
        content = read(name)
        for part in ("verdict", "results", "oracle"):
            tables[prefix + part] = getattr(spiked, part)(content["runs"])
        tables[f"{prefix}provenance"] = spiked.provenance(content)
    return tables


def rules():
    content = read("weight_rules")
    runs = content["runs"]
    tables = {
        name: weight_rules.table([run for run in runs if run["problem"] == name])
        for name in {run["problem"] for run in runs}
    }
    ranking = weight_rules.ranking(runs)
    return tables | {"ranking": ranking, "provenance": weight_rules.provenance(content)}


def estimators():
    runs = read("which_sae")["runs"]
    return {
        name: which_sae_table([run for run in runs if run["problem"] == name])
        for name in {run["problem"] for run in runs}
    }


def read(name):
    return json.loads((ROOT / "docs" / "data" / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("page", "tables"),
    [
        ("fair_comparison", fair_comparison),
        ("reproduction", reproduced),
        ("spiked", one_configuration),
        ("weight_rules", rules),
        ("which_sae", estimators),
    ],
)
def test_tables_are_what_the_data_say(page, tables):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    found = tables()
    assert len(found) >= 3
    differ = [
        name
        for name, table in found.items()
        if f"<!-- begin {name} -->\n{table}\n<!-- end {name} -->" not in text
    ]
    assert not differ
