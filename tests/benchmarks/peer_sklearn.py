"""scikit-learn's MiniBatchDictionaryLearning: another algorithm, which codes each row exactly."""

import torch
from sklearn.decomposition import MiniBatchDictionaryLearning
from torch import Tensor

from .method import Method, Pause
from .problem import Problem

__all__ = ["SklearnDictionary"]

LARGEST_GRAM = 2**30
"""Bytes of a Gram matrix up to which it takes part. One of 2 GiB (16,384 components) ended the
whole process with a segmentation fault in NumPy's OpenBLAS, outside of the main thread."""


class SklearnDictionary(Method):
    """`partial_fit` on at most 128 rows in double precision; few rounds, as it is very slow."""

    name, kind = "MiniBatchDictionaryLearning", "dictionary"
    does = "at most 128 rows, alpha=1.5: coordinate descent for each, then a pass over the atoms"
    package, distribution = "sklearn", "scikit-learn"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.batch_size = min(128, problem.batch_size)
        self.most_rounds = 3 if problem.n_components <= 8_192 else 1

    @staticmethod
    def obstacle(problem: Problem) -> str | None:
        """Its Gram matrix, one number per pair of components."""
        size = 8 * problem.n_components**2
        if size > LARGEST_GRAM:
            return f"its Gram matrix takes {size / 2**30:.0f} GiB"
        return None

    def train(self, pause: Pause) -> None:
        """Train."""
        self.model = MiniBatchDictionaryLearning(
            self.problem.n_components,
            alpha=1.5,
            batch_size=self.batch_size,
            fit_algorithm="cd",
            transform_algorithm="lasso_cd",
            positive_code=True,
            random_state=self.problem.seed,
        )
        for x in self.batches(pause):
            # In single precision its tolerance is below the rounding error.
            self.model.partial_fit(x.double().numpy())

    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        x = x.double()
        codes = self.model.transform(x.numpy())
        return torch.from_numpy(codes @ self.model.components_), float((codes > 0).sum(1).mean())
