import json

from upstream_checkpoint import leave_behind

from kt2t.cli.main import run


def test_it_tells_the_folder_and_the_step_and_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = leave_behind(tmp_path)
    assert run([*words, "--run-dir", "runs/mine", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {"folder": "runs/mine", "step": 7}
    assert "kt2t predict runs/mine < lines" in told.err
    assert (tmp_path / "runs" / "mine" / "run.json").is_file()


def test_what_it_must_be_given(capsys):
    assert run(["import-t2t", "folder"]) == 2
    assert "--hparams" in capsys.readouterr().err
