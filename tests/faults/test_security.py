"""X01 to X06 of the catalogue of faults: files from strangers, code that a recipe names, secrets. See README.md here."""

from __future__ import annotations

import ast
import hashlib
import io
import itertools
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from costs import peak

from kt2t.cli.main import run
from kt2t.errors import RunError
from kt2t.training.checkpoints import weights_of

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = "model.safetensors"


class _Touch:
    """Unpickled, it makes the file `canary`."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("touch canary",)


PICKLE = pickle.dumps(_Touch())


def _zip(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/"), data)
    return held.getvalue()


def _tar(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as file:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        file.addfile(entry)
    return held.getvalue()


def _h5(link: bool) -> bytes:
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        if link:
            file["weights"] = h5py.ExternalLink("/etc/passwd", "/")
        else:
            file.attrs["model_config"] = json.dumps({"class_name": "Lambda", "config": {"function": "os.system"}})
    return held.getvalue()


def _npz() -> bytes:
    held = io.BytesIO()
    np.savez(held, weights=np.array([_Touch()], object))
    return held.getvalue()


def _tensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


LAMBDA = json.dumps({"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}).encode()
OF_FOUR = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
CRAFTED: dict[str, bytes] = {
    "lambda.keras": _zip(**{"config.json": LAMBDA, "metadata.json": b"{}", "model.weights.h5": b""}),
    "up.keras": _zip(**{"..__..__canary": b"x"}),
    "absolute.keras": _zip(**{"__tmp__canary": b"x"}),
    "bomb.keras": _zip(**{"model.weights.h5": bytes(200_000_000)}),
    "empty.keras": b"",
    "lambda.h5": _h5(link=False),
    "external.h5": _h5(link=True),
    "weights.pkl": PICKLE,
    "weights.pt": _zip(**{"archive__data.pkl": PICKLE}),
    "weights.joblib": PICKLE,
    "weights.npz": _npz(),
    "weights.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + PICKLE,
    "up.tar.gz": _tar("../../canary"),
    "absolute.tar.gz": _tar("/tmp/canary"),
    "symbolic.tar.gz": _tar("weights", tarfile.SYMTYPE, "/etc/passwd"),
    "hard.tar.gz": _tar("weights", tarfile.LNKTYPE, "/etc/passwd"),
    "header.safetensors": struct.pack("<Q", 2**62) + b"{}",
    "nested.safetensors": _tensors(b"[" * 100_000),
    "offsets.safetensors": _tensors({"w": {**OF_FOUR, "data_offsets": [0, 2**40]}}),
    "shape.safetensors": _tensors({"w": {**OF_FOUR, "shape": [2**40, 2**40]}}, bytes(4)),
    "overlap.safetensors": _tensors({"a": OF_FOUR, "b": OF_FOUR}, bytes(4)),
    "name.safetensors": _tensors({"../../../etc/passwd": OF_FOUR}, bytes(4)),
    "absolute.safetensors": _tensors({"/etc/passwd": OF_FOUR}, bytes(4)),
    "saved_model.pb": b"\x08\x01\x12\x04evil",
    "checkpoint": b'model_checkpoint_path: "../../../etc/passwd"\n',
    "run.json": b'{"format": 1, "given": {}, "plugins": {}}',
}


@pytest.fixture
def run_copy(tiny_run, tmp_path, monkeypatch) -> Path:
    """A trained run that may be damaged; the working folder is a fresh one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1 2 3\n")))
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def newest(run_folder: Path) -> Path:
    return max((run_folder / "checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))


def refused(capsys: pytest.CaptureFixture[str], *words: str, status: int = 4, measured: bool = True) -> str:
    capsys.readouterr()

    def command() -> None:
        assert run(list(words)) == status

    if measured:
        assert peak(command) < 100e6, "bytes more than before"
    else:
        command()
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t: ")]
    assert len(errors) == 1, errors
    assert not Path("canary").exists() and not Path("/tmp/canary").exists()
    return errors[0]


def not_read(checkpoint: Path) -> str:
    """What is said of weights that must be refused, and take little memory until then."""

    def read() -> None:
        with pytest.raises(RunError) as raised:
            weights_of(checkpoint)
        said.append(str(raised.value))

    said: list[str] = []
    assert peak(read) < 100e6, "bytes more than before"
    return said[0]


@pytest.mark.parametrize("name", CRAFTED)
def test_x01_x02_a_model_file_of_another_kind_is_refused_as_a_start(tiny, name, capsys):
    assert len(CRAFTED) >= 20
    Path("given").mkdir()
    (Path("given") / name).write_bytes(CRAFTED[name])
    for given in ("given", f"given/{name}"):
        line = refused(capsys, "train", str(tiny), f"train.start_from={given}", "--run-dir", "new")
        assert given in line
        assert not Path("new/run.json").exists()


@pytest.mark.parametrize("name", [name for name in CRAFTED if name != "run.json"])
def test_x01_x02_a_model_file_of_another_kind_in_place_of_the_weights_is_not_parsed(run_copy, name, capsys):
    (newest(run_copy) / WEIGHTS).write_bytes(CRAFTED[name])
    step = newest(run_copy).name[5:]
    assert WEIGHTS in refused(capsys, "predict", str(run_copy), "--checkpoint", step, measured=False)
    assert WEIGHTS in not_read(newest(run_copy))


def sealed(checkpoint: Path, change: Callable[[dict], None]) -> None:
    """Changes a checkpoint's manifest as one who can compute its seal."""
    file = checkpoint / "manifest.json"
    content = json.loads(file.read_text())
    del content["seal"]
    change(content)
    content["seal"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps(content))


def taken_apart(content: bytes) -> tuple[dict, bytes]:
    """The header and the data of a file of safetensors."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def given(checkpoint: Path, weights: bytes) -> None:
    """Other weights for a checkpoint, from one who can compute its hashes: the parser itself sees them."""
    (checkpoint / WEIGHTS).write_bytes(weights)
    note = {"size": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}
    sealed(checkpoint, lambda content: content["files"].update({WEIGHTS: note}))


def lying(name: str = "", **lies: object) -> Callable[[dict, bytes], bytes]:
    """The largest array is told of otherwise than it is, or by another name."""

    def crafted(header: dict, data: bytes) -> bytes:
        largest = max((one for one in header if "shape" in header[one]), key=lambda one: np.prod(header[one]["shape"]))
        note = header.pop(largest)
        return _tensors({**header, name or largest: {**note, **lies}}, data)

    return crafted


def flattened(header: dict, data: bytes) -> bytes:
    name = next(name for name in header if len(header[name].get("shape", [])) > 1)
    return _tensors({**header, name: {**header[name], "shape": [int(np.prod(header[name]["shape"]))]}}, data)


def overlapping(header: dict, data: bytes) -> bytes:
    shapes = {name: tuple(header[name]["shape"]) for name in header if "shape" in header[name]}
    first, second = next((one, two) for one, two in itertools.combinations(shapes, 2) if shapes[one] == shapes[two])
    return _tensors({**header, second: {**header[second], "data_offsets": header[first]["data_offsets"]}}, data)


HOSTILE: dict[str, Callable[[dict, bytes], bytes]] = {
    "a header longer than the file": lambda h, data: (
        struct.pack("<Q", 10**6 + len(data)) + json.dumps(h).encode() + data
    ),
    "a header longer than any file": lambda h, data: struct.pack("<Q", 2**64 - 1) + json.dumps(h).encode() + data,
    "a header cut by a byte": lambda h, data: struct.pack("<Q", len(json.dumps(h)) - 1) + json.dumps(h).encode() + data,
    "no header": lambda h, data: struct.pack("<Q", 0) + data,
    "a header that is a list": lambda h, data: _tensors([h], data),
    "a header nested deep": lambda h, data: _tensors(b'{"w":' + b"[" * 100_000, data),
    "a header that is not UTF-8": lambda h, data: _tensors(b'{"\xff": 1}', data),
    "offsets that overlap": overlapping,
    "offsets beyond the data": lying(data_offsets=[0, 2**40]),
    "offsets that overflow": lying(data_offsets=[2**64 - 4, 2**64]),
    "offsets that are negative": lying(data_offsets=[-4, 0]),
    "data that nobody speaks of": lambda h, data: _tensors(h, data + bytes(4096)),
    "data cut": lambda h, data: _tensors(h, data[:-4]),
    "another kind of number, as long": lying(dtype="I32"),
    "another kind of number, longer": lying(dtype="F64"),
    "an unknown kind of number": lying(dtype="F4096"),
    "a shape that overflows": lying(shape=[2**40, 2**40]),
    "a shape that is smaller": lying(shape=[1, 1]),
    "another shape, as large": flattened,
    "a shape that is no list": lying(shape="16"),
    "another name": lying(name="../../../etc/passwd"),
    "a name of a megabyte": lying(name="w" * 10**6),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_x02_weights_that_lie_about_themselves_are_refused_by_the_parser_too(run_copy, name, capsys):
    checkpoint = newest(run_copy)
    given(checkpoint, HOSTILE[name](*taken_apart((checkpoint / WEIGHTS).read_bytes())))
    said = not_read(checkpoint)
    assert f"{checkpoint.name}: {WEIGHTS} " in said and len(said) < 11_000
    if "name" in name:
        words = ("predict", str(run_copy), "--checkpoint", checkpoint.name[5:])
        assert refused(capsys, *words, measured=False).endswith(said)


READ = """\
import resource, sys
from kt2t.errors import RunError
from kt2t.training.checkpoints import weights_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    weights_of(sys.argv[1])
except RunError as error:
    print(error.status, len(str(error)), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    "header",
    [
        b'{"' + b"w" * 99_000_000 + b'":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b"{" + b" " * 100_000_001 + b"}",
    ],
    ids=["a name of 99 MB", "more than 100 MB"],
)
def test_x02_a_header_of_100_mb_takes_little_memory(run_copy, header):
    """In a process of its own, whose memory is then all that reading takes, the parser's own included."""
    checkpoint = newest(run_copy)
    given(checkpoint, _tensors(header, bytes(4)))
    done = subprocess.run([sys.executable, "-c", READ, str(checkpoint)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    status, length, megabytes = map(int, done.stdout.split())
    assert status == 4 and length < 11_000 and megabytes < 800


@pytest.mark.parametrize(
    "name", [f"{'../' * 12}etc/passwd", "/etc/passwd", "..", "sub/model.safetensors", "manifest.json"]
)
def test_x02_a_manifest_that_names_a_file_elsewhere_is_refused(run_copy, name, capsys):
    data = Path("/etc/passwd").read_bytes()

    def change(content: dict) -> None:
        content["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        content["arrays"][name] = {}

    sealed(newest(run_copy), change)
    line = refused(capsys, "predict", str(run_copy), "--checkpoint", newest(run_copy).name[5:])
    assert repr(name) in line and "root:" not in line


def test_x02_prepared_data_that_names_a_file_elsewhere_is_refused(tmp_path, monkeypatch, capsys):
    from kt2t.data.prepared import seal

    monkeypatch.chdir(tmp_path)
    Path("train.tsv").write_text("".join(f"line {n}\tZeile {n}\n" for n in range(200)))
    Path("mine.yaml").write_text(
        "problem: {type: ParallelText, train_files: train.tsv, vocabulary: {type: Characters}}\n"
        "model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2}\n"
        "optimizer: {type: Adam}\n"
    )
    words = ["prepare", "mine.yaml", "--data-dir", "data"]
    assert run(words) == 0
    folder = next(path for path in Path("data").iterdir() if path.is_dir())
    written = json.loads((folder / "manifest.json").read_text())

    def store(content: dict) -> None:
        content = {key: value for key, value in content.items() if key != "seal"}
        (folder / "manifest.json").write_text(json.dumps({**content, "seal": seal(content)}))

    for name in ("/etc/passwd", "../../../../../../../etc/passwd"):
        changed = json.loads(json.dumps(written))
        changed["splits"]["train"]["shards"][0]["file"] = name
        store(changed)
        assert "does not fit: the folder lacks passwd" in refused(capsys, *words, status=3)
        changed = json.loads(json.dumps(written))
        changed["vocabularies"]["inputs"]["folder"] = name
        store(changed)
        assert f"names a vocabulary elsewhere: {name!r}" in refused(capsys, *words, status=3)
    store(written)
    note = json.loads((folder / "vocabulary" / "vocabulary.json").read_text())
    note["files"] = {"/etc/passwd": hashlib.sha256(Path("/etc/passwd").read_bytes()).hexdigest()}
    (folder / "vocabulary" / "vocabulary.json").write_text(json.dumps(note))
    assert "names a file elsewhere: '/etc/passwd'" in refused(capsys, *words, status=3)


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "/nowhere/at/all"])
def test_x03_a_link_in_place_of_the_weights_is_refused(run_copy, target, capsys):
    weights = newest(run_copy) / WEIGHTS
    weights.unlink()
    weights.symlink_to(target)
    line = refused(capsys, "predict", str(run_copy), "--checkpoint", newest(run_copy).name[5:])
    assert WEIGHTS in line and "root:" not in line


def test_x03_a_shard_that_is_a_link_is_refused(tiny, tmp_path, capsys):
    assert run(["prepare", str(tiny), "--data-dir", "data"]) == 0
    shard = next(Path("data").rglob("train-*.arrayrecord"))
    shutil.move(shard, "elsewhere")
    shard.symlink_to(Path("elsewhere").resolve())
    assert f"{shard.name}' is no file" in refused(capsys, "prepare", str(tiny), "--data-dir", "data", status=3)


PLUGIN = """\
from pathlib import Path

import kt2t
from kt2t.data.algorithmic.reverse import Reverse

Path("imported").touch()


@kt2t.register
class BackwardsForFaults(Reverse):
    '''The reversal, of one's own.'''


class NotRegistered:
    def __init__(self, **options):
        Path("canary").touch()
"""


def test_x04_a_module_that_a_recipe_names_is_told_before_it_is_used(tiny, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("backwards_for_faults.py").write_text(PLUGIN)
    tiny.write_text(tiny.read_text().replace("type: Reverse", "type: backwards_for_faults.BackwardsForFaults"))
    assert run(["list", "recipes"]) == 0 and not Path("imported").exists()
    assert run(["train", str(tiny), "train.steps=4", "--run-dir", "new"]) == 0
    told = f"using backwards_for_faults from {Path('backwards_for_faults.py').resolve()}"
    assert told in capsys.readouterr().err and told in Path("new/log.txt").read_text()
    noted = json.loads(Path("new/run.json").read_text())["plugins"]["backwards_for_faults"]
    assert noted["sha256"] == hashlib.sha256(Path("backwards_for_faults.py").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "node",
    [
        "{type: subprocess.Popen, args: [touch, canary]}",
        "{type: os.system, command: touch canary}",
        '{type: builtins.exec, source: \'open("canary", "w")\'}',
        "{type: pathlib.Path}",
        "{type: functools.partial}",
        "{type: keras.utils.get_file, fname: canary, origin: 'file:///etc/passwd'}",
        "{type: keras.config.enable_unsafe_deserialization}",
        "{type: tests_of_faults_plugin.NotRegistered}",
        "{type: ../../../etc/passwd}",
        "{type: ..}",
    ],
)
def test_x04_only_registered_classes_and_those_of_keras_are_built(tiny, node, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("tests_of_faults_plugin.py").write_text(PLUGIN.split("@kt2t")[0] + "class" + PLUGIN.split("class")[-1])
    text = tiny.read_text().replace("=model.hidden_dim", "16")
    for section in ("problem", "model"):
        lines = [f"{section}: {node}" if line.startswith(f"{section}:") else line for line in text.splitlines()]
        tiny.write_text("\n".join(lines) + "\n")
        line = refused(capsys, "train", str(tiny), "--run-dir", "new", status=2)
        assert f"tiny.yaml:{2 if section == 'problem' else 3}: {section}.type: " in line
        assert not Path("new/run.json").exists()


def test_x05_no_code_runs_what_it_reads():
    """Beside the rule of the house: no way round it by another name either."""
    names = {
        "pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "eval", "exec", "compile", "allow_pickle",
        "system", "popen", "unsafe_load", "full_load", "UnsafeLoader", "FullLoader", "load_model", "load_weights",
        "enable_unsafe_deserialization", "extractall", "mktemp",
    }  # fmt: skip
    ours = {"compile"}  # a method of every model of keras: only the bare name is the one that runs text
    # A script may call it on any model of keras; the model only builds itself before it.
    found, passed_on = [], ["kt2t/models/model.py: load_weights"]
    for path in sorted((ROOT / "kt2t").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            used: set[str] = set()
            if isinstance(node, ast.Import | ast.ImportFrom):
                used = {part for alias in node.names for part in alias.name.split(".")}
                used |= set((getattr(node, "module", None) or "").split("."))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                used = {node.func.id}
            elif isinstance(node, ast.Attribute):
                used = {node.attr} - ours
            elif isinstance(node, ast.keyword):
                plain = isinstance(node.value, ast.Constant) and node.value.value is False
                used = {"allow_pickle"} if node.arg in ("allow_pickle", "shell") and not plain else set()
            found += [f"{path.relative_to(ROOT)}: {name}" for name in used & names]
    assert found == passed_on


def test_x06_nothing_of_the_environment_is_kept_with_a_run(tiny, monkeypatch, capsys):
    canary = "canary-5f0e1c9a"
    for name in ("SECRET", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "KT2T_SECRET", "WANDB_API_KEY"):
        monkeypatch.setenv(name, canary)
    assert run(["train", str(tiny), "train.steps=4", "--run-dir", "new", "--data-dir", "data"]) == 0
    assert canary not in "".join(capsys.readouterr())
    files = [path for folder in ("new", "data") for path in Path(folder).rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [str(path) for path in files if canary.encode() in path.read_bytes()] == []
