"""Every recipe that comes with kt2t, at a shrunken size: it trains three steps, writes events, and decodes."""

from __future__ import annotations

import math

import pytest
from small_raw_data import raw_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kt2t.cli.main import run
from kt2t.recipe_file import load, short_names
from kt2t.signatures import static_options

SHRUNKEN = {
    "problem": {"length": 16, "train_examples": 50, "validation_examples": 5, "max_length": 8, "evaluation_length": 9},
    "model": {"hidden_dim": 16, "intermediate_dim": 16, "num_heads": 2, "num_layers": 1},
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
    found += [f"problem.{option}={value}" for option, value in of_text(folder, recipe.nodes["problem"]["type"]).items()]
    if recipe.name.startswith("algorithmic/"):  # a dozen graphs more; the other recipes draw theirs
        found.append("report.attention_maps=false")
    return [*found, *QUICK]


@pytest.mark.parametrize("name", sorted(short_names()))
def test_it_trains_reports_and_decodes(name, tmp_path, capsys):
    raw = tmp_path / "raw"
    raw.mkdir()
    places = ["--run-dir", str(tmp_path / "run"), "--data-dir", str(tmp_path / "data")]
    assert run(["train", name, *overrides(load(name), raw), *places]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.count("prediction:") == 1
    losses = []
    for file in (tmp_path / "run" / "tensorboard").rglob("events.out.tfevents*"):
        events = EventAccumulator(str(file)).Reload()
        losses += [event.value for tag in events.Tags()["scalars"] if "loss" in tag for event in events.Scalars(tag)]
    assert losses and all(map(math.isfinite, losses))
