"""Archetypal sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from sklearn_aensae.estimators import _build
from sklearn_aensae.estimators._fitted import to_array
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.estimators._topk import TopKSAE
from sklearn_aensae.modules.decoders import ArchetypalDecoder
from sklearn_aensae.params import AtLeast, OneOf

__all__ = ["ArchetypalSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class ArchetypalSAE(TopKSAE):
    r"""TopK autoencoder whose atoms are mixtures of points of the data (RA-SAE).

    .. math::
        D = e^m (S C + \Lambda), \qquad S \ge 0, \quad S 1 = 1, \quad
        \lVert \Lambda_i \rVert \le \delta

    with the codes and the loss of :class:`TopKSAE`. Free atoms differ from one seed to the next;
    atoms that must stay near the convex hull of the data differ less. C holds `n_candidates` points
    of the data that do not learn, S the share of each in an atom, :math:`\Lambda` what an atom may
    add. S and :math:`\Lambda` are put back where they must be after each optimiser step.

    Points are seen from the decoder's first bias. The published code has no bias, and starts with
    m = 0 and S the identity, which leaves an atom without a candidate all 0. Here m starts where
    the mean norm of the atoms is 1, so that codes are comparable to those of other estimators, and
    each atom starts at a candidate of its own, or at a mixture of two once all are taken.

    Atoms do not have unit norm: a code says how much there is of its atom, and the size of its
    effect is `codes * numpy.linalg.norm(components_, axis=1)`. A step costs a dense product of
    batch, candidates and features more than that of :class:`TopKSAE`, and the update of
    n_components * n_candidates shares: keep `n_candidates` moderate.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Most active components per row; more than `n_components` means all of them.
    n_candidates : int, default=1000
        Number of points in C, but no more than training rows, or 32,768. Published: 32,000, for
        1.3 million images.
    candidates : {"kmeans", "rows"}, default="kmeans"
        What the points are: centroids of up to 32,768 training rows, or some of these rows.
    delta : float, default=1.0
        :math:`\delta`, how far an atom may be from the hull, before the factor :math:`e^m` and in
        the units of training (rows of mean norm sqrt(n_features), with the default
        `input_scaling`). 0 keeps atoms in the hull.
    {multi_parameters}
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    candidates_ : ndarray of shape (n_candidates, n_features)
        C, in the units of `X`; the decoder's first bias is their origin.
    shares_ : ndarray of shape (n_components, n_candidates)
        S. Its rows sum to 1.
    {shared_attributes}

    References
    ----------
    Fel et al. (2025). Archetypal SAE: adaptive and stable dictionary learning for concept
    extraction in large vision models. :arxiv:`2502.12892`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import ArchetypalSAE
    >>> X = load_digits().data
    >>> sae = ArchetypalSAE(128, k=8, n_candidates=200, max_epochs=2, random_state=0).fit(X)
    >>> sae.shares_.shape, sae.candidates_.shape
    ((128, 200), (200, 64))
    """

    _may_whiten: ClassVar[bool] = False

    n_candidates: Annotated[int, AtLeast(1)] = 1000
    candidates: Annotated[str, OneOf("kmeans", "rows")] = "kmeans"
    delta: Annotated[float, AtLeast(0, real=True)] = 1.0

    def _make_decoder(self, plan: Plan) -> ArchetypalDecoder:
        n_candidates = min(self.n_candidates, plan.n_samples, _build.CALIBRATION_ROWS)
        return ArchetypalDecoder(
            plan.n_features, plan.n_components, n_candidates, self.delta, self.candidates
        )

    def _write_fitted(self) -> None:
        super()._write_fitted()
        decoder = self.net_.module_.decoder
        self.candidates_ = to_array(decoder.candidates) / self.input_scale_
        self.shares_ = to_array(decoder.shares)
