"""The paper's models as estimators of this library, with the options that give its own rule."""

from dataclasses import dataclass, replace
from typing import Any

from examples.reproduce_paper.published import Row
from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    AdaptiveLassoSAE,
    BaseSAE,
    ElasticNetSAE,
    TopKSAE,
)
from sklearn_aensae.datasets import SpikedDictionaryStream

CLASSES: dict[str, type[BaseSAE]] = {
    "AEN": AdaptiveElasticNetSAE,
    "ALasso": AdaptiveLassoSAE,
    "ENet": ElasticNetSAE,
    "Vanilla": L1SAE,
    "TopK": TopKSAE,
}
ADAPTIVE = {
    "ema_correction": False,
    "weight_statistic": "mean",
    "weight_reference": "top",
    "weight_min": 0.01,
    "weight_max": 10.0,
    "normalize_weights": False,
}


@dataclass(frozen=True)
class Setting:
    """Sizes and length of the paper's trainings."""

    n_features: int = 256
    n_components: int = 1024
    n_active: int = 16
    batch_size: int = 256
    steps: int = 50_000
    start: int = 10_000
    ramp: int = 2_000
    window: int = 10_000
    init: str = "paper"
    n_held_out: int = 8_192

    def shortened(self, steps: int) -> "Setting":
        """Return the same with fewer steps, and phases shorter in proportion."""
        share = steps / self.steps
        phases = {name: round(getattr(self, name) * share) for name in ("start", "ramp", "window")}
        return replace(self, steps=steps, **phases)


def make_stream(row: Row, seed: int, setting: Setting) -> SpikedDictionaryStream:
    """Rows of the row's rho; all families see the same, in the same order."""
    return SpikedDictionaryStream(
        setting.n_features,
        setting.n_components,
        n_active=setting.n_active,
        rho=row.rho,
        random_state=seed,
    )


def make_estimator(row: Row, seed: int, setting: Setting, **options: Any) -> BaseSAE:
    """Estimator of a row, with the paper's initialisation, constant rates and raw input."""
    params: dict[str, Any] = {"dead_features": None, **row.params}
    if row.family != "TopK":
        params["lambda_warmup"] = 0
    if row.family in ("AEN", "ALasso"):
        phases = {"adaptation_start": setting.start, "adaptation_ramp": setting.ramp}
        params |= {**ADAPTIVE, **phases}
    return CLASSES[row.family](
        setting.n_components,
        init=setting.init,
        batch_size=setting.batch_size,
        max_steps=setting.steps,
        dead_window=setting.window * setting.batch_size,
        learning_rate=1e-3,
        lr_warmup=0,
        lr_decay=0,
        input_scaling=None,
        # Rows are independent: a buffer to shuffle them in would be a waste of memory.
        shuffle=False,
        random_state=seed,
        **params,
        **options,
    )
