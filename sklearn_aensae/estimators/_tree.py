"""Tree sparse autoencoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from skorch.callbacks import Callback

from sklearn_aensae.dead_features import LayerAuxK
from sklearn_aensae.estimators._budget import BudgetSAE
from sklearn_aensae.estimators._layers import LAYERS, PARTS, cut
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.activations import Tree
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import Nested
from sklearn_aensae.params import AtLeast, Length
from sklearn_aensae.training import Reallocation

__all__ = ["TreeSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class TreeSAE(BudgetSAE):
    r"""Sparse autoencoder whose components form a tree: a child fires only where its parent does.

    Layer after layer, with :math:`z = W (x - b) + c` and for each component a parent :math:`p`,
    one of an earlier layer or the root, which is always active:

    .. math::
        h_l = \mathrm{ReLU}(\mathrm{TopK}_{k_l}(z_l \cdot 1[h_{p(l)} > \tau])), \qquad
        L = \sum_l \frac{\frac{1}{Bn} \sum_i \lVert x_i - b - \sum_{t \le l} D_t^\top h_{it}
            \rVert^2}{\mathrm{Var}(x)} + \alpha \, L_{AuxK}

    A general feature is then not absorbed by special ones: it must fire where they do, and
    reconstruct what it can without them. Parents are drawn at random; dead children move to
    parents on whose rows most is left over (:class:`training.Reallocation`, with capacities by
    row). `transform` follows the same rule as training. With one layer this is :class:`TopKSAE`.

    Not as published: the encoder bias `c`; one input scale and not one per row; AuxK as in
    :class:`TopKSAE`, without the bias; a parent that is not dead may get children; phases are
    shares of training (published: of 97,657 steps).

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Most active components per row, over all layers.
    {tree_parameters}
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    parents_ : ndarray of int of shape (n_components,)
        Parent of each component; -1 for the root. See :func:`inspection.tree_text`.
    layer_bounds_ : ndarray of int of shape (n_layers + 1,)
        Layer l holds the components from `layer_bounds_[l]` to before `layer_bounds_[l + 1]`.
    layer_k_ : ndarray of int of shape (n_layers,)
        Most active components per row of each layer.
    {shared_attributes}

    References
    ----------
    Cao et al. (2026). Tree SAE: learning hierarchical feature structures in sparse autoencoders.
    :arxiv:`2605.07922`.

    Examples
    --------
    >>> from sklearn_aensae import TreeSAE
    >>> from sklearn_aensae.datasets import make_feature_tree
    >>> X = make_feature_tree(1000, random_state=0)[0]
    >>> sae = TreeSAE(64, k=8, max_epochs=2, random_state=0).fit(X)
    >>> sae.layer_bounds_, sae.layer_k_
    (array([ 0, 16, 64]), array([6, 2]))
    """

    layer_sizes: Annotated[Sequence[float], PARTS] = (0.25, 0.75)
    layer_k: Annotated[Sequence[float], PARTS] = (0.8125, 0.1875)
    tau: Annotated[float, AtLeast(0, real=True)] = 1e-3
    aux_layers: Annotated[Sequence[int], LAYERS] = (0,)
    reallocation_interval: Annotated[int | float, Length()] = 0.03
    reallocation_stop: Annotated[int | float, Length()] = 0.5

    def _make_activation(self, plan: Plan) -> Tree:
        return Tree(*cut(plan.n_components, self.k, self.layer_sizes, self.layer_k), self.tau)

    def _make_reconstruction(self, plan: Plan) -> Term:
        bounds, _ = cut(plan.n_components, self.k, self.layer_sizes, self.layer_k)
        return Nested(bounds, [1.0] * len(bounds), 1 / plan.variance)

    def _make_dead_features(self, plan: Plan) -> dict[str, Term | Callback]:
        if self.dead_features is None:
            return {}
        if self.aux_layers and max(self.aux_layers) >= len(self.layer_sizes):
            raise ValueError(
                f"aux_layers={self.aux_layers!r} names layer {max(self.aux_layers)}, but "
                f"layer_sizes has the layers 0 to {len(self.layer_sizes) - 1}."
            )
        layers = self._make_activation(plan).layers
        k_aux, weight = self._count_aux(plan), self._weigh_aux(1 / 32)
        return {
            f"auxk_{i}" if i else "auxk": LayerAuxK(layers[i], k_aux, weight)
            for i in self.aux_layers
            if i < len(layers)
        }

    def _make_callbacks(self, plan: Plan) -> list[tuple[str, Callback]]:
        if not self.reallocation_interval:
            return []
        interval = max(1, plan.steps(self.reallocation_interval))
        stop = plan.steps(self.reallocation_stop)
        return [("reallocation", Reallocation(interval, stop, self._seed))]

    def _write_fitted(self) -> None:
        super()._write_fitted()
        tree = self.net_.module_.activation
        self.parents_ = tree.parents.cpu().numpy().copy()
        self.layer_bounds_ = np.array([0, *(layer.stop for layer in tree.layers)])
        self.layer_k_ = np.array(tree.layer_k)
