import json

import pytest

from kt2t.cli.main import run


@pytest.fixture
def tiny(tiny_transformer):
    return tiny_transformer


def test_values_come_with_their_source_and_parts_with_their_size(tiny, capsys):
    assert run(["explain", str(tiny), "model.num_layers=2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    sources = {row["value"].partition(":")[0]: row["from"] for row in found["sources"]}
    assert sources["model.num_layers"] == "command line" and sources["model.hidden_dim"] == f"{tiny}:3"
    assert sum(found["estimate"]["parameters"].values()) == found["estimate"]["total"]
    assert run(["explain", str(tiny)]) == 0
    told = capsys.readouterr().out
    assert "optimizer.learning_rate.hidden_dim: 16" in told and told.count("parameters") == 1


def test_the_size_of_a_vocabulary_is_found_in_data_dir(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "nowhere"))
    (tmp_path / "pairs.tsv").write_text("".join(f"a{n}\tb{n}\n" for n in range(9)))
    (tmp_path / "own.yaml").write_text(
        f"problem: {{type: ParallelText, train_files: {tmp_path / 'pairs.tsv'}, vocabulary: {{type: Characters}}}}\n"
        "model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 16, num_heads: 2}\n"
        "optimizer: {type: Adam}\n"
    )
    words = [str(tmp_path / "own.yaml"), "--data-dir", str(tmp_path / "data"), "--json"]
    assumed = []
    for _ in range(2):
        capsys.readouterr()
        assert run(["explain", *words]) == 0
        assumed.append(json.loads(capsys.readouterr().out)["estimate"]["assumed_vocabulary"])
        assert run(["prepare", *words]) == 0
    assert assumed == [True, False]


def test_nothing_is_trained_or_prepared(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "nowhere"))
    assert run(["explain", str(tiny)]) == 0
    assert not (tmp_path / "nowhere").exists() and not (tmp_path / "runs").exists()
