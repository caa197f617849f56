"""Values by the kind of their field: for scores, from a person, for a person."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kt2t.data import values
from kt2t.data.values import decode_value, is_read_from_file, read_value, tell_value, views_for, write_value
from kt2t.data.vocabularies import Bytes
from kt2t.errors import DataError
from kt2t.features import Audio, Encoded, Feature, Image, Label, MultiLabel, Numbers, Tags, Text

NAMES = SimpleNamespace(names=["cat", "dog", "cow"])


def test_text():
    ids = np.array([*Bytes().encode("hü"), 1, 0, 0])
    assert decode_value(Text(258), ids, Bytes()) == "hü"
    assert decode_value(Text(8), np.array([3, 4, 1])) == "3 4 1"
    assert tell_value(Text(258), "hü") == write_value(Text(258), "hü") == "hü"
    assert read_value(Text(258), "a line") == "a line"


def test_a_label():
    assert decode_value(Label(3), np.array(1), NAMES) == "dog" and decode_value(Label(3), np.array([1])) == "1"
    assert read_value(Label(3), " cow ", NAMES) == 2 and read_value(Label(3), "0") == 0
    with pytest.raises(DataError, match="'dig' is none of the 3 classes. Did you mean 'dog'"):
        read_value(Label(3), "dig", NAMES)
    with pytest.raises(DataError, match="'3' is none of the 3 classes"):
        read_value(Label(3), "3")
    assert tell_value(Label(3), "dog") == "dog"


def test_tags_leave_padding_out():
    assert decode_value(Tags(3), np.array([1, 3, 0, 0]), NAMES) == ["cat", "cow"]
    assert decode_value(Tags(3), np.array([1, 3, 0])) == ["1", "3"]
    assert tell_value(Tags(3), ["cat", "cow"]) == "cat cow" and read_value(Tags(3), "cat  cow") == ["cat", "cow"]


def test_several_labels():
    assert decode_value(MultiLabel(3), np.array([1.0, 0.0, 1.0]), NAMES) == ["cat", "cow"]
    assert write_value(MultiLabel(3), ["cat", "cow"]) == "cat, cow"
    assert read_value(MultiLabel(3), "cow, cat", NAMES).tolist() == [1.0, 0.0, 1.0]
    assert read_value(MultiLabel(3), "").tolist() == [0.0, 0.0, 0.0]


def test_numbers():
    assert read_value(Numbers(2), "1.5, -2").tolist() == [1.5, -2.0]
    assert write_value(Numbers(2), np.array([1.5, -2.25])) == "1.5 -2.25"
    assert decode_value(Numbers(2), [1.0, 2.0]).tolist() == [1.0, 2.0]
    with pytest.raises(DataError, match="'1 x' is not a row of numbers"):
        read_value(Numbers(2), "1 x")
    with pytest.raises(DataError, match="'1' has 1 numbers where Numbers"):
        read_value(Numbers(2), "1")


def test_a_picture(tmp_path):
    picture = np.arange(28 * 28, dtype="uint8").reshape(28, 28, 1)
    kind = Image(28, 28, 1)
    assert write_value(kind, picture) == "<28×28×1 picture>"
    data = tell_value(kind, picture)
    assert data.startswith(b"\x89PNG")
    (tmp_path / "a.png").write_bytes(data)
    assert (read_value(kind, str(tmp_path / "a.png")) == picture).all()


def test_a_sound(tmp_path):
    second = np.zeros(16_000, "float32")
    assert write_value(Audio(16_000), second) == "<1.00 s of sound>", "once 31,999 characters"
    data = tell_value(Audio(16_000), second)
    assert data.startswith(b"RIFF")
    (tmp_path / "a.wav").write_bytes(data)
    assert read_value(Audio(16_000), str(tmp_path / "a.wav")).shape == (16_000,)


def test_a_stored_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 and so on")
    data = read_value(Encoded(), str(tmp_path / "a.jpg"))
    assert data == b"\xff\xd8 and so on"
    assert write_value(Encoded(), np.frombuffer(data, np.uint8)) == "<file of 12 bytes>"
    assert tell_value(Encoded(), np.frombuffer(data, np.uint8)) == data
    with pytest.raises(DataError, match="none.jpg' cannot be read: No such file"):
        read_value(Encoded(), str(tmp_path / "none.jpg"))


def test_which_fields_are_files_and_have_views():
    assert [is_read_from_file(kind) for kind in (Image(1, 1), Audio(), Encoded(), Text(3), Numbers(1))] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert views_for(Image(1, 1)) == ("Pictures",) and views_for(Tags(2)) == views_for(Label(2)) == ("Confusion",)
    assert views_for(Text(3)) == ()


def test_a_kind_of_one_s_own_is_an_array_until_it_is_registered():
    class Chord(Feature):
        shape = (None,)

    many = np.arange(100)
    assert (decode_value(Chord(), many) == many).all()
    assert write_value(Chord(), many) == tell_value(Chord(), many) == "0 1 2 3 4 5 6 7 … (100 numbers)"
    values.decode_value.register(Chord, lambda feature, value, vocabulary=None: "-".join(map(str, value)))
    values.write_value.register(Chord, lambda feature, value: f"♪ {value}")
    assert write_value(Chord(), decode_value(Chord(), [1, 5])) == "♪ 1-5"
