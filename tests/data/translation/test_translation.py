"""What translation problems share."""

from __future__ import annotations

import pytest

from kt2t.data.translation.translation import Translation


def test_bleu_and_chrf():
    assert Translation().score(["ein kleiner Hund läuft"], ["ein kleiner Hund läuft"]) == pytest.approx(
        {"bleu": 100.0, "chrf": 100.0}
    )


def test_a_subclass_must_name_files():
    with pytest.raises(NotImplementedError, match="must define files"):
        Translation().splits()
