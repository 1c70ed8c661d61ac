"""An estimator that keeps a loaded language model between uses, and out of pickles and clones."""

from __future__ import annotations

import copy
from types import TracebackType
from typing import Any, Self

from sklearn.base import BaseEstimator

from sklearn_aensae.llm.loading import LanguageModel
from sklearn_aensae.llm.options import language_model

_LEFT_BY_USE = ("_loaded", "n_dropped_")


class KeepsLanguageModel(BaseEstimator):
    """Loads the model when it is first needed; `close` or the end of a ``with`` releases it."""

    def close(self) -> None:
        """Release the model; the next use loads it again."""
        self.__dict__.pop("_loaded", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _language_model(self) -> LanguageModel:
        """Return the model that the parameters name now, and forget one they named before."""
        named = language_model(self)
        if vars(self).get("_loaded") != named:
            self._loaded = named
        return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        # What joblib hashes and pickle stores: the same before and after a use.
        return {name: value for name, value in vars(self).items() if name not in _LEFT_BY_USE}

    def __sklearn_clone__(self) -> Self:
        # A model or tokenizer that was given loaded is shared; scikit-learn would copy it.
        shared = [vars(self)[name] for name in ("model", "tokenizer")]
        return copy.deepcopy(self, {id(item): item for item in shared})
