from functools import partial

import pytest
from costs import peak_of_process, seconds

from kt2t.errors import RecipeError
from kt2t.marked_yaml import read, read_file, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-9", 1e-9),
        ("1E3", 1000.0),
        ("10_000", 10_000),
        ("-3", -3),
        (".5", 0.5),
        ("2.", 2.0),
        ("0", 0),
        ("012", "012"),
        ("12:30:45", "12:30:45"),
        ("2026-11-22", "2026-11-22"),
        ("no", "no"),
        ("on", "on"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("null", None),
        ("=model.hidden_dim", "=model.hidden_dim"),
        ("???", "???"),
        ("v1.2.3", "v1.2.3"),
    ],
)
def test_words_mean_what_yaml_1_2_says(text, value):
    found = scalar(text)
    assert found == value and type(found) is type(value)
    assert read(f"a: {text}").value == {"a": value}


def test_quoted_words_stay_words():
    assert read("a: '1'\nb: \"true\"").value == {"a": "1", "b": "true"}


def test_every_value_knows_its_line():
    marked = read("a: 1\nb:\n  c: [x,\n      y]\n")
    assert marked.lines[("b", "c")] == 3 and marked.lines[("b", "c", 1)] == 4


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' stands here again; it is already on line 1"),
        ("a: !!python/object/apply:os.system [ls]", 1, "tag .* is not allowed"),
        ("a:\n\t- b", 2, "tabs"),
        ("a: [1, 2", 1, ""),
        ("? [a]\n: b", 1, "a key must be a word"),
        ("a: *nowhere", 1, "undefined alias"),
        ("[" * 70 + "]" * 70, 1, "nested deeper than 64"),
    ],
)
def test_what_is_not_plain_data_is_refused_with_its_line(text, line, message):
    with pytest.raises(RecipeError, match=message) as raised:
        read(text, "r.yaml")
    assert raised.value.status == 2 and raised.value.file == "r.yaml"
    assert raised.value.line is None or raised.value.line >= line


READ_ALL = """
import ast, sys
from kt2t.errors import RecipeError
from kt2t.marked_yaml import read
for bomb in ast.literal_eval(sys.stdin.read()):
    try:
        read(bomb)
    except RecipeError:
        continue
    sys.exit("a bomb was read")
"""


def test_bombs_are_refused_quickly_and_small():
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))

    def refused(bomb):
        with pytest.raises(RecipeError):
            read(bomb)

    bombs = [laughs, "a: &a [*a]", "[" * 20_000]
    for bomb in bombs:
        assert seconds(partial(refused, bomb)) < 0.5
    assert peak_of_process(READ_ALL, said=repr(bombs)) < 100e6, "bytes of the whole process"


def test_files_that_are_no_recipes(tmp_path):
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nb: für\n".encode("latin-1"))
    with pytest.raises(RecipeError, match="byte 0xfc is not UTF-8") as raised:
        read_file(latin)
    assert raised.value.line == 2
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_file(tmp_path / "bom.yaml").value == {"a": 1}
    (tmp_path / "nul.yaml").write_bytes(b"a: \x00")
    with pytest.raises(RecipeError):
        read_file(tmp_path / "nul.yaml")
    (tmp_path / "long.yaml").write_bytes(b"a: " + b"x" * 1_000_001)
    with pytest.raises(RecipeError, match="at most 1,000,000"):
        read_file(tmp_path / "long.yaml")
    with pytest.raises(RecipeError, match="a folder"):
        read_file(tmp_path)
