"""Damaged recordings, some of each kind; `tests/campaigns/damaged_sound.py` has the large count."""

from __future__ import annotations

import random

import pytest
from campaigns import damaged_sound, damages

from kt2t.cli.main import run


@pytest.mark.parametrize("name", sorted(damaged_sound.KINDS))
def test_every_damage_is_named_harmless_or_beyond_knowing(tmp_path, name):
    found = damages.damage({name: damaged_sound.KINDS[name]}, 7, 12, tmp_path)
    assert found["bad"] == [] and sum(found["counts"].values()) == 12


def test_the_command_ends_with_3_and_one_line(tmp_path, capsys):
    problem = damaged_sound.folder_with(b"RIFF", ".wav", random.Random(1), tmp_path)
    words = [f"problem.path={problem.path}", "--data-dir", str(tmp_path / "data")]
    assert run(["prepare", "speech/fsdd", *words]) == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t: ")]
    assert len(errors) == 1 and "9_bob_7.wav' is a damaged wav file: it ends within its header" in errors[0]
    for digit in range(6):  # so that the one held out for validation is a whole one
        whole = damaged_sound.written(damaged_sound.samples(random.Random(digit)))
        (tmp_path / "raw" / f"{digit}_eve_5.wav").write_bytes(whole)
    assert run(["prepare", "speech/fsdd", *words, "problem.skip=1"]) == 0
