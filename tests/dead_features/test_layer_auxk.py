"""AuxK of a layer against a loop in numpy."""

import numpy as np
import pytest
import torch
from helpers import make_data, quick

from sklearn_aensae import TreeSAE, _devices

X = make_data(n_samples=60)


def naive(sae, x, layer, dead, k_aux):
    """Normalised error of what dead components of a layer make of its residual."""
    module = sae.net_.module_
    atoms, bias = (p.detach().numpy() for p in (module.decoder.atoms, module.decoder.bias))
    weight, offset = (p.detach().numpy() for p in (module.encoder.weight, module.encoder.bias))
    tree, bounds = module.activation, sae.layer_bounds_
    codes = module.encode(torch.tensor(x)).dense().detach().numpy()
    stop = bounds[layer + 1]
    residual = x - bias - codes[:, :stop] @ atoms[:stop]
    made = np.zeros_like(residual)
    for number, (row, code) in enumerate(zip(x, codes, strict=True)):
        found = []
        for i in dead:
            parent = sae.parents_[i]
            if parent < 0 or code[parent] > tree.tau:
                found.append((max((row - bias) @ weight[i] + offset[i], 0), i))
        for value, i in sorted(found, reverse=True)[:k_aux]:
            made[number] += value * atoms[i]
    return ((residual - made) ** 2).sum() / (residual**2).sum()


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("on_host", [True, False])
def test_against_a_loop(layer, on_host, monkeypatch):
    params = {"layer_sizes": [4, 8, 12], "layer_k": [3, 2, 2], "aux_layers": [0, 1, 2]}
    params |= {"k_aux": 2, "dtype": "float64", "tau": 0.2}
    sae = quick(TreeSAE, **params).fit(X)
    module, terms = sae.net_.module_, sae.net_.criterion_.terms
    term = terms[f"auxk_{layer}" if layer else "auxk"].train()
    term.n_calls = 0  # it looks for dead components in this call
    # Half of all components.
    module.tracker.samples_since_fired[::2] = 10**6
    module.tracker.samples_since_fired[1::2] = 0
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: on_host)
    x = X * sae._scaling.factor
    module.eval()  # else the forward pass would bring those that fire back to life
    value = term(torch.tensor(x), module(torch.tensor(x)), module)
    low, high = sae.layer_bounds_[layer : layer + 2]
    dead = term.dead_indices.tolist()
    assert dead == list(range(low, high, 2))
    expected = naive(sae, x, layer, dead, k_aux=2)
    assert abs(expected - 1) > 1e-3  # 1 is the error of nothing
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_layers_without_auxk_have_no_term():
    assert set(quick(TreeSAE).fit(X).net_.criterion_.terms) == {"reconstruction", "auxk"}
    both = quick(TreeSAE, aux_layers=(1, 0)).fit(X)
    assert set(both.net_.criterion_.terms) == {"reconstruction", "auxk", "auxk_1"}
    none = quick(TreeSAE, dead_features=None).fit(X)
    assert set(none.net_.criterion_.terms) == {"reconstruction"}
