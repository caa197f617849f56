"""Damaged pictures, some of each kind; `tests/campaigns/damaged_pictures.py` has the large count."""

from __future__ import annotations

import pytest
from campaigns import damaged_pictures, damages

from kt2t.cli.main import run


@pytest.mark.parametrize("name", sorted(damaged_pictures.KINDS))
def test_every_damage_is_named_harmless_or_beyond_knowing(tmp_path, name):
    found = damages.damage({name: damaged_pictures.KINDS[name]}, 7, 12, tmp_path)
    assert found["bad"] == [] and sum(found["counts"].values()) == 12


def test_the_command_ends_with_3_and_one_line(tmp_path, capsys):
    import random

    problem = damaged_pictures.folder_with(b"\x89PNG\r\n\x1a\n", "x.png", random.Random(1), tmp_path)
    words = [f"problem.path={problem.path}", "--data-dir", str(tmp_path / "data")]
    assert run(["prepare", "image/folder", *words]) == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t: ")]
    assert len(errors) == 1 and "/train/dog/x.png' cannot be read as a picture" in errors[0]
    assert run(["prepare", "image/folder", *words, "problem.skip=1"]) == 0
