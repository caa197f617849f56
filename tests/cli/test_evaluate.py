import json

from kt2t.cli.main import run


def test_figures_and_signatures(tiny_run, tiny_data, capsys):
    assert run(["evaluate", str(tiny_run), "--data-dir", str(tiny_data), "--samples", "1"]) == 0
    told = capsys.readouterr().out
    assert "exact_match" in told and told.count("prediction:") == 1
    (heading,) = (line for line in told.splitlines() if line.startswith("split"))
    assert heading.split() == ["split", "step", "measure", "value", "examples"]
    assert all(line.split()[-1] == "60" for line in told.splitlines() if line.startswith("validation"))
    assert run(["evaluate", str(tiny_run), "--data-dir", str(tiny_data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["split"] == "validation"


def test_what_is_no_run_or_split(tiny_run, tiny_data, tmp_path, capsys):
    assert run(["evaluate", str(tmp_path)]) == 4
    assert run(["evaluate", str(tiny_run), "--samples", "-1"]) == 2
    assert run(["evaluate", str(tiny_run), "--split", "test", "--data-dir", str(tiny_data)]) == 3
    assert "There are: train, validation, long" in capsys.readouterr().err
