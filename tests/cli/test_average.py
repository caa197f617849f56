import json
import shutil

from kt2t.cli.main import run


def test_it_says_where_and_of_which_steps_and_evaluate_takes_it(tiny_run, tiny_data, tmp_path, capsys):
    shutil.copytree(tiny_run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "average", ignore_errors=True)
    mine = str(tmp_path / "run")
    assert run(["average", mine, "--last", "2"]) == 0
    assert capsys.readouterr().out == f"{mine}/checkpoints/average: the mean of steps 8 and 12\n"
    assert run(["evaluate", mine, "--checkpoint", "average", "--data-dir", str(tiny_data), "--samples", "0"]) == 0
    assert "checkpoints/average: the mean of steps 8 and 12" in capsys.readouterr().err
    assert run(["average", mine, "--last", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"checkpoint": f"{mine}/checkpoints/average", "steps": [8, 12], "made": False, "asked": 2}
    assert run(["average", mine]) == 0
    assert "steps 4, 8 and 12 (5 were asked for, 3 kept)" in capsys.readouterr().out


def test_what_cannot_be_averaged(tmp_path, capsys):
    assert run(["average", str(tmp_path / "none")]) == 4
    assert "holds no run" in capsys.readouterr().err
    assert run(["average", str(tmp_path), "--last", "0"]) == 2
