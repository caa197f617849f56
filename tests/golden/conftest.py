"""Every check here runs on each file of its kind, told by `meta`: `@pytest.mark.cases(kind)`, which asks for `case`.

A kind is the name of a case, or a function of `meta`, then `cases.with_args(function)`. With `outputs(prefix)` too, a check
runs on each `out/` array of those files whose name begins so, and asks for `name`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from golden_files import catalogue, folder, is_kind, without


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cases(kind): the golden files that a check runs on")
    config.addinivalue_line("markers", "outputs(prefix): the arrays of them that it runs on, one by one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("cases")
    if marker is None:
        return
    kind = marker.args[0]
    found = {path: meta for path, meta in catalogue(folder(metafunc.config)).items() if is_kind(meta, kind)}
    outputs = metafunc.definition.get_closest_marker("outputs")
    if outputs is None:
        metafunc.parametrize("case", found or [None], ids=[path.stem for path in found] or ["none"], indirect=True)
        return
    rows = [
        (path, name.removeprefix("out/"))
        for path, meta in found.items()
        for name in meta["arrays"]
        if name.startswith(f"out/{outputs.args[0]}")
    ]
    names = [f"{path.stem}-{name}" for path, name in rows]
    metafunc.parametrize(("case", "name"), rows or [(None, None)], ids=names or ["none"], indirect=["case"])


@pytest.fixture
def case(request: pytest.FixtureRequest) -> np.lib.npyio.NpzFile:
    """The numbers of one golden file."""
    path: Path | None = request.param
    if path is None:
        marker = request.node.get_closest_marker("cases")
        what = getattr(marker.args[0], "__doc__", None) if callable(marker.args[0]) else marker.args[0]
        without(f"no golden numbers of {what}", request.config)
    return np.load(path, allow_pickle=False)


@pytest.fixture
def meta(case: np.lib.npyio.NpzFile) -> dict:
    """What the file says about itself."""
    return json.loads(str(case["meta"]))
