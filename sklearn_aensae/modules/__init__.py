"""What is optimised: encoder, activation and decoder as small torch modules."""

from sklearn_aensae.modules.autoencoder import Autoencoder, SAEOutput

__all__ = ["Autoencoder", "SAEOutput"]
