"""Names of columns."""


def test_feature_names_need_no_weights(activations, monkeypatch):
    monkeypatch.setattr("transformers.AutoModel.from_pretrained", None)
    names = activations().get_feature_names_out()
    assert names.tolist() == [f"llmactivationtransformer{i}" for i in range(16)]


def test_feature_names_of_several_layers_are_told_apart(activations, monkeypatch):
    monkeypatch.setattr("transformers.AutoModel.from_pretrained", None)
    names = activations([2, -3]).get_feature_names_out().tolist()
    assert names == [f"llmactivationtransformer_layer{j}_{i}" for j in (2, -3) for i in range(16)]
