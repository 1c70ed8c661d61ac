"""The columns of activations: how many there are, and names that tell layers apart."""

from __future__ import annotations

from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_aensae.llm.lifecycle import KeepsLanguageModel


class NamesColumns(KeepsLanguageModel):
    """Names the columns of one layer, or of several side by side."""

    layer: Any

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns, which need the model's config and not its weights.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_layers * hidden_size,), object
            "llmactivationtransformer0", ...; with a list of layers, which are named as in `layer`,
            "llmactivationtransformer_layer2_0", ...
        """
        model, prefix = self._language_model(), type(self).__name__.lower()
        if isinstance(self.layer, Integral):
            names = [f"{prefix}{i}" for i in range(model.hidden_size)]
        else:
            columns = product(model.layers, range(model.hidden_size))
            names = [f"{prefix}_layer{layer}_{i}" for layer, i in columns]
        return np.array(names, dtype=object)
