"""The contract of a scikit-learn step that takes text; its own checks take only numbers."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from llm.tiny import TEXTS, build_model
from sklearn_aensae.llm import LLMActivationTransformer

LABELS = [0, 1] * 5


@pytest.fixture
def pooled(activations):
    return activations(pooling="mean")


def test_constructor_stores_its_arguments():
    given = {
        "model": "name",
        "layer": 3,
        "max_norm_ratio": "wrong, but stored",
        "max_batch_tokens": 7,
    }
    transformer = LLMActivationTransformer(**given)
    assert transformer.get_params().items() >= given.items()
    assert set(vars(transformer)) == set(transformer.get_params())


def test_options_are_keywords():
    with pytest.raises(TypeError, match="positional"):
        LLMActivationTransformer("name", 3, None)


def test_set_params_and_get_params_agree():
    transformer = LLMActivationTransformer("name", 3).set_params(layer=1, pooling="max")
    assert transformer.get_params()["layer"] == 1
    assert transformer.get_params()["pooling"] == "max"
    with pytest.raises(ValueError, match="Invalid parameter 'layers'"):
        transformer.set_params(layers=1)


def test_repr_shows_what_was_chosen(activations):
    transformer = LLMActivationTransformer("name", 3, packing=True)
    assert repr(transformer) == "LLMActivationTransformer(layer=3, model='name', packing=True)"
    assert "LLMActivationTransformer" in activations()._repr_html_()


def test_attributes_are_listed_without_asking_the_hub(monkeypatch):
    def ask(*args, **kwargs):
        raise ConnectionError("asked")

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", ask)
    assert "transform" in dir(LLMActivationTransformer("name", 3))


def test_tags_say_text():
    tags = get_tags(LLMActivationTransformer("name", 3))
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit
    check_is_fitted(LLMActivationTransformer("name", 3))


def test_fit_only_checks(activations):
    transformer = activations()
    before = dict(vars(transformer))
    assert transformer.fit(TEXTS) is transformer
    assert transformer.fit(TEXTS, LABELS[:5]) is transformer
    assert vars(transformer) == before
    with pytest.raises(ValueError, match="layer must be the index of a block"):
        LLMActivationTransformer("name", 1.0).fit(TEXTS)


def test_transform_needs_no_fit_and_changes_no_parameter(activations):
    transformer, untouched = activations(), activations()
    rows = transformer.transform(TEXTS)
    assert transformer.get_params() == untouched.get_params()
    np.testing.assert_array_equal(transformer.fit(TEXTS).transform(TEXTS), rows)
    np.testing.assert_array_equal(transformer.fit_transform(TEXTS), rows)


@pytest.mark.parametrize(
    "container", [list, tuple, np.array, lambda t: np.array(t, dtype=object), pd.Series, pl.Series]
)
def test_collections_of_texts_are_alike(activations, container):
    np.testing.assert_array_equal(
        activations().transform(container(TEXTS)), activations().transform(TEXTS)
    )


@pytest.mark.parametrize("method", ["fit", "transform", "return_tokens"])
@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("a dog", TypeError, "put a single text in a list"),
        (b"a dog", TypeError, "put a single text in a list"),
        ({"a dog": 1}, TypeError, "got dict; put what is meant, and in which order"),
        ({"a dog"}, TypeError, "got set; put what is meant, and in which order"),
        (None, TypeError, "got NoneType"),
        ([], ValueError, "0 samples"),
        (np.array([["a", "dog"]]), ValueError, r"1-D, got shape \(1, 2\)"),
        (pd.DataFrame({"text": ["a"]}), ValueError, r"1-D, got shape \(1, 1\).*X\['text'\]"),
        (["a", ["dog"]], TypeError, r"Text 1 is not a string but list"),
        (["a", b"dog"], TypeError, "Text 1 is not a string but bytes"),
        (["a", "b", None], TypeError, "Text 2 is not a string but NoneType"),
        (pd.Series(["a", None]), TypeError, "Text 1 is not a string"),
        ([3.5], TypeError, "Text 0 is not a string but float"),
        (np.arange(3), TypeError, "Text 0 is not a string but int64"),
        (["a", ""], ValueError, "Text 1 is empty"),
        (iter(["a"]), TypeError, "iter_transform takes a stream"),
    ],
)
def test_what_is_no_text_is_refused(activations, method, texts, error, message):
    with pytest.raises(error, match=message):
        getattr(activations(), method)(texts)


def test_a_stream_is_checked_as_it_is_read(activations):
    with pytest.raises(TypeError, match="put a single text in a list"):
        activations().iter_transform("a dog")
    with pytest.raises(TypeError, match="Text 1 is not a string but bytes"):
        list(activations().iter_transform(iter(["a", b"dog"])))


def test_clone_has_the_parameters_and_not_the_model(activations):
    used = activations(layer=0, pooling="max").set_output(transform="pandas")
    used.transform(TEXTS)
    twin = clone(used)
    assert twin.get_params() == used.get_params()
    assert "_loaded" not in vars(twin)
    assert "n_dropped_" not in vars(twin)
    twin.set_output(transform="default")
    assert isinstance(used.transform(TEXTS), pd.DataFrame)


def test_clone_shares_a_loaded_model(pythia_tokenizer):
    model = build_model("gpt_neox")
    used = LLMActivationTransformer(model, 1, tokenizer=pythia_tokenizer)
    assert clone(used).model is model
    assert clone(used).tokenizer is pythia_tokenizer
    assert clone(make_pipeline(used, PCA())).steps[0][1].model is model


def test_pickle_holds_names_only(activations):
    transformer = activations()
    fresh = pickle.dumps(transformer)
    rows = transformer.transform(TEXTS)
    used = pickle.dumps(transformer)
    assert used == fresh
    assert len(used) < 1000
    np.testing.assert_array_equal(pickle.loads(used).transform(TEXTS), rows)


def test_hash_is_the_same_before_and_after_use(activations):
    transformer = activations()
    before = joblib.hash(transformer)
    transformer.transform(TEXTS)
    assert joblib.hash(transformer) == before
    assert joblib.hash(activations(layer=0)) != before


def test_hash_of_a_loaded_model_is_the_same_before_and_after_use(pythia_tokenizer):
    model = build_model("gpt_neox")
    transformer = LLMActivationTransformer(model, 1, tokenizer=pythia_tokenizer)
    before = joblib.hash(transformer)
    transformer.transform(TEXTS)
    assert joblib.hash(transformer) == before


def test_memory_runs_the_model_once_for_a_whole_search(pooled, tmp_path, monkeypatch):
    calls = []
    transform = LLMActivationTransformer.transform
    monkeypatch.setattr(
        LLMActivationTransformer, "transform", lambda s, X: calls.append(len(X)) or transform(s, X)
    )
    pipeline = make_pipeline(
        pooled, LogisticRegression(), memory=joblib.Memory(tmp_path, verbose=0)
    )
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1, 10]}, cv=2, refit=False)
    search.fit(TEXTS * 2, LABELS)
    in_fit = [n for n in calls if n == 5]
    # Two folds to fit on; scores are not cached by scikit-learn, and their transforms run again.
    assert len(in_fit) == 2 + 2 * 3


def test_pipeline_from_texts_to_labels(pooled):
    pipeline = make_pipeline(pooled, LogisticRegression()).fit(TEXTS * 2, LABELS)
    assert pipeline.predict(TEXTS).shape == (5,)
    names = pipeline[:1].get_feature_names_out()
    assert names[0] == "llmactivationtransformer0"


def test_pipeline_from_texts_to_token_rows(activations):
    pipeline = make_pipeline(activations(), PCA(2)).fit(TEXTS)
    assert pipeline.transform(["a dog"]).shape == (len(activations().return_tokens(["a dog"])), 2)


def test_several_layers_are_a_parameter_like_another(activations):
    transformer = activations([0, 2]).set_output(transform="pandas")
    before = joblib.hash(transformer)
    frame = transformer.transform(TEXTS)
    assert list(frame.columns) == transformer.get_feature_names_out().tolist()
    assert transformer.layer == [0, 2]
    assert joblib.hash(transformer) == before
    twin = pickle.loads(pickle.dumps(clone(transformer)))
    pd.testing.assert_frame_equal(twin.transform(TEXTS), frame)


@pytest.mark.parametrize(("library", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
@pytest.mark.parametrize("pooling", ["tokens", "mean"])
@pytest.mark.parametrize("container", [list, lambda t: pd.Series(t, index=list("abcde"))])
def test_set_output(activations, library, frame, pooling, container):
    plain = activations(pooling=pooling).transform(TEXTS)
    transformer = activations(pooling=pooling).set_output(transform=library)
    for method in (transformer.transform, transformer.fit_transform):
        answer = method(container(TEXTS))
        assert isinstance(answer, frame)
        assert list(answer.columns) == transformer.get_feature_names_out().tolist()
        np.testing.assert_array_equal(answer.to_numpy(), plain)


def test_set_output_keeps_the_index_of_pooled_texts(activations):
    texts = pd.Series(TEXTS, index=list("abcde"))
    pooled = activations(pooling="last").set_output(transform="pandas").transform(texts)
    assert pooled.index.tolist() == list("abcde")
    with config_context(transform_output="pandas"):
        tokens = activations().transform(texts)
    assert tokens.index.tolist() == list(range(len(tokens)))
