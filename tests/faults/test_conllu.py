"""Damaged CoNLL-U files, some of each kind; `tests/campaigns/damaged_conllu.py` has the large count."""

from __future__ import annotations

import pytest
from campaigns import damaged_conllu, damages

from kt2t.cli.main import run


@pytest.mark.parametrize("name", sorted(damaged_conllu.KINDS))
def test_every_damage_is_named_harmless_or_beyond_knowing(tmp_path, name):
    found = damages.damage({name: damaged_conllu.KINDS[name]}, 7, 12, tmp_path)
    assert found["bad"] == [] and sum(found["counts"].values()) == 12


def test_the_command_ends_with_3_and_one_line(tmp_path, capsys):
    file = tmp_path / "mine.conllu"
    file.write_text("1\tone\t_\tNUM\n\n")
    words = [f"problem.train_files={file}", "--data-dir", str(tmp_path / "data")]
    assert run(["prepare", "tagging/conllu", *words]) == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t: ")]
    assert len(errors) == 1 and f"{file}:1: 4 columns where CoNLL-U has 10" in errors[0]
