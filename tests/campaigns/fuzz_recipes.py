"""Damages the recipes that come with kt2t, and looks at how each damaged one is answered.

    python -m tests.campaigns.fuzz_recipes --seed 1 --count 10000

A case is one shipped recipe with one fault: a letter wrong in a key or a type, a value of another type, a value out of
range, a byte, or the structure. It is loaded, checked, and its problem, model (without weights), optimizer and search are
built, in this process. Counted are answers that are no answer: an exception that is none of kt2t's, more than 2 seconds
of work, a refusal without its place, and one-letter typos that are not told the right word.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kt2t import registry
from kt2t.errors import DataError, Kt2tError
from kt2t.marked_yaml import read_file
from kt2t.recipe_file import load, short_names
from kt2t.run.assemble import located, problem_of

SECONDS = 2.0
LETTERS = "abcdefghijklmnopqrstuvwxyz_0123456789"
OF_ANOTHER_TYPE = [
    None, True, 7, -1, 0.5, "many", "", [], ["a", 1], {}, {"a": 1}, {"type": "Adam"}, {"type": 3}, [{"type": "Nothing"}],
    [[[]]], "2026-11-22",
]  # fmt: skip
EXTREME = [
    0, -1, -(10**9), 10**30, 2**31, 1e308, -1e308, 1e-320, float("nan"), float("inf"), -float("inf"), "é" * 1000, "\u202e",
    "a\x07b", "${HOME}", "=", "=model", "=nothing.here", "../../../etc/passwd", "x" * 5000, "os.system", "builtins.eval",
    "kt2t.errors.DataError", ".", "..", "a.", ".a",
]  # fmt: skip

Place = tuple[str | int, ...]


def fuzz(seed: int, count: int, folder: Path) -> dict[str, Any]:
    """What became of `count` damaged recipes: counts by kind and answer, and the cases that were answered badly."""
    recipes = _undamaged(folder)
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    for number in range(count):
        name = chance.choice(sorted(recipes))
        kind = chance.choice(sorted(KINDS))
        file = (folder / name).with_name("fuzzed.yaml")
        content, meant = KINDS[kind](copy.deepcopy(recipes[name]), chance)
        file.write_bytes(content)
        answer, error, seconds = _answered(file)
        counts[f"{kind}: {answer}"] += 1
        wrong = _wrong(kind, answer, error, seconds, str(file))
        if meant is not None and answer == "2":
            told = repr(meant) in str(error)
            counts["typos"] += 1
            counts["typos told right"] += told
            if not told:
                bad.append({"case": number, "recipe": name, "wrong": f"not told {meant!r}", "error": str(error)})
        if wrong:
            counts[wrong] += 1
            text = content.decode("utf-8", "replace")
            bad.append(
                {"case": number, "recipe": name, "kind": kind, "wrong": wrong, "error": str(error), "text": text}
            )
    return {"seed": seed, "count": count, "counts": dict(sorted(counts.items())), "bad": bad}


def _undamaged(folder: Path) -> dict[str, Any]:
    """The recipes that come with kt2t, laid out below `folder`, each of which must be answered with nothing."""
    data = folder / "data"
    data.mkdir()
    for name in ("train.en", "train.de", "val.en", "val.de", "text.txt"):
        (data / name).write_text("one line\n")
    recipes = {name: _filled(read_file(file).value, data) for name, file in short_names().items()}
    for name, recipe in recipes.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(_dumped(recipe))
    for name in recipes:
        answer, error, _ = _answered(folder / f"{name}.yaml")
        if answer != "0":
            raise SystemExit(f"{name}, undamaged: {error}")
    return recipes


def _answered(file: Path) -> tuple[str, BaseException | None, float]:
    """The exit status (`0` where nothing is wrong), the error, and the seconds of work that it took."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, 10 * SECONDS)
    error: BaseException | None = None
    try:
        _built(file)
        answer = "0"
    except Kt2tError as refused:
        answer, error = str(refused.status), refused
    except _Hangs as late:
        answer, error = "70", late
    except Exception as bug:
        answer, error = "70", bug
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return answer, error, time.process_time() - began


def _built(file: Path) -> None:
    recipe = load(str(file))
    recipe.check()
    problem = problem_of(recipe)
    with located(recipe):
        features = _features(problem)
        if features is not None and not _is_large(recipe.nodes["model"]):
            registry.build(recipe.nodes["model"], "model", "model", features=features)
        registry.build(recipe.nodes["optimizer"], "optimizer", "optimizer")
        registry.build(recipe.report.decode, "decode", "report.decode")
        if features is not None:
            problem.loss()


def _features(problem: Any) -> dict[str, Any] | None:
    """The features of a problem; None where only its data tells the classes, which is not there."""
    try:
        return problem.expected_features()
    except DataError:
        return None


def _is_large(model: dict[str, Any]) -> bool:
    """Whether more layers are asked for than can be made in a moment: no fault, since a model is as large as one asks."""
    layers = model.get("num_layers")
    return isinstance(layers, int) and layers > 16


def _wrong(kind: str, answer: str, error: BaseException | None, seconds: float, file: str) -> str | None:
    if answer == "70":
        return f"status 70: {type(error).__name__}"
    if seconds > SECONDS:
        return "slow"
    if isinstance(error, Kt2tError):
        whole = error.path is None and any(w in error.message for w in ("section", "the recipe is", "not a recipe"))
        named = error.file == file and (error.line is not None or whole)
        if not named or (kind in ("typo", "type", "value") and error.path is None and not whole):
            return "without its place"
        if "\n" in str(error):
            return "more than one line"
    return None


class _Hangs(BaseException):
    pass


def hangs(signum: int, frame: Any) -> None:
    raise _Hangs


