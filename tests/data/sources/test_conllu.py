"""CoNLL-U: the counts that the treebank publishes, and every fault by its line."""

from __future__ import annotations

import gzip

import pytest

from kt2t.data.sources.conllu import sentences
from kt2t.errors import DataError


def row(number: str, word: str, tag: str = "NOUN") -> str:
    return "\t".join([number, word, "_", tag, "_", "_", "0", "root", "_", "_"]) + "\n"


TEXT = (
    "# newdoc id = a\n# sent_id = a-1\n# a note\n"
    + row("1-2", "don't")
    + row("1", "do", "AUX")
    + row("2", "n't", "PART")
    + row("2.1", "go", "VERB")
    + row("3", "10 000", "NUM")
    + "\n# sent_id = a-2\n"
    + row("1", "Yes", "INTJ")
    + "\n"
)


@pytest.mark.parametrize("name, write", [("a.conllu", lambda text: text), ("a.conllu.gz", gzip.compress)])
def test_words_and_comments(tmp_path, name, write):
    (tmp_path / name).write_bytes(write(TEXT.encode()))
    first, second = sentences(tmp_path / name)
    assert first.column("FORM") == ["do", "n't", "10 000"] and first.column("UPOS") == ["AUX", "PART", "NUM"]
    assert first.comments == {"newdoc id": "a", "sent_id": "a-1", "a note": ""}
    assert (first.line, first.lines, second.line) == (5, [5, 6, 8], 11)
    assert second.comments == {"sent_id": "a-2"} and second.column("FORM") == ["Yes"]


def test_the_real_treebank_has_the_counts_of_its_statistics(test_data):
    found = list(sentences(test_data / "ud_english_ewt" / "en_ewt-ud-test.conllu.gz"))
    assert (len(found), sum(len(one.rows) for one in found)) == (2077, 25_094)
    assert len({tag for one in found for tag in one.column("UPOS")}) == 17


@pytest.mark.parametrize(
    "text, line, told",
    [
        ("1\tone\t_\n\n", 1, "3 columns where CoNLL-U has 10"),
        (row("1", "a") + "2 b _ NOUN _ _ 0 root _ _\n\n", 2, "1 columns where"),
        (row("1", "a") + row("3", "c") + "\n", 2, "ID '3' where word 2 follows"),
        (row("1", "a") + row("x", "c") + "\n", 2, "ID 'x' where word 2 follows"),
        (row("1", "a") + row("3-4", "cd") + "\n", 2, "range 3-4 stands before word 2"),
        (row("1", " ") + "\n", 1, "column FORM is empty"),
        (row("1", "a") + "# late\n" + row("2", "b") + "\n", 2, "a comment within a sentence"),
        ("# only\n\n" + row("1", "a") + "\n", 2, "a sentence of comments alone"),
        (row("1", "a") + "\n" + row("1", "b"), 3, "ends within a sentence"),
        (row("1", "a") + "\n# sent_id = x\n", 3, "ends after comments"),
        (row("1", "a") + "\n\xff", 3, "not UTF-8"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path, text, line, told):
    file = tmp_path / "bad.conllu"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=told) as caught:
        list(sentences(file))
    assert str(caught.value).startswith(f"{file}:{line}: ")
