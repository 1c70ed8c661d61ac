"""Residual-stream activations of language models as a scikit-learn step (extra ``[llm]``)."""

from sklearn_aensae.llm.transformer import LLMActivationTransformer

__all__ = ["LLMActivationTransformer"]
