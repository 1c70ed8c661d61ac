"""What estimators share whose exact codes are the solution of a convex problem."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from tqdm.auto import tqdm

from sklearn_aensae._warnings import warn
from sklearn_aensae.coding import Coding, debias, products, solve, threshold
from sklearn_aensae.estimators import _coding
from sklearn_aensae.estimators._fitted import read_module
from sklearn_aensae.estimators._fitting import report_target
from sklearn_aensae.estimators._matching import MATCHED_ROWS, match_l0
from sklearn_aensae.estimators._penalised import PenalisedSAE
from sklearn_aensae.estimators._refitting import refit
from sklearn_aensae.estimators._slots import to_codes, to_slots
from sklearn_aensae.estimators._validation import validate_rows
from sklearn_aensae.kernels import Codes
from sklearn_aensae.kernels.workspace import current_workspace
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.params import AtLeast, OneOf
from sklearn_aensae.sources import Source, as_source

__all__ = ["ExactCodingSAE"]

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
"""Relative duality gaps at which a code counts as exact."""

MOST_AT_FIRST = 32
"""Codes of the encoder, the largest, that exact coding begins with: it lets others in as it needs
them, which costs less than systems of all that an encoder may guess. Measured at n=256, d=1024:
1.6 to 3 times as fast where the encoder has two to four times as many as there are in the end (130
for 67, 33 for 9, 414 for 192), and no slower where it is about right (24 for 16)."""

REFIT_ROWS = 32_768
"""Most training rows to which the decoder is refitted at a time: 500 per component of 1,024 with 16
active ones."""


@dataclass(eq=False, repr=False, kw_only=True)
class ExactCodingSAE(PenalisedSAE):
    """Adds exact, refined and debiased codes, and `encode`; a variant says what its penalty is."""

    transform_method: Annotated[str, OneOf("encoder", "exact")] = "encoder"
    refine_steps: Annotated[int, AtLeast(0)] = 0
    debias: Annotated[bool | str, OneOf(False, True, "thresholded")] = False
    decoder_refits: Annotated[int, AtLeast(0)] = 0

    def encode(self, X: Any, method: str | None = None) -> Any:
        r"""Encode rows by a method of one's choice.

        "exact" solves, on the dictionary that was learned,

        .. math:: \min_{h \ge 0} \frac1n \lVert x - b - D^\top h \rVert^2
            + \lambda_1 \sum_j w_j h_j + \lambda_2 \lVert h \rVert^2

        in the units of training and with the penalties of training, whatever `set_params` has said
        since, to a relative duality gap of 1e-5 (float32) or 1e-10 (float64); :math:`\lambda_1` is
        `lambda_1_`.
        With `refine_steps`, "encoder" means the refined codes, and with `debias` both methods give
        debiased ones, which minimise another objective.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            As in `transform`.
        method : {"encoder", "exact"} or None, default=None
            None is `transform_method`.

        Returns
        -------
        codes : ndarray, Tensor or csr_array of shape (n_samples, n_components)
            As `transform` returns them.

        Raises
        ------
        ValueError
            If `X` does not fit the fitted data, or there is no such method.

        Warns
        -----
        ConvergenceWarning
            If rounding keeps a row from that gap.
        """
        return self._asked_for(method).transform(X)

    def match_l0(self, X: Any) -> Self:
        """Find the strength at which rows have as many codes as `target_l0` says.

        `fit` ends with it. This is for what comes later: training that has gone on or was
        interrupted, another `transform_method`, other atoms, rows of another kind. Nothing changes
        but `lambda_1_`; training, should it go on, keeps a strength of its own.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows, such as those of `fit`; up to 4,096, drawn at random, are read. No stream.

        Returns
        -------
        self : object
            The estimator, changed.

        Raises
        ------
        NotFittedError
            If there is no dictionary yet.
        ValueError
            If the estimator was trained without a `target_l0`, if codes are among those that the
            encoder chooses, which no strength makes more, or if `X` does not fit the
            fitted data.

        Warns
        -----
        UserWarning
            If L0 is still a quarter off.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_aensae import L1SAE
        >>> X = load_digits().data
        >>> sae = L1SAE(64, target_l0=10, max_epochs=40, learning_rate=4e-3, random_state=0).fit(X)
        >>> codes = sae.set_params(transform_method="exact").match_l0(X).transform(X)
        >>> round(float((codes > 0).sum(axis=1).mean()))
        10
        """
        check_is_fitted(self)
        self._check_refinement()
        if self.net_.criterion_.control is None:
            later = (
                "" if self.target_l0 is None else f"; {self.target_l0}, set since, waits for fit"
            )
            raise ValueError(
                f"match_l0 needs a fit with target_l0; in the last, it was None{later}."
            )
        if not self._has_penalised_codes():
            raise ValueError(
                "match_l0 needs codes that lambda_1 can make more: transform_method='exact' or "
                f"refine_steps >= 2; got {self.transform_method!r} and {self.refine_steps}."
            )
        dtype = self.net_.module_.decoder.bias.dtype
        source = as_source(validate_rows(self, X), self.net_.device, dtype)
        match_l0(self, source.sample(MATCHED_ROWS, self._seed))
        report_target(self)
        return self

    def _asked_for(self, method: str | None) -> Self:
        """Return this estimator with another `transform_method`."""
        if method not in (None, "encoder", "exact"):
            raise ValueError(f"method must be 'encoder', 'exact' or None; got {method!r}.")
        asked = copy.copy(self)
        if method == "exact":
            asked.refine_steps = 0
        return asked if method is None else asked.set_params(transform_method=method)

    def _asks_encoder(self) -> bool:
        return self.transform_method == "encoder" and not (self.refine_steps or self.debias)

    def _encode_rows(self, module: Autoencoder, x: Tensor) -> Codes:
        codes = super()._encode_rows(module, x)
        if self._asks_encoder():
            return codes
        self._check_refinement()
        problem, tol = self._pose(module, x), TOLERANCES[x.dtype]
        if self.transform_method == "exact" or self.refine_steps:
            # What solving needs, debiasing has a use for, and the next rows.
            problem = _prepared(problem)
        if self.transform_method == "exact":
            start = to_slots(codes, most=MOST_AT_FIRST)
            columns, values, gaps = solve(problem, *start, tol=tol)
            _warn(gaps, tol)
        else:
            columns, values = to_slots(codes)
        if self.refine_steps:
            found = solve(problem, columns, values, tol=tol, n_rounds=self.refine_steps)
            columns, values, _ = found
        if self.debias == "thresholded":
            values = threshold(problem, columns, values)
        elif self.debias:
            values = debias(problem, columns, values)
        return to_codes(columns, values, self.n_components_)

    def _strengths(self) -> NDArray[np.floating]:
        """Strength of the L1 penalty on each component."""
        return np.full(self.n_components_, self.lambda_1_)

    def _ridge(self) -> float:
        """Strength of the L2 penalty."""
        return 0.0

    def _pose(self, module: Autoencoder, x: Tensor) -> Coding:
        """Return the problems of some rows."""
        n = x.shape[1]
        alpha = torch.as_tensor(0.5 * n * self._strengths()).to(x)
        decoder = module.decoder
        return Coding(x - decoder.bias, decoder.dictionary(), alpha, n * self._ridge())

    def _check_refinement(self) -> None:
        """Refuse steps of refinement that would not be taken."""
        if self.transform_method == "exact" and self.refine_steps:
            raise ValueError(
                f"refine_steps={self.refine_steps} goes with transform_method='encoder'; exact "
                "codes are refined to the end."
            )

    def _check_thresholding(self) -> None:
        """Refuse a number of codes most of which would be dropped."""
        if self.debias != "thresholded" or self.target_l0 is None or self._has_penalised_codes():
            return
        raise ValueError(
            f"target_l0={self.target_l0} is met by codes of the encoder, of which "
            "debias='thresholded' drops most: use it with transform_method='exact' or "
            f"refine_steps >= 2; got {self.transform_method!r} and {self.refine_steps}."
        )

    def _check_parameters(self) -> None:
        self._check_refinement()
        self._check_thresholding()

    def _check_source(self, source: Source) -> None:
        if source.n_samples is not None:
            return
        if self.decoder_refits:
            raise ValueError(
                f"decoder_refits={self.decoder_refits} reads rows again after training, and X is a "
                "stream; use decoder_refits=0, and refit_decoder with rows in memory or on disk."
            )
        if self._matches_l0():
            raise ValueError(
                f"target_l0={self.target_l0} with transform_method={self.transform_method!r} and "
                f"refine_steps={self.refine_steps} reads rows again after training, and X is a "
                "stream; train for codes of the encoder, then set these and call match_l0 with "
                "rows in memory or on disk."
            )

    def _has_penalised_codes(self) -> bool:
        """Whether the penalty decides which codes there are; one step only drops some."""
        return self.transform_method == "exact" or self.refine_steps > 1

    def _matches_l0(self) -> bool:
        """Whether as many codes are asked for as only the penalty of coding decides on."""
        return self._has_penalised_codes() and self.target_l0 is not None

    def _polish(self, source: Source) -> None:
        for i in tqdm(range(self.decoder_refits), "refits", disable=not self.verbose):
            # Other rows each time: what they agree on is what there is.
            rows = source.sample(REFIT_ROWS, self._seed + i)
            if self._matches_l0():
                # The refit moves L0 again: there is no need to know it to a hundredth.
                match_l0(self, source.sample(MATCHED_ROWS // 4, self._seed + i))
            refit(self, rows)
        if self._matches_l0():
            match_l0(self, source.sample(MATCHED_ROWS, self._seed + self.decoder_refits))

    def _objectives(self, X: Any, method: str) -> NDArray[np.float64]:
        """Value of the objective of coding, for each row: by a method's codes, and without any."""

        def value(problem: Coding, columns: Tensor, values: Tensor) -> Tensor:
            left = problem.residuals(columns, values)
            without = problem.objectives(problem.x, columns, torch.zeros_like(values))
            return torch.stack([problem.objectives(left, columns, values), without], dim=1)

        plain: ExactCodingSAE = copy.copy(self).set_params(refine_steps=0)
        return plain._measure(X, method, value)

    def _violations(self, X: Any, method: str | None) -> NDArray[np.float64]:
        """Violation of the conditions of optimality by the codes of a method, for each row."""

        def violation(problem: Coding, columns: Tensor, values: Tensor) -> Tensor:
            slopes = problem.slopes(problem.residuals(columns, values), columns, values)
            active = slopes.new_zeros(slopes.shape).scatter_add_(1, columns, values) > 0
            return torch.where(active, slopes.abs(), slopes.clamp(min=0)).amax(1).double()

        return self._measure(X, method, violation)

    @torch.no_grad()
    def _measure(
        self,
        X: Any,
        method: str | None,
        measure: Callable[[Coding, Tensor, Tensor], Tensor],
    ) -> NDArray[np.float64]:
        """Measure rows by their problem and their penalised codes, in the units of the loss."""
        asked, values = self._asked_for(method).set_params(debias=False), []
        for x, codes in _coding.iter_scaled(asked, validate_rows(asked, X)):
            problem = self._pose(read_module(self), x)
            values.append(measure(problem, *to_slots(codes)).cpu().numpy())
        found: NDArray[np.float64] = np.concatenate(values) * (2 / self.n_features_in_)
        return found


def _prepared(problem: Coding) -> Coding:
    """Return problems with products of atoms, which are kept while more rows are coded."""
    gram = current_workspace().derived(
        "gram", (problem.atoms,), products, at_once=problem.is_worth_products()
    )
    return problem._replace(gram=gram).prepared()


def _warn(gaps: Tensor, tol: float) -> None:
    """Say so if some rows are not solved."""
    if n_open := int((gaps > tol).sum()):
        hint = "; dtype='float64' takes them further" if tol == TOLERANCES[torch.float32] else ""
        warn(
            f"The codes of {n_open} of {len(gaps)} rows have a relative duality gap above {tol:g}, "
            f"up to {float(gaps.max()):.2g}{hint}.",
            ConvergenceWarning,
        )
