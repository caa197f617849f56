"""Multi30k: its real files, and what is said when they are not there."""

from __future__ import annotations

import pytest

from kt2t.data.translation.multi30k import Multi30k
from kt2t.errors import DataError


def test_the_real_files(test_data):
    problem = Multi30k(str(test_data / "multi30k_en_de"))
    assert problem.splits() == ("train", "validation", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
    validation = list(problem.examples("validation"))
    assert len(validation) == 1014
    assert validation[0] == {
        "inputs": "A group of men are loading cotton onto a truck",
        "targets": "Eine Gruppe von Männern lädt Baumwolle auf einen Lastwagen",
    }
    reverse = Multi30k(str(test_data / "multi30k_en_de"), source="de", target="en")
    assert next(iter(reverse.examples("validation")))["targets"] == validation[0]["inputs"]


def test_missing_folders_and_files(tmp_path):
    with pytest.raises(
        DataError, match="problem.path: '.*nowhere' does not exist. It should hold train.en and train.de"
    ):
        Multi30k(str(tmp_path / "nowhere")).splits()
    for name in ("train.en", "train.de", "val.en", "val.de"):
        (tmp_path / name).write_text("a\n")
    assert Multi30k(str(tmp_path)).splits() == ("train", "validation")
    (tmp_path / "test_2016_flickr.en").write_text("a\n")
    with pytest.raises(DataError, match="lacks test_2016_flickr.de"):
        Multi30k(str(tmp_path)).splits()
    with pytest.raises(ValueError, match="target: 'en' is also the source"):
        Multi30k(str(tmp_path), target="en")
