"""Two targets of a sentence: each under its own key, from record to answer."""

from __future__ import annotations

import pytest

from kt2t.data.tagging.conllu_tags_and_label import ConlluTagsAndLabel
from kt2t.errors import DataError
from kt2t.features import Label, Tags

ROW = "{}\t{}\t_\t{}\t_\t_\t0\troot\t_\t_\n"


def sentence(genre: str, *pairs: str) -> str:
    rows = [ROW.format(number, *pair.split("/")) for number, pair in enumerate(pairs, 1)]
    return f"# sent_id = {genre}-a.com-1\n{''.join(rows)}\n"


@pytest.fixture
def files(tmp_path):
    train, dev = tmp_path / "train.conllu", tmp_path / "dev.conllu"
    train.write_text((sentence("weblog", "cats/NOUN", "sleep/VERB") + sentence("email", "sleep/VERB")) * 4)
    dev.write_text(sentence("email", "cats/NOUN") + sentence("weblog", "sleep/VERB", "cats/NOUN"))
    return {"train_files": str(train), "validation_files": str(dev)}


def test_end_to_end(files, tmp_path):
    problem = ConlluTagsAndLabel(**files)
    problem.prepare(tmp_path / "data")
    assert problem.features()["targets"] == {"tags": Tags(2), "label": Label(2)}
    features, targets, weights = next(iter(problem.batches("validation", rows=2, shapes=1)))
    assert features["inputs"].shape == (2, 2)
    assert targets["tags"].tolist() == [[1, 0], [2, 1]] and targets["label"].tolist() == [0, 1]
    assert weights["tags"].tolist() == [[1, 0], [1, 1]] and weights["label"].tolist() == [1, 1]
    assert problem.references("validation")[1] == {
        "inputs": "sleep cats",
        "targets": {"tags": ["VERB", "NOUN"], "label": "weblog"},
    }
    assert set(problem.loss()) == {"tags", "label"}
    assert ConlluTagsAndLabel(label_weight=0.2, **files).loss_weights == {"tags": 1.0, "label": 0.2}
    with pytest.raises(ValueError, match="label_weight: 0 is not positive"):
        ConlluTagsAndLabel(label_weight=0, **files)


def test_labels_that_are_missing_or_unknown_are_named_by_line(files, tmp_path):
    dev = tmp_path / "dev.conllu"
    with pytest.raises(DataError, match="dev.conllu:2: the comment 'genre' of this sentence is missing"):
        next(iter(ConlluTagsAndLabel(label_comment="genre", **files).examples("validation")))
    with pytest.raises(DataError, match="is 'email-a.com-1', where '\\[0-9\\]\\{9\\}' finds nothing"):
        next(iter(ConlluTagsAndLabel(label_pattern="[0-9]{9}", **files).examples("validation")))
    dev.write_text(dev.read_text() + sentence("poem", "sleep/VERB"))
    with pytest.raises(DataError, match="dev.conllu:9: the sentence has the label 'poem', which no training"):
        ConlluTagsAndLabel(**files).prepare(tmp_path / "data")
    with pytest.raises(ValueError, match="label_pattern: '\\(' is no regular expression"):
        ConlluTagsAndLabel(label_pattern="(", **files)
    grouped = ConlluTagsAndLabel(label_pattern="-(a)", **files)
    assert next(iter(grouped.examples("train")))["targets"]["label"] == "a"
