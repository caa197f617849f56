"""Every recipe that comes with kt2t, at a small size: it prepares its data, builds and takes one loss.

Some of them, which together have every model, kind of data, search and optimizer, also run in full: they train three steps,
write events and answer.
"""

from __future__ import annotations

import math

import pytest
from small_raw_data import raw_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kt2t import data
from kt2t.cli.main import run
from kt2t.recipe_file import load, short_names
from kt2t.run.assemble import SEARCH, assemble, problem_of
from kt2t.signatures import static_options

SHRUNKEN = {
    "problem": {"length": 16, "train_examples": 50, "validation_examples": 5, "max_length": 8, "evaluation_length": 9},
    "model": {
        "hidden_dim": 16,
        "intermediate_dim": 16,
        "num_heads": 2,
        "num_layers": 1,
        "num_steps": 2,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "num_blocks": 1,
        "dilations": [1, 2],
        "kernel_sizes": [2, 2, 2, 2],
        "parts": [1, 1],
    },
}
QUICK = ("train.steps=3", "train.batch={rows: 8}", "report.every=3", "report.score_limit=4", "report.samples=1")
PAIRS = [(f"a man in shirt number {n} rides", f"ein Mann in Hemd Nummer {n} fährt") for n in range(50)]


def of_text(folder, type_name):
    """The options that point a problem of text to files of its kind."""
    lines = "".join(f"{source} .\n" for source, _ in PAIRS)
    if type_name == "TextFiles":
        (folder / "text.txt").write_text(lines, encoding="utf-8")
        return {"train_files": folder}
    if type_name in ("PennTreebank", "WikiText"):
        name = "ptb.{}.txt" if type_name == "PennTreebank" else "wiki.{}.tokens"
        for stem in ("train", "valid", "test"):
            (folder / name.format(stem)).write_text(lines, encoding="utf-8")
        return {"path": folder}
    if type_name == "ParallelText":
        file = folder / "pairs.tsv"
        file.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
        return {"train_files": file}
    if type_name == "Multi30k":
        for split in ("train", "val", "test_2016_flickr"):
            for side, language in enumerate(("en", "de")):
                lines = "".join(pair[side] + "\n" for pair in (PAIRS if split == "train" else PAIRS[:5]))
                (folder / f"{split}.{language}").write_text(lines, encoding="utf-8")
        return {"path": folder}
    return raw_data(folder, type_name)


def overrides(recipe, folder):
    """`key=value` for every option of the shrunken size that the recipe's own types have."""
    found = []
    for section, sizes in SHRUNKEN.items():
        node = recipe.nodes[section]
        options = static_options(node["type"], section)
        found += [f"{section}.{option}={size}" for option, size in sizes.items() if option in options]
        if section == "problem" and node.get("vocabulary", {}).get("type") == "Subwords":
            found += ["problem.vocabulary.size=320"] + ["problem.max_length=60"] * ("max_length" in options)
    places = of_text(folder, recipe.nodes["problem"]["type"])
    if recipe.nodes["problem"].get("train_files") == "???" and "path" in places:
        places = {"train_files": next(file for file in sorted(folder.iterdir()) if "train" in file.name)}
    found += [f"problem.{option}={value}" for option, value in places.items()]
    factors = recipe.nodes["optimizer"].get("learning_rate", {})
    factors = factors.get("factors", []) if isinstance(factors, dict) else []
    for number, factor in enumerate(factors):  # a warm-up within the three steps
        if factor["type"] == "CosineToZero":
            found.append(f"optimizer.learning_rate.factors.{number}.warmup=1")
    if recipe.name.startswith("algorithmic/"):  # a dozen graphs more; the other recipes draw theirs
        found.append("report.attention_maps=false")
    return [*found, *QUICK]


def parts_of(recipe):
    """What of a recipe some full run must have: its model, search, optimizer, and kind of data."""
    nodes = recipe.nodes
    kind = nodes["problem"]["type"]
    area = data.TABLE.get(kind, kind).rpartition(".")[0]  # translation, image, …: an area has its kinds of feature
    chosen = {"model": nodes["model"], "optimizer": nodes["optimizer"], "search": recipe.report.decode or SEARCH}
    if "vocabulary" in nodes["problem"]:
        chosen["vocabulary"] = nodes["problem"]["vocabulary"]
    return {("area", area), *((slot, node["type"]) for slot, node in chosen.items())}


def cover(parts):
    """Names that together have every part: again and again the one with the most parts that are still missing.

    Args:
        parts: The parts of each name.
    """
    missing, chosen = set().union(*parts.values()), []
    while missing:
        chosen.append(max(sorted(parts), key=lambda name: len(parts[name] & missing)))
        missing -= parts[chosen[-1]]
    return sorted(chosen)


PARTS = {name: parts_of(load(name)) for name in sorted(short_names())}
FULL = cover(PARTS)


def test_a_cover_has_every_part_with_few_names():
    parts = {"a": {1, 2}, "b": {2, 3, 4}, "c": {4}, "d": {1, 5}}
    assert cover(parts) == ["b", "d"]
    assert set().union(*(PARTS[name] for name in FULL)) == set().union(*PARTS.values())


@pytest.fixture
def words(tmp_path):
    """The small size of a recipe, as words of a command, and where its data and run go."""
    raw = tmp_path / "raw"
    raw.mkdir()

    def of(name):
        return overrides(load(name), raw)

    return of


@pytest.mark.parametrize("name", [name for name in PARTS if name not in FULL])
def test_it_prepares_builds_and_takes_a_loss(name, tmp_path, words):
    recipe = load(name, words(name))
    recipe.check()
    problem = problem_of(recipe)
    problem.prepare(tmp_path / "data")
    model = assemble(recipe, problem).model
    model.run_eagerly = True  # a graph takes longer to make than one loss
    batch = next(iter(problem.batches("train", rows=4)))
    logs = model.evaluate((one for one in [batch]), verbose=0, return_dict=True)
    assert math.isfinite(logs["loss"])


@pytest.mark.parametrize("name", FULL)
def test_it_trains_reports_and_answers(name, tmp_path, capsys, words):
    places = ["--run-dir", str(tmp_path / "run"), "--data-dir", str(tmp_path / "data")]
    assert run(["train", name, *words(name), *places]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.count("prediction:") == 1
    losses = []
    for file in (tmp_path / "run" / "tensorboard").rglob("events.out.tfevents*"):
        events = EventAccumulator(str(file)).Reload()
        losses += [event.value for tag in events.Tags()["scalars"] if "loss" in tag for event in events.Scalars(tag)]
    assert losses and all(map(math.isfinite, losses))
