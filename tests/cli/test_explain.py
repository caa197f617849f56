import json

from kt2t.cli.main import run


def test_values_come_with_their_source_and_parts_with_their_size(tiny, capsys):
    assert run(["explain", str(tiny), "model.num_layers=2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    sources = {row["value"].partition(":")[0]: row["from"] for row in found["sources"]}
    assert sources["model.num_layers"] == "command line" and sources["model.hidden_dim"] == f"{tiny}:3"
    assert sum(found["estimate"]["parameters"].values()) == found["estimate"]["total"]
    assert run(["explain", str(tiny)]) == 0
    assert "optimizer.learning_rate.hidden_dim: 16" in capsys.readouterr().out


def test_nothing_is_trained_or_prepared(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "nowhere"))
    assert run(["explain", str(tiny)]) == 0
    assert not (tmp_path / "nowhere").exists() and not (tmp_path / "runs").exists()
