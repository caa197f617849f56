"""What the suite's tests cost, in seconds of a worker, summed by model and by recipe."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

# A child process on JAX writes the seconds of each of its tests into the file that this variable names.
FILE = "KT2T_TEST_SECONDS"
# The name of the property under which the test that started the child keeps them.
PROPERTY = "seconds on jax"
# What a new model may cost over both backends, and a new recipe. CONTRIBUTING says so; no test asserts a time.
CEILINGS = {"model": 25, "recipe": 4}
SLOWEST = 25

Seconds = dict[str, float]


def seconds_of(reports: Iterable[Any]) -> tuple[Seconds, Seconds]:
    """The seconds of each test (setup, call and teardown together), here and in the children on JAX."""
    here: Seconds = defaultdict(float)
    on_jax: Seconds = {}
    for report in reports:
        if hasattr(report, "duration"):
            here[report.nodeid] += report.duration
        if getattr(report, "when", "") == "call":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    on_jax |= json.loads(value)
    return dict(here), on_jax


def model_of(test: str, models: Iterable[str]) -> str | None:
    """The model that a test is about, by its file: in `tests/models`, or golden numbers of a model.

    Args:
        test: As pytest names it, `tests/models/test_transformer.py::test_it_learns`.
        models: The names of the files in `kt2t/models`.
    """
    file = Path(test.partition("::")[0])
    name = file.stem.removeprefix("test_")
    if file.parent.name == "models":
        return name
    named = [model for model in models if f"{name}_".startswith(f"{model}_")]
    return max(named, key=len) if file.parent.name == "golden" and named else None


def recipe_of(test: str) -> str | None:
    """The recipe that a test is about, from its parameter: `tests/test_recipes_train.py::test_it[quickstart]`."""
    file, _, rest = test.partition("::")
    if Path(file).name != "test_recipes_train.py" or "[" not in rest:
        return None
    return rest[rest.index("[") + 1 : -1]


def table(here: Seconds, on_jax: Seconds, models: Iterable[str]) -> list[str]:
    """The lines of the table: each model and each recipe, the most expensive first."""
    lines = []
    names = list(models)
    for kind, name_of in (("model", lambda test: model_of(test, names)), ("recipe", recipe_of)):
        costs: Mapping[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for place, seconds in enumerate((here, on_jax)):
            for test, spent in seconds.items():
                if name := name_of(test):
                    costs[name][place] += spent
        if costs:
            lines.append(f"{kind} (a new one: at most {CEILINGS[kind]} s)".ljust(52) + "TensorFlow     JAX   together")
        for name, (one, other) in sorted(costs.items(), key=lambda item: -sum(item[1])):
            lines.append(f"  {name:50}{one:10.1f}{other:8.1f}{one + other:11.1f}")
    if on_jax:
        lines.append(f"the {SLOWEST} slowest tests of the children on JAX, which took {sum(on_jax.values()):.0f} s")
    for test, spent in sorted(on_jax.items(), key=lambda item: -item[1])[:SLOWEST]:
        lines.append(f"{spent:10.2f}s {test}")
    return lines


def keep(record_property: Any, file: Path) -> None:
    """Keeps the seconds that a child has written with the test that started it."""
    if file.is_file():
        record_property(PROPERTY, file.read_text(encoding="utf-8"))


def show(reporter: pytest.TerminalReporter, file: str | None) -> None:
    """Prints the table at the end of a session, or writes the seconds into a child's file."""
    here, on_jax = seconds_of(report for reports in reporter.stats.values() for report in reports)
    if file:
        Path(file).write_text(json.dumps(here), encoding="utf-8")
        return
    package = Path(__file__).resolve().parent.parent / "kt2t" / "models"
    if lines := table(here, on_jax, [path.stem for path in package.glob("*.py")]):
        reporter.write_sep("=", "seconds of a worker by model and recipe")
        for line in lines:
            reporter.write_line(line)
