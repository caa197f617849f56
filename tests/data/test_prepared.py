"""An opened folder: every file that is missing, superfluous, cut or changed is named."""

from __future__ import annotations

import json

import pytest

from kt2t.data.language.text_files import TextFiles
from kt2t.data.prepared import Prepared, seal
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies.characters import Characters
from kt2t.errors import DataError


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setattr("kt2t.data.records.SHARD_BYTES", 4000)
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"line {n}\tZeile {n}\n" for n in range(400)))
    problem = ParallelText(train_files=str(path), vocabulary=Characters())
    return problem, problem.prepare(tmp_path / "data")


def shards(folder):
    return sorted(folder.glob("train-*.arrayrecord"))


def test_opens_and_verifies(made):
    prepared = Prepared(made[1])
    prepared.verify()
    assert prepared.splits == ("train", "validation") and len(shards(made[1])) > 2
    with pytest.raises(DataError, match="'test' is not a split of .* There are: train, validation"):
        prepared.records("test")


@pytest.mark.parametrize("keep", [0, 1, 0.3, 0.5, 65536, -1, -65536])
def test_a_cut_shard(made, keep):
    path = shards(made[1])[1]
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(DataError, match=rf"{path.name}' has \d+ bytes; expected \d+ records in {len(data)} bytes"):
        Prepared(made[1])


def test_a_shard_that_was_replaced_by_another(made):
    one, other = shards(made[1])[:2]
    assert one.stat().st_size == other.stat().st_size
    other.write_bytes(one.read_bytes())
    with pytest.raises(DataError, match=r"has sha256|has \d+ records; expected \d+"):
        Prepared(made[1]).verify()


def test_a_missing_and_a_superfluous_shard(made):
    path = shards(made[1])[1]
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(DataError, match=f"lacks {path.name}"):
        Prepared(made[1])
    path.write_bytes(kept)
    (made[1] / "train-00099-of-00100.arrayrecord").write_bytes(kept)
    with pytest.raises(DataError, match="beyond its manifest, train-00099-of-00100.arrayrecord"):
        Prepared(made[1])


def test_a_flipped_bit_is_found_by_verify_wherever_it_is(made):
    path = shards(made[1])[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(DataError, match=path.name):
        Prepared(made[1]).verify()


def test_the_manifest_missing_damaged_or_of_another_format(made):
    path = made[1] / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(DataError, match="has format 99; this kt2t reads 1"):
        Prepared(made[1])
    for text in ("{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(DataError, match="manifest.json' cannot be read"):
            Prepared(made[1])
    del manifest["seal"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        DataError, match="manifest.json' has no seal, .*. Delete the folder .* and prepare the problem again"
    ):
        Prepared(made[1])
    path.unlink()
    with pytest.raises(DataError, match="manifest.json' does not exist"):
        Prepared(made[1])


def test_another_vocabulary_is_refused(made):
    problem, folder = made
    other = Characters("abc")
    with pytest.raises(DataError, match="were made with the vocabulary"):
        Prepared(folder).restore_vocabularies({})
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["vocabularies"]["inputs"]["fingerprint"] = other.fingerprint
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="manifest.json' was changed after it was written"):
        Prepared(folder)
    del manifest["seal"]
    manifest["seal"] = seal(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=f"were made with the vocabulary {other.fingerprint}"):
        ParallelText(train_files="x.tsv", vocabulary=Characters()).use(folder)


def test_a_changed_vocabulary_file_is_named(made):
    (path,) = (made[1] / "vocabulary").glob("*.txt")
    path.write_text("abc")
    with pytest.raises(DataError, match="characters.txt' is damaged"):
        made[0].use(made[1])


def test_a_folder_from_before_a_field_was_renamed(tmp_path):
    (tmp_path / "text.txt").write_text("some words\n" * 200)
    problem = TextFiles(path=str(tmp_path / "text.txt"), length=16)
    folder = problem.prepare(tmp_path / "data")
    wanted = problem.prepared.records("validation").read([0, 1, 2])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["fields"] = {"given": manifest["fields"]["prompt_length"], "targets": manifest["fields"]["targets"]}
    del manifest["seal"]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "seal": seal(manifest)}))
    found = Prepared(folder).records("validation").read([0, 1, 2])
    assert int(found[1]["prompt_length"]) == 8
    assert all(one[field].tolist() == other[field].tolist() for one, other in zip(found, wanted, strict=True) for field in one)
