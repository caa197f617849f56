import sys
from pathlib import Path

import pytest

from kt2t import plugins


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_module_beside_the_recipe_is_found_and_becomes_importable(tmp_path):
    (tmp_path / "plugin_for_test.py").write_text("X = 1\n")
    model = {"type": "Transformer", "parts": [{"type": "keras.layers.Dense"}]}
    nodes = {"problem": {"type": "plugin_for_test.Riddles"}, "model": model}
    found = plugins.find(nodes, tmp_path)
    assert list(found) == ["plugin_for_test"] and found["plugin_for_test"]["file"] == str(
        tmp_path / "plugin_for_test.py"
    )
    import plugin_for_test

    assert plugin_for_test.X == 1


def test_bare_names_leave_the_path_alone_and_missing_modules_are_left_out(tmp_path):
    before = list(sys.path)
    assert plugins.find({"problem": {"type": "Reverse"}, "model": {"type": "nowhere_at_all.Model"}}, tmp_path) == {}
    assert sys.path == before


def test_what_has_changed_is_told():
    kept = {
        "a": {"file": "a.py", "sha256": "1"},
        "b": {"file": "b.py", "sha256": "2"},
        "c": {"file": "c.py", "sha256": "3"},
    }
    now = {"a": {"file": "a.py", "sha256": "1"}, "b": {"file": "b.py", "sha256": "9"}}
    told = plugins.changed(kept, now)
    assert len(told) == 2 and "'b' (b.py) has changed" in told[0] and "'c' of this run is not found" in told[1]
    assert "beside the run folder" in told[1] and "PYTHONPATH" in told[1]


def test_the_folder_that_a_module_is_imported_from():
    assert plugins.folder_of("mine", Path("/x/y/mine.py")) == Path("/x/y")
    assert plugins.folder_of("mine.parts.own", Path("/x/y/mine/parts/own.py")) == Path("/x/y")
    assert plugins.folder_of("mine.parts", Path("/x/y/mine/parts/__init__.py")) == Path("/x/y")
    assert plugins.folder_of("a.b.c.d", Path("/d.py")) == Path("/")
