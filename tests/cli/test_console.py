import json

from kt2t.cli import console


def test_tables_are_aligned(capsys):
    console.table(
        [{"measure": "bleu", "value": 31.25}, {"measure": "loss", "value": 1234.5}, {"measure": "n", "value": 29000}]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].index("value") == lines[1].index("31.2500") == lines[2].index("1,234.5") == lines[3].index("29,000")
    console.table([])
    assert capsys.readouterr().out == ""


def test_json_result_is_json(capsys):
    console.result({"ü": 1.5}, True, print)
    assert json.loads(capsys.readouterr().out) == {"ü": 1.5}


def test_progress_elsewhere_is_a_line_now_and_then(capsys):
    told = console._lines("prepare", seconds=0.0)
    told(1, None, "train")
    told(2, 10, "train")
    assert capsys.readouterr().err == "prepare: train: 2 of 10\n"
