"""The rules of the house: where imports may point, what tables say, what every class carries."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from on_jax import on_jax

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kt2t"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ("data", "models", "layers", "decoding", "losses", "metrics", "scores", "training", "callbacks")
PURE = ("registry", "features", "ops", "layers", "models", "decoding", "losses", "metrics")
NAMES_BACKENDS = PACKAGE / "ops" / "autodiff.py"  # the one exception: Keras has no neutral function for gradients
BACKENDS = {"tensorflow", "jax", "torch", "tensorflow_text"}
OLD_WORDS = {"hidden_size", "d_model", "filter_size", "keep_prob", "n_heads", "n_layers", "vocab_size", "dropout_rate"}
NAMELESS = {"utils", "common", "helpers", "misc", "core", "base"}

# A room may import itself, these, and nothing else of kt2t. `training.trainer` is the one door out of the pure rooms.
MAY_IMPORT = {
    "errors": set(),
    "options": {"errors"},
    "registry": {"options", "errors"},
    "versions": set(),
    "disk": {"errors"},
    "features": {"registry", "options", "errors"},
    "marked_yaml": {"errors"},
    "signatures": {"registry", "errors"},
    "report_metrics": {"registry", "errors"},
    "kinds": {"registry", "options"},
    "recipe": {"registry", "kinds", "options", "signatures", "marked_yaml", "report_metrics", "errors"},
    "plugins": set(),
    "recipe_file": {"registry", "options", "marked_yaml", "plugins", "recipe", "errors"},
    "ops": {"features", "registry", "errors"},
    "layers": {"ops", "features", "registry", "options", "errors"},
    "decoding": {"ops", "features", "registry", "options", "errors"},
    "losses": {"registry", "options", "errors", "features"},
    "metrics": {"registry", "options", "errors", "features", "losses", "ops"},
    "scores": {"registry", "errors"},
    "tensor2tensor": {"options", "errors"},
    "models": {"layers", "decoding", "ops", "features", "registry", "options", "errors", "training.trainer"},
    "training": {"disk", "ops", "registry", "options", "versions", "errors", "features"},
    "data": {"disk", "features", "losses", "metrics", "scores", "registry", "options", "errors"},
}


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def _imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in {"kt2t", "kt2t.training"}:
                found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module))
    return found


def test_imports_point_one_way():
    wrong = []
    for path in MODULES:
        room = _room(path)
        if room not in MAY_IMPORT:
            continue
        for line, name in _imports(path):
            top, *below = name.split(".")
            if top != "kt2t" or not below or below[0] == room:
                continue
            if below[0] not in MAY_IMPORT[room] and ".".join(below[:2]) not in MAY_IMPORT[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_files_import_each_other_in_a_cycle():
    """Imports inside functions count as well; those for type checkers alone do not."""
    cycles = _cycles({str(path.relative_to(PACKAGE)): _imported_files(path) for path in MODULES})
    found = [" → ".join(sorted(cycle)) for cycle in cycles]
    assert not found, "\n".join(found)


def test_a_cycle_is_found_wherever_it_is():
    graph = {"a": {"b", "c"}, "b": {"d"}, "c": set(), "d": {"e", "b"}, "e": {"c", "d"}, "f": {"f"}, "g": {"a"}}
    assert _cycles(graph) == {frozenset("bde")}
    guarded = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import kt2t.disk\nelse:\n    import kt2t.errors\n"
    )
    found = {name for _, name in _runtime_imports(ast.parse(guarded))}
    assert "kt2t.errors" in found and "kt2t.disk" not in found


def _cycles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The sets of files in which each is reached from each other (two files at least)."""
    reached = {start: _reached(graph, start) for start in graph}
    groups = {frozenset(other for other in reached[one] if one in reached[other]) for one in graph}
    return {group for group in groups if len(group) > 1}


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    pending = [start]
    while pending:
        for name in graph[pending.pop()] - found:
            found.add(name)
            pending.append(name)
    return found


def _imported_files(path: Path) -> set[str]:
    """The files of kt2t that a file imports; a name of a package's table stands for the file that holds it."""
    found = set()
    for module, name in _runtime_imports(ast.parse(path.read_text(encoding="utf-8"))):
        names = [name] if module is None else [f"{module}.{name}", module]
        files = [file for one in names if (file := _file_of(one))]
        found |= {str(file.relative_to(PACKAGE)) for file in files[:1]}
    return found - {str(path.relative_to(PACKAGE))}


def _file_of(name: str) -> Path | None:
    """The file of a module `kt2t.a.b`, or of the public name `kt2t.a.Name`."""
    parts = name.split(".")
    if parts[0] != "kt2t":
        return None
    place = ROOT.joinpath(*parts)
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    package = place.parent / "__init__.py"
    if not package.is_file():
        return None
    module = getattr(importlib.import_module(".".join(parts[:-1])), "TABLE", {}).get(parts[-1])
    return module and place.parent.joinpath(*module.split(".")).with_suffix(".py")


