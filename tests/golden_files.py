"""Where the golden numbers lie, and which file holds what: told by each file's own `meta`, not by its name."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TESTS = Path(__file__).resolve().parent
DATA = Path(os.environ.get("KT2T_TEST_DATA", TESTS.parent.parent / "shared" / "data"))


def folder(config: pytest.Config) -> Path:
    """The folder of golden numbers: `--golden`, or beside the real data."""
    given = config.getoption("--golden")
    if given is None:
        return DATA.parent / "reference" / "golden"
    chosen = Path(given).resolve()
    if not any(chosen.glob("*.npz")):
        raise pytest.UsageError(f"--golden: {chosen} has no .npz files.")
    return chosen


@functools.cache
def catalogue(where: Path) -> dict[Path, dict[str, Any]]:
    """The `meta` of every file in a folder, with its name, and the names of its arrays in `arrays`."""
    found = {}
    for path in sorted(where.glob("*.npz")):
        with np.load(path, allow_pickle=False) as numbers:
            if "meta" in numbers.files:
                found[path] = {**json.loads(str(numbers["meta"])), "file": path.stem, "arrays": numbers.files}
    return found


def is_kind(meta: dict[str, Any], kind: str | Callable[[dict[str, Any]], bool]) -> bool:
    """Whether a file is of a kind: a function of its `meta`, or a case's name with which its own or the file's begins."""
    if callable(kind):
        return kind(meta)
    return any(f"{name}_".startswith(f"{kind}_") for name in (meta.get("case", ""), meta["file"]))


def without(what: str, config: pytest.Config) -> None:
    """Skips the test, or fails it where data must be there (`KT2T_REQUIRE_DATA`); a given folder need not have all."""
    if os.environ.get("KT2T_REQUIRE_DATA") and config.getoption("--golden") is None:
        pytest.fail(f"{what} (set KT2T_TEST_DATA)")
    pytest.skip(f"{what} (set KT2T_TEST_DATA or --golden)")
