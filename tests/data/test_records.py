"""Record files: what is written is read, and no damage goes unseen."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from kt2t.data import records as module
from kt2t.data.records import Records, RecordWriter, layout_of, nested, pack, unpack
from kt2t.errors import DataError
from kt2t.features import Audio, Encoded, Image, Label, Tags, Text

FEATURES = {"inputs": Text(100), "targets": Text(100)}
LAYOUT = layout_of(FEATURES)


def drawn(count, seed=0):
    chance = np.random.default_rng(seed)
    return [
        {field: chance.integers(1, 100, chance.integers(0, 9)).astype(np.int32) for field in FEATURES}
        for _ in range(count)
    ]


def columns(examples):
    return {field: [example[field] for example in examples] for field in examples[0]}


def written(folder, examples, split="train"):
    writer = RecordWriter(folder, split, LAYOUT)
    for begin in range(0, len(examples), 7):
        writer.write(columns(examples[begin : begin + 7]))
    return writer.close()


def same(found, expected):
    return all(found[field].tolist() == expected[field].tolist() for field in expected)


def test_pack_keeps_every_dtype_and_rank():
    layout = layout_of({"sound": Audio(), "picture": Image(2, 3, 1), "label": Label(4)})
    examples = [
        {
            "sound": np.linspace(-1, 1, length, dtype=np.float32),
            "picture": np.arange(6, dtype=np.uint8).reshape(2, 3, 1) + length,
            "label": np.array(length, np.int32),
        }
        for length in (2, 0, 3)
    ]
    records = list(pack(columns(examples), layout))
    assert len(records) == 3
    for example, record in zip(examples, records, strict=True):
        found = unpack(record, layout)
        for field, value in example.items():
            assert found[field].shape == value.shape and (found[field] == value).all()


def test_a_record_is_its_crc_then_little_endian_lengths_and_values():
    two = {
        "inputs": [np.array([258], np.int32), np.array([], np.int32)],
        "targets": [np.array([], np.int32), np.array([-1, 7], np.int32)],
    }
    bodies = [
        bytes([1, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]),
        bytes([0, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 7, 0, 0, 0]),
    ]
    assert list(pack(two, LAYOUT)) == [zlib.crc32(body).to_bytes(4, "little") + body for body in bodies]


def test_bytes_are_filled_up_to_four():
    pictures = [np.array([[[9]]], np.uint8), np.array([[[8]]], np.uint8)]
    layout = layout_of({"picture": Image(1, 1, 1)})
    assert [record[4:] for record in pack({"picture": pictures}, layout)] == [
        bytes([1, 0, 0, 0] * 3 + [value, 0, 0, 0]) for value in (9, 8)
    ]


def test_every_flipped_bit_of_a_record_is_seen():
    (record,) = pack(columns(drawn(1)), LAYOUT)
    for bit in range(8 * len(record)):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="crc32"):
            unpack(bytes(flipped), LAYOUT)


def test_reads_by_index_across_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD_BYTES", 500)
    examples = drawn(60)
    note = written(tmp_path, examples)
    assert len(note["shards"]) > 3 and sum(shard["records"] for shard in note["shards"]) == 60
    assert note["shards"][0]["file"] == f"train-00000-of-{len(note['shards']):05d}.arrayrecord"
    records = Records(tmp_path, note, LAYOUT)
    order = np.random.default_rng(1).permutation(60)
    assert all(same(found, examples[place]) for found, place in zip(records.read(order), order, strict=True))
    assert records.lengths["inputs"].tolist() == [len(example["inputs"]) for example in examples]
    for index, (file, number) in enumerate(records.places(range(60))):
        (record,) = module.open_shard(tmp_path / file).read([number])
        assert same(unpack(record, LAYOUT), examples[index])


def test_the_same_examples_give_the_same_bytes(tmp_path):
    notes = []
    for name in "ab":
        (tmp_path / name).mkdir()
        notes.append(written(tmp_path / name, drawn(50)))
    assert notes[0] == notes[1]


def test_flipped_bits_of_a_shard_are_named_by_shard_and_record_or_fail_to_open(tmp_path):
    examples = drawn(200)
    note = written(tmp_path, examples)
    path = tmp_path / note["shards"][0]["file"]
    whole = path.read_bytes()
    chance = np.random.default_rng(2)
    named = 0
    for _ in range(60):
        flipped = bytearray(whole)
        # Most of so small a file is unused space before its index; records stand in the first bytes.
        flipped[int(chance.integers(len(whole) // 10))] ^= 1 << int(chance.integers(8))
        path.write_bytes(flipped)
        try:
            found = Records(tmp_path, note, LAYOUT).read(np.arange(200))
        except DataError as error:
            assert path.name in str(error)
            named += "record " in str(error)
        else:
            assert all(same(one, other) for one, other in zip(found, examples, strict=True))
    assert named > 0


def test_damaged_lengths_are_named(tmp_path):
    note = written(tmp_path, drawn(5))
    path = tmp_path / "train.lengths.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="train.lengths.npz"):
        Records(tmp_path, note, LAYOUT)


def test_bytes_of_files_and_dicts_of_targets(tmp_path):
    features = {"inputs": Encoded(), "targets": {"topic": Label(4), "tags": Tags(2)}}
    layout = layout_of(features)
    assert list(layout) == ["inputs", "targets.tags", "targets.topic"]
    contents = [b"\x89PNG", b"", b"12345"]
    writer = RecordWriter(tmp_path, "train", layout)
    arrays = {
        "inputs": [np.frombuffer(one, np.uint8) for one in contents],
        "targets.tags": [np.arange(n, dtype=np.int32) for n in (1, 0, 2)],
        "targets.topic": [np.array(n, np.int32) for n in (3, 1, 2)],
    }
    writer.write(arrays, {"inputs": [100, 0, 70]})
    records = Records(tmp_path, writer.close(), layout)
    assert {field: values.tolist() for field, values in records.lengths.items()} == {
        "inputs": [100, 0, 70],
        "targets.tags": [1, 0, 2],
    }
    found = records.read([2, 0, 1])
    assert [one["inputs"].tobytes() for one in found] == [contents[2], contents[0], contents[1]]
    assert nested(found[0], features)["targets"]["tags"].tolist() == [0, 1]
    assert nested(found[0], features)["targets"]["topic"] == 2 and set(nested(found[0], features)) == {"inputs", "targets"}
    assert nested(found[0], {"inputs": Encoded()}) is found[0]
    assert records.mean_bytes > 0
