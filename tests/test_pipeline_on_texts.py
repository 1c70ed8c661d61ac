"""The main job: texts to sparse codes in one Pipeline, on the packaged language model."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_aensae import AdaptiveElasticNetSAE, LLMActivationTransformer, TopKSAE
from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts
from sklearn_aensae.metrics import SCORERS, loss_recovered

TRAIN = [text[:2000] for text in load_stdlib_texts("train")[:12]]
TEST = [text[:1000] for text in load_stdlib_texts("test")[:4]]


def make_pipeline(**params):
    activations = LLMActivationTransformer(TINY_LM, layer=1, long_texts="split")
    sae = AdaptiveElasticNetSAE(
        2.0, lambda_1=0.002, learning_rate=4e-3, max_steps=200, random_state=0, **params
    )
    return Pipeline([("activations", activations), ("sae", sae)])


@pytest.fixture(scope="module")
def fitted():
    return make_pipeline(sparse_output=True).fit(TRAIN)


def test_codes_have_a_row_per_token(fitted):
    codes = fitted.transform(TEST)
    tokens = fitted["activations"].return_tokens(TEST)
    assert codes.shape == (len(tokens), 384)
    assert 0 < codes.nnz < codes.shape[0] * codes.shape[1] / 2
    assert fitted.score(TEST) > 0.5


def test_pickled_pipeline_gives_the_same_codes_in_a_fresh_process(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "pipeline.joblib")
    np.save(tmp_path / "texts.npy", np.array(TEST))
    code = (
        "import joblib, numpy as np, sys, torch; torch.set_num_threads(1);"
        "p = joblib.load('pipeline.joblib'); t = np.load('texts.npy');"
        "np.save('codes.npy', p.transform(t).toarray())"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), fitted.transform(TEST).toarray())
    # The language model's weights are not in the file.
    assert (tmp_path / "pipeline.joblib").stat().st_size < 5_000_000


def test_grid_search_over_texts_with_a_cache(tmp_path):
    search = GridSearchCV(
        make_pipeline(sparse_output=True).set_params(memory=str(tmp_path)),
        {"sae__lambda_1": [0.002, 0.2]}, scoring=SCORERS, refit="explained_variance", cv=2,
        error_score="raise",
    ).fit(TRAIN)  # fmt: skip
    assert search.best_params_ == {"sae__lambda_1": 0.002}
    assert search.cv_results_["mean_test_neg_l0"].max() < -1
    # Two folds and the refit: the candidates share what the cache holds.
    assert len(list(tmp_path.rglob("output.pkl"))) == 3


def test_loss_recovered_of_a_fitted_sae(fitted):
    activations = fitted["activations"]
    result = loss_recovered(activations, fitted["sae"], TEST)
    assert result.ce_clean < result.ce_spliced < result.ce_mean_ablated
    assert 0.3 < result.recovered < 1
    # Codes that keep less recover less.
    rows = activations.transform(TRAIN)
    worse = TopKSAE(2.0, k=1, max_steps=200, random_state=0).fit(rows)
    assert loss_recovered(activations, worse, TEST).recovered < result.recovered


def test_loss_recovered_restores_each_rows_norm():
    """With one scale per row, codes alone do not know the scale: the splice must."""
    activations = LLMActivationTransformer(TINY_LM, layer=1, long_texts="split")
    sae = TopKSAE(2.0, k=384, dead_features=None, input_scaling="sample_norm", max_steps=300)
    sae.fit(activations.transform(TRAIN))
    spliced = loss_recovered(activations, sae, TEST)

    class WithoutReconstruct:
        transform, inverse_transform = sae.transform, sae.inverse_transform

    assert spliced.recovered > loss_recovered(activations, WithoutReconstruct(), TEST).recovered


def test_pooled_codes_classify_texts():
    """Documents from two packages are told apart by the features in their text."""
    texts, names = load_stdlib_texts("train", return_names=True)
    packages = ("tkinter", "asyncio")
    chosen = [(t[:1500], n) for t, n in zip(texts, names, strict=True) if n.startswith(packages)]
    labels = [name.startswith("tkinter") for _, name in chosen]
    model = Pipeline(
        [
            (
                "activations",
                LLMActivationTransformer(TINY_LM, 1, long_texts="split", pooling="mean"),
            ),
            ("sae", TopKSAE(2.0, k=16, max_steps=100, random_state=0)),
            ("classifier", LogisticRegression(C=100.0, max_iter=1000)),
        ]
    )
    half = slice(0, None, 2)
    texts = np.array([text for text, _ in chosen])
    labels = np.array(labels)
    score = model.fit(texts[half], labels[half]).score(texts[1::2], labels[1::2])
    assert score > max(labels.mean(), 1 - labels.mean()) + 0.1
    assert clone(model).get_params()["activations__layer"] == 1


def test_a_stream_of_activations_gives_what_all_of_them_give():
    activations = LLMActivationTransformer(
        TINY_LM, layer=1, long_texts="split", max_batch_tokens=512
    )
    params = {"k": 8, "max_steps": 20, "shuffle": False, "random_state": 0, "dead_window": 1000}
    whole = TopKSAE(64, **params).fit(activations.fit_transform(TRAIN))
    stream = TopKSAE(64, **params).fit(activations.iter_transform(TRAIN))
    np.testing.assert_array_equal(stream.components_, whole.components_)
