"""When training stops by itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kt2t.callbacks import EarlyStopping


def stopped_after(values, **options):
    callback = EarlyStopping(**options)
    callback.set_model(SimpleNamespace(stop_training=False))
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, value)
        if callback.model.stop_training:
            return epoch + 1
    return None


def test_loss_stops_when_it_no_longer_falls():
    logs = [{"val_loss": value} for value in (3.0, 2.0, 2.5, 2.4, 2.3, 1.0)]
    assert stopped_after(logs, metric="loss", patience=3) == 5
    assert stopped_after(logs, metric="loss", patience=4) is None


def test_bleu_stops_when_it_no_longer_rises():
    logs = [{"validation_bleu": value} for value in (1.0, 2.0, 3.0, 2.0, 3.0)]
    assert stopped_after(logs, metric="bleu", patience=2) == 5
    assert stopped_after(logs, metric="bleu", patience=2, mode="min") == 3
    assert stopped_after(logs, metric="bleu", patience=1, min_delta=1.5) == 2


def test_an_epoch_without_the_metric_does_not_count():
    assert stopped_after([{"loss": 1.0}] * 3 + [{}], metric="bleu", patience=1) is None


def test_patience_is_checked():
    with pytest.raises(ValueError, match="patience: 0 is not positive"):
        EarlyStopping(patience=0)
