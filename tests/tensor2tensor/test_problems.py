import pytest

from kt2t.errors import RecipeError
from kt2t.tensor2tensor.problems import problem


@pytest.mark.parametrize(
    "name", ["translate_ende_wmt32k", "translate_enfr_wmt8k_rev", "summarize_cnn_dailymail32k", "text2text_tmpdir"]
)
def test_pairs_of_texts_share_a_vocabulary(name):
    assert problem(name, ["a.subwords"]) == {
        "type": "ParallelText",
        "train_files": None,
        "vocabulary": {"type": "SubwordTextEncoder", "path": "a.subwords"},
    }


def test_a_vocabulary_for_each_side():
    node = problem("translate_enzh_wmt32k", ["en", "zh"])
    assert node["source_vocabulary"]["path"] == "en" and node["target_vocabulary"]["path"] == "zh"
    assert "vocabulary" not in node


def test_characters_have_no_file():
    assert problem("translate_ende_wmt_characters", [])["vocabulary"] == {"type": "Bytes"}


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("languagemodel_lm1b32k", ["a"], "importing it needs a model without inputs"),
        ("image_mnist", ["a"], "needs pictures"),
        ("poetry_lines", ["a"], "kt2t does not know this problem. Give --problem text2text_tmpdir"),
        ("translate_ende_wmt_bpe32k", ["a"], "BPE tokens"),
        ("translate_ende_wmt_characters", ["a"], "has no .subwords file"),
        ("translate_ende_wmt8k", [], "0 files for 'translate_ende_wmt8k'"),
        ("translate_ende_wmt8k", ["a", "b", "c"], "3 files"),
    ],
)
def test_what_cannot_be_imported_says_what_it_would_need(name, files, message):
    with pytest.raises(RecipeError, match=message):
        problem(name, files)
