"""What a user may do wrong: each is answered with one line that says what, where and the way out, and its exit status."""

import gzip
from pathlib import Path

import pytest

from kt2t.cli.main import run

RECIPE = """\
problem:
  type: ParallelText
  train_files: [train.en, train.de]
  vocabulary: {type: Bytes}
model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2}
optimizer: {type: Adam, learning_rate: 0.001}
train: {steps: 2, batch: {rows: 4}}
report: {every: 2, score: false, attention_maps: false}
"""

ENGLISH = "".join(f"line {number}\n" for number in range(300)).encode()
GERMAN = "".join(f"Zeile {number}\n" for number in range(300)).encode()

# fmt: off
PAIRS_TO_TEXT = (
    RECIPE,
    RECIPE.replace("ParallelText", "TextFiles").replace("[train.en, train.de]", "text").replace("Transformer,", "TransformerLM,"),
)

# What is wrong: the recipe, the files, further words of the command, the exit status, and what must be told.
CASES = {
    "misspelt key": ((("num_layers", "num_layer"),), {}, (), 2, ["mine.yaml:5: model.num_layer:", "'num_layers'"]),
    "wrong type": ((("num_layers: 1", "num_layers: one"),), {}, (), 2, ["mine.yaml:5: model.num_layers: 'one'", "whole number"]),
    "out of range": ((("num_heads: 2", "num_heads: 3"),), {}, (), 2, ["mine.yaml:5: model.num_heads: 3 heads", "Choose"]),
    "unknown type": ((("type: Adam", "type: Adaam"),), {}, (), 2, ["mine.yaml:6: optimizer.type:", "'Adam'"]),
    "nothing given": ((("[train.en, train.de]", "'???'"),), {}, (), 2, ["problem.train_files: must be given", "Add problem.train_files="]),
    "missing file": ((), {"train.de": None}, (), 2, ["mine.yaml:3: problem.train_files: 'train.de' does not exist"]),
    "bad override": ((), {}, ("train.stepps=3",), 2, ["command line: train.stepps:", "'steps'"]),
    "unpaired lines": ((), {"train.de": GERMAN + b"eine mehr\n"}, (), 3, ["train.en", "train.de", "300", "301"]),
    "empty file": ((), {"train.en": b"", "train.de": b""}, (), 3, ["train.en", "empty"]),
    "invalid UTF-8": ((), {"train.en": ENGLISH.replace(b"line 41\n", b"line \xff\n")}, (), 3, ["train.en:42", "UTF-8"]),
    "all filtered": ((), {"train.en": b" \n" * 300}, (), 3, ["300 with empty inputs"]),
    "all too long": ((), {}, ("problem.max_length=2",), 3, ["max_length", "297"]),
    "over-long line": ((), {"train.en": b"x" * 2_000_000 + b"\n" + ENGLISH[7:]}, (), 3, ["train.en:1"]),
    "cut gzip": ((("train.en, ", "train.en.gz, "),), {"train.en.gz": gzip.compress(ENGLISH)[:200]}, (), 3, ["train.en.gz"]),
    "not a gzip": ((("train.en, ", "train.en.gz, "),), {"train.en.gz": ENGLISH}, (), 3, ["train.en.gz"]),
    "run folder is taken": ((), {"runs/mine/thesis.tex": b"x"}, (), 4, ["runs/mine", "thesis.tex", "--run-dir"]),
    "unwritable run folder": ((), {"runs": b"a file"}, (), 5, ["runs/mine", "cannot be written"]),
    "too small a vocabulary": ((("{type: Bytes}", "{type: Subwords, size: 40}"),), {}, (), 2, ["mine.yaml:4: problem.vocabulary.size: 40"]),
    "empty recipe": (((RECIPE, ""),), {}, (), 2, ["mine.yaml: the recipe is empty"]),
    "not YAML": ((("problem:", "problem: ["),), {}, (), 2, ["mine.yaml:"]),
}

CASES |= {
    f"text: {what}": ((PAIRS_TO_TEXT, *changes), {"text/a.txt": ENGLISH, **files}, *rest)
    for what, (changes, files, *rest) in {
        "missing file": ((("train_files: text", "train_files: texts"),), {}, (), 2, ["mine.yaml:3: problem.train_files: 'texts' does not exist"]),
        "nothing given": ((("train_files: text", "train_files: ???"),), {}, (), 2, ["problem.train_files: must be given"]),
        "folder without text": ((), {"text/a.txt": None, "text/a.png": b"x"}, (), 3, ["problem.train_files: 'text' has no text files", "*.txt"]),
        "empty file": ((), {"text/a.txt": b""}, (), 3, ["text/a.txt", "empty"]),
        "white space alone": ((), {"text/a.txt": b" \n\n" * 50}, (), 3, ["no text for train", "text/a.txt", "white space"]),
        "invalid UTF-8": ((), {"text/a.txt": ENGLISH.replace(b"line 41\n", b"line \xff\n")}, (), 3, ["text/a.txt:42", "UTF-8"]),
        "damaged gzip": ((), {"text/a.txt.gz": gzip.compress(ENGLISH)[:200]}, (), 3, ["text/a.txt.gz", "damaged"]),
        "blank lines alone": ((), {"text/a.txt": b"\n" * 50}, ("problem.documents=lines",), 3, ["no text for train", "white space"]),
        "one document to share": ((), {}, ("problem.documents=files",), 3, ["no text for validation", "Name files for validation"]),
        "windows too long for a batch": ((), {}, ("train.batch={tokens: 8}",), 3, ["longer than 8 tokens", "the tokens of a batch"]),
        "stride beyond the window": ((), {}, ("problem.length=8", "problem.stride=9"), 2, ["problem.stride: 9", "length 8"]),
        "too rare words": ((("type: Bytes", "type: ClosedWords, least_count: 999"),), {}, (), 3, ["no word occurs 999 times"]),
        "inputs are not read": ((("type: TransformerLM", "type: TransformerEncoder"),), {}, (), 2, ["mine.yaml:5"]),
    }.items()
}
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_each_gives_one_line_and_its_status(case, tmp_path, monkeypatch, capsys):
    changes, files, words, status, told = CASES[case]
    monkeypatch.chdir(tmp_path)
    text = RECIPE
    for before, after in changes:
        text = text.replace(before, after)
    Path("mine.yaml").write_text(text, encoding="utf-8")
    for name, content in {"train.en": ENGLISH, "train.de": GERMAN, **files}.items():
        if content is not None:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
    assert run(["train", "mine.yaml", *words, "--data-dir", "data"]) == status
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t:")]
    assert len(errors) == 1, errors
    missing = [word for word in told if word not in errors[0]]
    assert not missing, errors[0]
    assert not [path for path in tmp_path.rglob("*") if "tmp" in path.name], "something half-written is left"
    assert not (tmp_path / "runs" / "mine" / "run.json").exists()


def test_a_run_with_another_vocabulary_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(RECIPE.replace("{type: Bytes}", "{type: Characters}"), encoding="utf-8")
    Path("train.en").write_bytes(ENGLISH)
    Path("train.de").write_bytes(GERMAN)
    assert run(["train", "mine.yaml", "--data-dir", "data"]) == 0
    Path("train.de").write_bytes(GERMAN.replace(b"Zeile", "Zeichen für".encode()))
    capsys.readouterr()
    assert run(["train", "mine.yaml", "train.steps=4", "--data-dir", "data"]) == 4
    assert "the vocabulary of" in capsys.readouterr().err
