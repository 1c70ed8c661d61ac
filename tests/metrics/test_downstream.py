"""Loss recovered: exact where it can be, and against transformers' own loss."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import transformers
from llm.tiny import FAMILIES, TEXTS, build_model, build_tokenizer
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_aensae import Transcoder
from sklearn_aensae.llm import LLMActivationTransformer
from sklearn_aensae.metrics.downstream import LossRecovered, loss_recovered

END = "<|endoftext|>"


class Identity:
    """Reconstructs perfectly."""

    def transform(self, X):
        return X

    def inverse_transform(self, codes):
        return codes


class Constant(Identity):
    """Reconstructs everything as one vector."""

    def __init__(self, vector):
        self.vector = vector

    def inverse_transform(self, codes):
        return np.tile(self.vector, (len(codes), 1))


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer([END], bos_token=END, eos_token=END)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("gpt_neox")
    build_model("gpt_neox").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def activations(folder):
    return LLMActivationTransformer(folder, 1, max_batch_tokens=16)


@pytest.mark.parametrize("family", FAMILIES)
def test_identity_has_exactly_the_clean_loss(family, tokenizer):
    result = loss_recovered(build_model(family), Identity(), TEXTS, 1, tokenizer=tokenizer)
    assert result.ce_spliced == result.ce_clean
    assert result.ce_increase == result.kl == 0
    assert result.recovered == result.recovered_zero == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_identity_is_exact_in_low_precision(activations, dtype):
    result = loss_recovered(activations, Identity(), TEXTS, dtype=dtype)
    assert result.ce_spliced == result.ce_clean
    assert result.kl == 0


def test_mean_has_exactly_the_mean_ablated_loss(activations):
    mean = activations.transform(TEXTS).mean(axis=0, dtype=np.float64)
    result = loss_recovered(activations, Constant(mean), TEXTS)
    assert result.ce_spliced == result.ce_mean_ablated
    assert result.recovered == 0
    assert result == loss_recovered(activations, Constant(mean), TEXTS, mean=mean)


def test_zero_has_exactly_the_zero_ablated_loss(activations):
    result = loss_recovered(activations, Constant(np.zeros(16)), TEXTS)
    assert result.ce_spliced == result.ce_zero_ablated
    assert result.recovered_zero == 0


def test_clean_loss_is_transformers_own(activations, folder, tokenizer):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    total, n_tokens = 0.0, 0
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            total += model(ids, labels=ids).loss.double().item() * (ids.numel() - 1)
        n_tokens += ids.numel() - 1
    result = loss_recovered(activations, Identity(), TEXTS)
    assert result.ce_clean == pytest.approx(total / n_tokens, rel=1e-6)
    assert result.n_tokens == n_tokens


def test_fields_follow_their_formulas(activations):
    rows = activations.transform(TEXTS)
    r = loss_recovered(activations, PCA(2).fit(rows), TEXTS)
    assert r.ce_increase == r.ce_spliced - r.ce_clean
    assert r.recovered == 1 - r.ce_increase / (r.ce_mean_ablated - r.ce_clean)
    assert r.recovered_zero == 1 - r.ce_increase / (r.ce_zero_ablated - r.ce_clean)
    assert r.kl > 0
    assert set(dataclasses.asdict(r)) >= {"recovered", "kl", "n_tokens"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        r.recovered = 1.0


@pytest.mark.parametrize(
    "estimator",
    [
        PCA(),
        TruncatedSVD(16, random_state=0),
        make_pipeline(StandardScaler(), PCA(whiten=True)),
        PCA().set_output(transform="pandas"),
    ],
)
def test_lossless_estimators_recover_everything(activations, estimator):
    result = loss_recovered(activations, estimator.fit(activations.transform(TEXTS)), TEXTS)
    assert result.ce_spliced == pytest.approx(result.ce_clean, rel=1e-6)
    assert result.recovered == pytest.approx(1, abs=1e-4)
    assert 0 < result.kl < 1e-9


def test_more_components_diverge_less(activations):
    rows = activations.transform(TEXTS)
    kl = [loss_recovered(activations, PCA(k).fit(rows), TEXTS).kl for k in (1, 4, 12)]
    assert kl == sorted(kl, reverse=True)


@pytest.mark.parametrize("options", [{}, {"packing": True, "max_length": 10}, {"add_bos": True}])
def test_value_does_not_depend_on_the_batches(activations, options):
    estimator = PCA(4).fit(activations.transform(TEXTS))
    texts = TEXTS * 4
    one, many = (
        loss_recovered(activations, estimator, texts, max_batch_tokens=size, **options)
        for size in (1, 50)
    )
    assert dataclasses.asdict(one) == pytest.approx(dataclasses.asdict(many), rel=1e-5)
    assert one.n_tokens == many.n_tokens


def test_model_by_name_by_reference_and_by_transformer(activations, folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    by_transformer = loss_recovered(activations, Constant(np.ones(16)), TEXTS)
    assert isinstance(by_transformer, LossRecovered)
    for given in (folder, str(folder), model):
        assert (
            loss_recovered(given, Constant(np.ones(16)), TEXTS, 1, max_batch_tokens=16)
            == by_transformer
        )


def test_a_transformers_options_can_be_changed_and_it_is_left_alone(activations, folder):
    before = activations.get_params()
    changed = loss_recovered(activations, Constant(np.ones(16)), TEXTS, 0, add_bos=True)
    assert activations.get_params() == before
    assert changed == loss_recovered(
        folder, Constant(np.ones(16)), TEXTS, 0, add_bos=True, max_batch_tokens=16
    )


def test_a_costless_ablation_has_no_share_to_recover(tokenizer):
    model = build_model("gpt_neox")
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()  # every prediction is uniform
    result = loss_recovered(model, Constant(np.ones(16)), TEXTS, 1, tokenizer=tokenizer)
    assert result.ce_clean == pytest.approx(math.log(300), rel=1e-6)
    assert math.isnan(result.recovered)


def test_estimators_are_given_writable_float32_matrices(activations):
    class Picky(BaseEstimator, Identity):
        def transform(self, X):
            assert X.dtype == np.float32
            assert X.ndim == 2
            X *= 2  # an estimator that writes into its input harms no one
            return X / 2

    result = loss_recovered(activations, Picky(), TEXTS)
    assert result.ce_spliced == result.ce_clean


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "mean"}, "pooling='mean'"),
        ({"mean": np.zeros(3)}, r"mean has shape \(3,\); it must have \(16,\)"),
        ({"layer": 7}, "layer=7 is out of range: the model has 3 blocks"),
        ({"layer": [0, 1]}, "layer=.*must be one index"),
        ({"max_batch_tokens": 0}, "max_batch_tokens must be"),
        ({"layers": 1}, "Invalid parameter 'layers'"),
    ],
)
def test_wrong_options_are_refused(activations, options, message):
    with pytest.raises(ValueError, match=message):
        loss_recovered(activations, Identity(), TEXTS, **options)


def test_missing_layer(folder):
    with pytest.raises(ValueError, match="layer is missing"):
        loss_recovered(folder, Identity(), TEXTS)


def test_a_pipeline_is_no_model(folder):
    pipeline = make_pipeline(LLMActivationTransformer(folder, 1), Identity())
    with pytest.raises(TypeError, match="model must be a language model.*; got a Pipeline"):
        loss_recovered(pipeline, Identity(), TEXTS)


def test_a_model_without_a_head(folder):
    model = transformers.AutoModel.from_pretrained(folder)
    with pytest.raises(ValueError, match="GPTNeoXModel predicts no tokens"):
        loss_recovered(model, Identity(), TEXTS, 1)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a"], "there is none to predict"),
        ([END], "there is no activation"),
        ([], "0 samples"),
        (["a", ""], "Text 1 is empty"),
    ],
)
def test_texts_that_predict_nothing(activations, texts, message):
    with pytest.raises(ValueError, match=message):
        loss_recovered(activations, Identity(), texts)


def test_verbose_shows_progress(activations, capsys):
    loss_recovered(activations, Identity(), TEXTS, verbose=True)
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capsys.readouterr().err


def test_what_is_trained_on_targets_is_warned_of(activations):
    X = activations.transform(TEXTS)
    sae = Transcoder(8, k=2, max_epochs=1, random_state=0).fit(X, X)
    with pytest.warns(UserWarning, match="Transcoder is trained to predict targets"):
        loss_recovered(activations, sae, TEXTS)
