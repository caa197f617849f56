"""What a problem's code refers to: each change of it is seen, and nothing else is."""

from __future__ import annotations

import importlib
import sys
import types

import pytest

from kt2t.data.own_code import is_users, own_code
from kt2t.data.translation.parallel_text import ParallelText

NOTEBOOK = """
import functools, re
import numpy as np
from kt2t.data.problem import Problem

LIMIT = 3
TABLE = {"a": [1, 2]}
PATTERN = re.compile("x+")
ARRAY = np.arange(3)
UNUSED = 1

def deep(text):
    return [one + "deep" for one in text]

def clean(text, end="end", other="other"):
    return deep(text) + list(filter(lambda one: one != "inner", text))

class Cleaner:
    word = "of a class"
    def __init__(self, start):
        self.start = start
    def __call__(self, text):
        return text + "called"

CLEANER = Cleaner("begin")
PARTIAL = functools.partial(clean, end="partial")

def closed(word):
    def inner(text):
        return text + word
    return inner

CLOSED = closed("closure")
ALSO = closed("another")

class Riddles(Problem):
    kept = Cleaner("attribute")
    def examples(self, split):
        yield clean(split), LIMIT, TABLE, PATTERN, ARRAY, CLEANER, PARTIAL, CLOSED, ALSO
"""

CHANGES = [
    ("LIMIT = 3", "LIMIT = 4"),
    ("[1, 2]", "[1, 3]"),
    ('"x+"', '"y+"'),
    ("np.arange(3)", "np.arange(4)"),
    ('"deep"', '"deeper"'),
    ('"inner"', '"innermost"'),
    ('end="end"', 'end="END"'),
    ('"of a class"', '"of the class"'),
    ('"called"', '"called again"'),
    ('"begin"', '"beginning"'),
    ('end="partial"', 'end="whole"'),
    ('"closure"', '"closures"'),
    ('other="other"', 'other="OTHER"'),
    ('"another"', '"one more"'),
    ('"attribute"', '"attributes"'),
]


def in_notebook(code, name="riddles_of_a_notebook"):
    scope = {"__name__": name}
    exec(code, scope)
    return own_code(scope["Riddles"])[0]


@pytest.mark.parametrize(("before", "after"), CHANGES, ids=lambda text: text)
def test_whatever_a_notebook_refers_to_is_seen(before, after):
    assert before in NOTEBOOK
    assert in_notebook(NOTEBOOK) == in_notebook(NOTEBOOK)
    assert in_notebook(NOTEBOOK) != in_notebook(NOTEBOOK.replace(before, after))


def test_what_it_does_not_refer_to_is_not():
    assert in_notebook(NOTEBOOK) == in_notebook(NOTEBOOK.replace("UNUSED = 1", "UNUSED = 2"))


FILES = {
    "riddles.py": "from kt2t.data.problem import Problem\nfrom own_code_words import near\n"
    "class Riddles(Problem):\n    def examples(self, split):\n        yield near.WORD\n",
    "__init__.py": "",
    "near.py": "from . import far\nWORD = far.WORD\n",
    "far.py": "import json\nWORD = 'a'\n",
    "other.py": "WORD = 'a'\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    def made(**changed):
        for name in [one for one in sys.modules if one.partition(".")[0] == "own_code_words"]:
            monkeypatch.delitem(sys.modules, name)
        folder = tmp_path / "own_code_words"
        folder.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(changed.get(name.partition(".")[0], text))
        importlib.invalidate_caches()
        return own_code(importlib.import_module("own_code_words.riddles").Riddles)[0]

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield made
    for name in [one for one in sys.modules if one.partition(".")[0] == "own_code_words"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("module", ["riddles", "near", "far"])
def test_every_file_of_ones_own_that_is_imported_counts(package, module):
    before = package()
    assert package() == before
    assert package(**{module: FILES[f"{module}.py"] + "\n# another line\n"}) != before


def test_a_file_that_is_not_imported_does_not_count(package):
    assert package() == package(other="WORD = 'b'\n")


def test_files_that_constants_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one.tsv", "two.tsv", "three.tsv", "train"):
        (tmp_path / name).write_text("a\tb\n")
    code = """
from kt2t.data.problem import Problem
PATHS = {"test": "two.tsv", "none": "missing.tsv"}
THREE = "three.tsv"
class Riddles(Problem):
    def examples(self, split):
        def read():
            return open("one.tsv"), "train"
        return read(), PATHS, open(file=THREE)
"""
    scope = {"__name__": "riddles_of_a_notebook"}
    exec(code, scope)
    assert [str(path) for path in own_code(scope["Riddles"])[1]] == ["one.tsv", "three.tsv", "two.tsv"]


def test_kt2t_itself_and_installed_packages_do_not_count():
    assert own_code(ParallelText) == ([], [])
    assert not any(map(is_users, ("kt2t.data.problem", "json", "os.path", "numpy", "keras.layers", "pytest")))
    assert is_users("riddles_of_a_notebook") and is_users(__name__)


def test_cycles_end(monkeypatch):
    deep = "def deep(text):\n    clean, LOOP, Riddles\n    return deep(text)\n\ndef old(text):"
    code = NOTEBOOK.replace("def deep(text):", deep)
    code += "\nLOOP = Cleaner(None)\nLOOP.start = LOOP\n"
    monkeypatch.setitem(sys.modules, "riddles_of_a_notebook", types.ModuleType("riddles_of_a_notebook"))
    assert in_notebook(code) == in_notebook(code)
