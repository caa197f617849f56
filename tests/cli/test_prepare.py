import json

from kt2t.cli.main import run


def test_prepares_once_and_verifies(tiny, capsys):
    assert run(["prepare", str(tiny), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["examples"]["train"] == 600 and found["vocabulary_sizes"]["inputs"] == 7
    assert run(["prepare", str(tiny), "--verify"]) == 0
    assert found["folder"] in capsys.readouterr().out


def test_a_flipped_bit_is_named(tiny, tmp_path, capsys):
    assert run(["prepare", str(tiny), "--data-dir", str(tmp_path), "--json"]) == 0
    folder = json.loads(capsys.readouterr().out)["folder"]
    shard = next((tmp_path / folder.rsplit("/", 1)[1]).glob("train*.arrayrecord"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert run(["prepare", str(tiny), "--data-dir", str(tmp_path), "--verify"]) == 3
    assert shard.name in capsys.readouterr().err
