"""Who is at fault when a model does not load."""

import pytest
import transformers
from huggingface_hub import errors as hub

from sklearn_aensae.llm import LLMActivationTransformer
from sklearn_aensae.llm.errors import explained


def chained(kind):
    """Return the OSError that transformers raises from an error of the hub."""
    error = OSError("We had trouble")
    error.__cause__ = kind.__new__(kind)  # real ones are made from the answer of a server
    return error


@pytest.mark.parametrize(
    ("kind", "raised", "message"),
    [
        (hub.GatedRepoError, PermissionError, "'some/model' is gated.*hf auth login.*HF_TOKEN"),
        (hub.RepositoryNotFoundError, ValueError, "The name is at fault.*no model 'some/model'"),
        (hub.RevisionNotFoundError, ValueError, "'some/model' has no revision='v9'"),
        (hub.HFValidationError, ValueError, "neither an existing folder nor a well-formed"),
        (hub.LocalEntryNotFoundError, ConnectionError, "The network is at fault"),
        (hub.OfflineModeIsEnabled, ConnectionError, "The network is at fault"),
    ],
)
def test_the_fault_is_named(monkeypatch, kind, raised, message):
    def fail(*args, **options):
        raise chained(kind)

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", fail)
    transformer = LLMActivationTransformer("some/model", 0, revision="v9")
    with pytest.raises(raised, match=message) as caught:
        transformer.get_feature_names_out()
    assert str(caught.value.__cause__) == "We had trouble"


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="neither an existing folder nor a well-formed hub name"):
        LLMActivationTransformer(tmp_path / "nowhere", 0).transform(["a dog"])


def test_without_a_network_the_name_is_not_blamed(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match="Whether the name exists is not known"):
        LLMActivationTransformer("some/model", 0).transform(["a dog"])


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(OSError, match="disk"), explained("name", None):
        raise OSError("disk")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="Should have a `model_type` key"):
        LLMActivationTransformer(tmp_path, 0).get_feature_names_out()