def _filled(value: Any, folder: Path) -> Any:
    """The recipe with an existing folder where it asks for one, so that all else is looked at."""
    if isinstance(value, dict):
        return {key: _filled(item, folder) for key, item in value.items()}
    return str(folder) if value == "???" else value


def _dumped(value: Any) -> bytes:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text.encode("utf-8")


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*place, key))


def _holder(value: Any, place: Place) -> Any:
    for part in place[:-1]:
        value = value[part]
    return value


def _misspelt(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    how = chance.choice(["drop", "double", "swap", "other"] if len(word) > 2 else ["double", "other"])
    if how == "drop":
        return word[:at] + word[at + 1 :]
    if how == "double":
        return word[:at] + chance.choice(LETTERS) + word[at:]
    if how == "swap":
        at = chance.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + chance.choice(LETTERS) + word[at + 1 :]


def _typo(recipe: Any, chance: random.Random) -> tuple[bytes, str | None]:
    keys = [place for place in _places(recipe) if isinstance(place[-1], str)]
    place = chance.choice(keys)
    holder, key = _holder(recipe, place), str(place[-1])
    is_name = key == "type" and chance.random() < 0.5
    word = holder["type"] if is_name else key
    wrong = _misspelt(word, chance)
    if is_name:
        holder["type"] = wrong
    else:
        renamed = {wrong if name == key else name: item for name, item in holder.items()}
        holder.clear()
        holder.update(renamed)
    return _dumped(recipe), None if wrong == word else word


def _type(recipe: Any, chance: random.Random) -> tuple[bytes, None]:
    place = chance.choice(list(_places(recipe)))
    _holder(recipe, place)[place[-1]] = copy.deepcopy(chance.choice(OF_ANOTHER_TYPE))
    return _dumped(recipe), None


def _value(recipe: Any, chance: random.Random) -> tuple[bytes, None]:
    leaves = [p for p in _places(recipe) if not isinstance(_holder(recipe, p)[p[-1]], dict | list)]
    place = chance.choice(leaves)
    _holder(recipe, place)[place[-1]] = chance.choice(EXTREME)
    return _dumped(recipe), None


def _bytes(recipe: Any, chance: random.Random) -> tuple[bytes, None]:
    data = bytearray(_dumped(recipe))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data))
        how = chance.randrange(7)
        if how == 0:
            data[at] = chance.randrange(256)
        elif how == 1:
            data[at:at] = bytes(
                chance.choice([b"\0", b"\t", b"\xef\xbb\xbf", b"\xe4", b"\r", b"\x85", b"\xff\xfe", b"\x1b"])
            )
        elif how == 2:
            del data[at + 1 :]
        elif how == 3:
            del data[at : at + chance.randint(1, 20)]
            data = data or bytearray(b"\n")
        elif how == 4:
            data[at:at] = chance.choice(b"{}[]:,&*!|>'\"%@`#-?").to_bytes(1, "little")
        elif how == 5:
            data = bytearray(bytes(data).replace(b"\n", b"\r\n"))
        else:
            data[at:at] = data[: chance.randint(1, 40)]
    return bytes(data), None


def _structure(recipe: Any, chance: random.Random) -> tuple[bytes, None]:
    places = list(_places(recipe))
    place = chance.choice(places)
    holder = _holder(recipe, place)
    how = chance.randrange(8)
    if how == 0:
        del holder[place[-1]]
    elif how == 1:
        holder[place[-1]] = [holder[place[-1]]]
    elif how == 2:
        holder[place[-1]] = {place[-1]: holder[place[-1]]}
    elif how == 3:
        other = chance.choice(places)
        _holder(recipe, other)[other[-1]] = copy.deepcopy(holder[place[-1]])
    elif how == 4:
        for _ in range(chance.choice([3, 40, 80, 300])):
            holder[place[-1]] = {"a": holder[place[-1]]}
    elif how == 5:
        lines = _dumped(recipe).splitlines(keepends=True)
        at = chance.randrange(len(lines))
        return b"".join([*lines[:at], lines[at], *lines[at:]]), None
    elif how == 6:
        added = chance.choice([
            b"a: &a [*a]\n", b"!!python/object/apply:os.system ['true']: 1\n", b"b: !!python/name:os.system\n", b"---\na: 1\n",
            b"c: !!binary AAAA\n", b"<<: {train: {steps: 1}}\n", b"? [a, b]\n: c\n", b"extends: quickstart\n",
            b"extends: [1]\n", b"extends: fuzzed\n", b"1: 2\n", b"~: 1\n", b"''" b": {}\n",
        ])  # fmt: skip
        return (_dumped(recipe) + added) if chance.random() < 0.5 else added + _dumped(recipe), None
    else:
        return _dumped([recipe] if chance.random() < 0.5 else chance.choice(list(recipe.values()))), None
    return _dumped(recipe), None


KINDS = {"typo": _typo, "type": _type, "value": _value, "bytes": _bytes, "structure": _structure}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--show", type=int, default=20, help="how many badly answered cases to print")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    signal.signal(signal.SIGVTALRM, hangs)
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(given.seed, given.count, Path(folder))
    for case in found["bad"][: given.show]:
        print(json.dumps(case, ensure_ascii=False), file=sys.stderr)
    counts = found["counts"]
    share = counts.get("typos told right", 0) / max(counts.get("typos", 0), 1)
    serious = [case for case in found["bad"] if not case["wrong"].startswith("not told")]
    print(json.dumps(counts, indent=1, ensure_ascii=False))
    print(
        f"{given.count} recipes, seed {given.seed}: {len(serious)} answered badly, {share:.1%} of typos told the right word"
    )
    return int(bool(serious) or share < 0.95)


if __name__ == "__main__":
    sys.exit(main())
