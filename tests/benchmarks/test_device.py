"""The benchmark of a GPU runs on a CPU, too, in sizes that mean nothing."""

import json

import pytest
import torch

from .device import main

SIZES = "--n-samples 64 --n-features 8 --n-components 32 --batch-size 16 --k 4 --steps 3"


def test_on_the_cpu(tmp_path, capsys):
    path = tmp_path / "device.json"
    main(["--device", "cpu", *SIZES.split(), "--json", str(path)])
    result = json.loads(path.read_text())
    assert [r["precision"] for r in result["steps"]] == ["high", "medium"]
    for record in result["steps"]:
        floor = record["product_ms"] + record["adam_ms"]
        assert record["over_floor"] == pytest.approx(record["step_ms"] / floor)
        assert record["products"] == "torch"
    assert capsys.readouterr().out.count("times the floor") == 2


def test_without_cuda_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 1
    assert "no CUDA device" in capsys.readouterr().err
