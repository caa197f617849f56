"""Pairs from one's own files."""

from __future__ import annotations

import pytest

from kt2t.data.translation.parallel_text import ParallelText
from kt2t.errors import DataError


def test_splits_follow_the_files_given(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n")
    one = ParallelText(train_files=str(path), test_files=[str(path)])
    assert one.splits() == ("train", "test") and list(one.examples("test")) == [{"inputs": "a", "targets": "b"}]
    with pytest.raises(DataError, match="'validation' is not a split of ParallelText. There are: train, test"):
        one.examples("validation")


def test_json_lines_with_keys_of_their_own(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"en": "a", "de": "b"}\n')
    assert list(ParallelText(train_files=str(path), source_key="en", target_key="de").examples("train")) == [
        {"inputs": "a", "targets": "b"}
    ]


def test_columns_and_nested_keys(tmp_path):
    tsv = tmp_path / "pairs.tsv"
    tsv.write_text("1\tb\ta\n")
    nested = tmp_path / "pairs.json"
    nested.write_text('[{"translation": {"en": "a", "de": "b"}}]')
    one = ParallelText(train_files=str(tsv), source_key=3, target_key=2)
    other = ParallelText(train_files=str(nested), source_key="translation.en", target_key="translation.de")
    assert list(one.examples("train")) == list(other.examples("train")) == [{"inputs": "a", "targets": "b"}]
    tsv.write_text("en\tde\n")
    assert list(ParallelText(train_files=str(tsv), header=False).examples("train")) == [{"inputs": "en", "targets": "de"}]


def test_faults(tmp_path):
    with pytest.raises(ValueError, match="source_key: 0 is no column. Columns are counted from 1"):
        ParallelText(train_files="a.tsv", source_key=0)
    with pytest.raises(ValueError, match="train_files: 3 files"):
        ParallelText(train_files=["a", "b", "c"])
    with pytest.raises(ValueError, match="validation_files: 'a.tsv' and 'b.tsv' hold pairs already"):
        ParallelText(train_files="c.tsv", validation_files=["a.tsv", "b.tsv"])
    with pytest.raises(DataError, match="problem.validation_files: '.*nowhere.en' does not exist"):
        (tmp_path / "x.tsv").write_text("a\tb\n")
        missing = [str(tmp_path / "nowhere.en"), str(tmp_path / "nowhere.de")]
        ParallelText(train_files=str(tmp_path / "x.tsv"), validation_files=missing).splits()


def test_without_files_there_are_features_and_no_examples():
    problem = ParallelText(train_files=None)
    assert set(problem.features()) == {"inputs", "targets"}
    with pytest.raises(DataError, match="problem.train_files: there are none. Give two parallel text files"):
        problem.splits()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_files_for_evaluation_alone(tmp_path, monkeypatch, split):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    (tmp_path / "pairs.tsv").write_text("a\tb\nc\td\n")
    problem = ParallelText(train_files=None, **{f"{split}_files": str(tmp_path / "pairs.tsv")})
    problem.prepare()
    assert problem.prepared.splits == (split,) and len(problem.references(split)) == 2
