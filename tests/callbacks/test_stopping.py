from types import SimpleNamespace

from kt2t.callbacks.stopping import is_stopping


def test_only_a_signal_stops():
    assert is_stopping(SimpleNamespace(stop_signal=15))
    assert not is_stopping(SimpleNamespace(stop_signal=None))
    assert not is_stopping(SimpleNamespace())
