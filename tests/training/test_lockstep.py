"""The loop itself; what becomes of estimators is in tests/estimators/test_many.py."""

from helpers import make_data, quick

from sklearn_aensae import L1SAE
from sklearn_aensae.sources import ArraySource
from sklearn_aensae.training import Batches, Lockstep

X = make_data()


def test_each_batch_is_drawn_once(monkeypatch):
    saes = [quick(L1SAE, max_steps=1, lr_warmup=0, lr_decay=0).fit(X) for _ in range(3)]
    drawn, seen = [], {}
    batches = ArraySource.batches

    def counted(self, *args, **kwargs):
        for batch in batches(self, *args, **kwargs):
            drawn.append(batch)
            yield batch

    monkeypatch.setattr(ArraySource, "batches", counted)
    for i, sae in enumerate(saes):
        step = sae.net_.train_step

        def noted(batch, *args, i=i, step=step, **kwargs):
            seen.setdefault(i, []).append(batch[0].data_ptr())
            return step(batch, *args, **kwargs)

        monkeypatch.setattr(sae.net_, "train_step", noted)
    source = ArraySource(X, "cpu", saes[0].net_.module_.decoder.bias.dtype)
    lockstep = Lockstep([sae.net_ for sae in saes])
    lockstep.fit(Batches(source, saes[0]._scaling, 32, seed=0), None, n_epochs=2)
    assert len(drawn) == 8
    assert seen[0] == seen[1] == seen[2] == [batch.data_ptr() for batch in drawn]
    assert [sae.net_.n_steps_ for sae in saes] == [9, 9, 9]
    assert not lockstep.errors_
    assert not lockstep.interrupted_
    assert not any(sae.net_.workspace_._buffers for sae in saes)
