"""Classes of the user's own in a recipe: trained, then used again by another process, from another place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from kt2t.cli.main import run
from kt2t.errors import RecipeError
from kt2t.recipe import Recipe
from kt2t.registry import build, describe, lookup
from kt2t.run.folder import RunFolder

MODULE = """
import keras
import kt2t
from kt2t.models import Transformer


@kt2t.register
class Gated(keras.layers.Layer):
    def __init__(self, intermediate_dim: int, **common):
        super().__init__(**common)
        self.intermediate_dim = intermediate_dim

    def build(self, shape):
        self.gate = keras.layers.Dense(self.intermediate_dim, "sigmoid")
        self.out = keras.layers.Dense(shape[-1])
        self.gate.build(shape)
        self.out.build((*shape[:-1], self.intermediate_dim))

    def call(self, x, training=None):
        return self.out(self.gate(x))


@kt2t.register
class Tiny(Transformer):
    def __init__(self, features, width: int = 16, **common):
        super().__init__(features, num_layers=1, hidden_dim=width, intermediate_dim=24, num_heads=2, **common)


class Plain(Transformer):
    def __init__(self, features, width: int = 16, **common):
        super().__init__(features, num_layers=1, hidden_dim=width, intermediate_dim=24, num_heads=2, **common)


@keras.saving.register_keras_serializable()
class KerasOwn(Plain):
    def __init__(self, features, width: int = 8, **common):
        super().__init__(features, width=width, **common)


class Nothing:
    def __init__(self, width: int = 1):
        self.width = width
"""
USED = """
import sys
from kt2t.cli.main import run
assert run(["evaluate", sys.argv[1], "--samples", "0"]) == 0
assert run(["predict", sys.argv[1], "--input", sys.argv[2]]) == 0
"""


@pytest.fixture
def own(tiny, monkeypatch):
    """The tiny recipe with a model of the test's own, in a module beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_classes", raising=False)
    (tiny.parent / "own_classes.py").write_text(MODULE)
    text = tiny.read_text().splitlines()
    model = "model: {type: own_classes.Tiny, feed_forward: {type: own_classes.Gated, intermediate_dim: 12}}"
    text = [model if line.startswith("model:") else line.replace("=model.hidden_dim", "16") for line in text]
    tiny.write_text("\n".join(text))
    return tiny


@pytest.mark.parametrize(
    ("model", "moved"),
    [
        ((), "beside"),
        (("model={type: own_classes.Plain}",), "path"),
    ],
)
def test_a_run_with_own_classes_is_used_by_another_process(own, tmp_path, model, moved, tiny_data):
    assert run(["train", str(own), *model, "train.steps=4", "--run-dir", "run"]) == 0
    saved = RunFolder(tmp_path / "run").recipe().nodes["model"]
    assert saved["type"].startswith("own_classes.")
    assert model or saved["feed_forward"]["type"] == "own_classes.Gated"
    (tmp_path / "lines").write_text("1 2 3\n")
    place = tmp_path / "elsewhere"
    place.mkdir()
    code = {"beside": place, "path": tmp_path / "code"}[moved]
    code.mkdir(exist_ok=True)
    shutil.move(tmp_path / "own_classes.py", code / "own_classes.py")
    shutil.move(tmp_path / "run", place / "run")
    package = os.path.dirname(os.path.dirname(sys.modules["kt2t"].__file__))
    path = os.pathsep.join([package, str(code)] if moved == "path" else [package])
    done = subprocess.run(
        [sys.executable, "-c", USED, str(place / "run"), str(tmp_path / "lines")],
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path, "KT2T_DATA": str(tiny_data)},
    )
    assert done.returncode == 0, done.stderr


def test_code_that_is_gone_is_named_with_what_to_do(own, tmp_path, monkeypatch, caplog):
    from kt2t.recipe_file import load
    from kt2t.run.folder import RunFolder

    recipe = load(str(own))
    folder = RunFolder(tmp_path / "gone")
    folder.begin(recipe, Recipe(**recipe.nodes))
    (tmp_path / "own_classes.py").unlink()
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(tmp_path)])
    folder.recipe()
    assert "own_classes' of this run is not found" in caplog.text and "beside the run folder" in caplog.text


def test_a_class_that_is_not_registered_works_or_says_so(own, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    from kt2t.features import Text

    features = {"inputs": Text(9), "targets": Text(9)}
    for name, width in (("Plain", 16), ("KerasOwn", 8)):
        model = build({"type": f"own_classes.{name}"}, "model", features=features)
        node = describe(model)
        assert node["type"] == f"own_classes.{name}"
        assert describe(model, full=True)["width"] == width
    with pytest.raises(RecipeError, match="Put @kt2t.register above it"):
        lookup("own_classes.Nothing")
    from kt2t.models import Transformer

    class Unseen(Transformer):
        def __init__(self, features):
            super().__init__(features, num_layers=1, hidden_dim=8, intermediate_dim=8, num_heads=2)

    with pytest.raises(RecipeError, match="Unseen has a constructor of its own and is not registered.*@kt2t.register"):
        describe(Unseen(features))