def _runtime_imports(tree: ast.AST) -> list[tuple[str | None, str]]:
    """`(None, "kt2t.a")` for `import kt2t.a`, `("kt2t.a", "b")` for `from kt2t.a import b`; not under TYPE_CHECKING."""
    found: list[tuple[str | None, str]] = []
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found += [(None, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending += node.orelse
        else:
            pending += ast.iter_child_nodes(node)
    return found


def test_pure_rooms_name_no_backend():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in MODULES
        if _room(path) in PURE and path != NAMES_BACKENDS
        for line, name in _imports(path)
        if name.split(".")[0] in BACKENDS
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_rooms_import_under_jax_without_tensorflow():
    modules = [
        ".".join(("kt2t", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in MODULES
        if _room(path) in PURE
    ]
    # Keras itself probes for tensorflow, so only imports that come from our files are made to fail.
    code = f"""
import builtins, importlib, sys
real = builtins.__import__
def guarded(name, globals=None, *rest, **kwargs):
    ours = (globals or {{}}).get("__name__", "").startswith("kt2t")
    if ours and name.split(".")[0] in {{"tensorflow", "tensorflow_text"}}:
        raise ImportError(f"{{globals['__name__']}} imports {{name}}")
    return real(name, globals, *rest, **kwargs)
builtins.__import__ = guarded
for module in {modules!r}:
    importlib.import_module(module)
import keras
print(keras.backend.backend())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=on_jax(), cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("jax")


@pytest.mark.parametrize("room", ROOMS)
def test_tables_equal_registered_classes(room):
    package = importlib.import_module(f"kt2t.{room}")
    table = package.TABLE
    for name, module in table.items():
        found = getattr(package, name)
        assert found.__module__ == f"kt2t.{room}.{module}", name
        assert module.rpartition(".")[2] != name, f"{name} shares its file's name"
    registered = set()
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(_is_register(d) for d in node.decorator_list):
                registered.add(node.name)
    assert registered <= set(table), f"not in the table: {sorted(registered - set(table))}"


def _is_register(decorator: ast.expr) -> bool:
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name == "register"


def _registered_classes() -> list[tuple[Path, ast.ClassDef]]:
    return [
        (path, node)
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and any(_is_register(d) for d in node.decorator_list)
    ]


def test_registered_classes_have_docstrings():
    wrong = []
    for path, node in _registered_classes():
        text = ast.get_docstring(node) or ""
        needs = ("Shapes:", "Source:") if _room(path) == "layers" else ()
        missing = [word for word in needs if word not in text]
        if not text or missing:
            wrong.append(f"{path.relative_to(ROOT)}: {node.name}: {', '.join(missing) or 'no docstring'}")
    assert not wrong, "\n".join(wrong)


def test_registered_classes_stand_in_a_recipe_or_a_test():
    texts = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "recipes").rglob("*.yaml"))
    texts += "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("*.py"))
    missing = [node.name for _, node in _registered_classes() if not re.search(rf"\b{node.name}\b", texts)]
    assert not missing


def test_every_module_has_its_test():
    missing = []
    for path in MODULES:
        below = path.relative_to(PACKAGE)
        if path.name != "__init__.py" and not (ROOT / "tests" / below.parent / f"test_{below.name}").is_file():
            missing.append(str(below))
    assert not missing, f"no mirrored test for {missing}"


def test_package_has_no_assert_and_no_nameless_room():
    wrong = []
    for path in MODULES:
        if path.stem in NAMELESS or set(path.relative_to(PACKAGE).parts) & NAMELESS:
            wrong.append(f"{path}: says nothing about what is in it")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: assert")
    assert not wrong, "\n".join(wrong)


def test_no_code_runs_what_it_reads():
    """No pickle, eval, exec, yaml.load, shell=True or allow_pickle=True in the package."""
    wrong = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                if {"pickle", "dill", "marshal", "shelve"} & set(names):
                    wrong.append(f"{path}:{node.lineno}: {names}")
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in {"eval", "exec", "yaml.load", "yaml.unsafe_load", "os.system"}:
                    wrong.append(f"{path}:{node.lineno}: {called}")
                for keyword in node.keywords:
                    dangerous = keyword.arg in {"shell", "allow_pickle"}
                    if dangerous and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
                        wrong.append(f"{path}:{node.lineno}: {keyword.arg}")
    assert not wrong, "\n".join(wrong)


def test_options_use_the_words_of_the_glossary():
    wrong = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                arguments = {a.arg for a in [*node.args.args, *node.args.kwonlyargs]}
                wrong += [f"{path.relative_to(ROOT)}:{node.lineno}: {word}" for word in arguments & OLD_WORDS]
    assert not wrong, "\n".join(wrong)


def test_importing_kt2t_is_light():
    code = (
        "import sys, kt2t, kt2t.recipe_file, kt2t.cli.main\n"
        "print([name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_public_names_resolve():
    import kt2t

    for name in dir(kt2t):
        assert getattr(kt2t, name) is not None
    for room in ROOMS:
        package = importlib.import_module(f"kt2t.{room}")
        for name in package.TABLE:
            assert inspect.isclass(getattr(package, name)) or callable(getattr(package, name))
