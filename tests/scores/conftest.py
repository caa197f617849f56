import gzip
import json
from collections import defaultdict

import pytest


def read(path):
    return gzip.open(path, "rt", encoding="utf-8", newline="\n").read().removesuffix("\n").split("\n")


@pytest.fixture(scope="session")
def wmt22(test_data):
    """English to German at WMT 2022: reference A, and each system's lines with its published figures."""
    folder = test_data / "wmt22_general_outputs"
    published = defaultdict(dict)
    for line in (folder / "automatic-scores.tsv").read_text().splitlines()[1:]:
        pair, system, _, _, metric, figure = line.split("\t")
        if pair == "en-de":
            published[system][metric] = float(figure)
    systems = {
        system: (read(folder / "system-outputs" / f"generaltest2022.en-de.hyp.{system}.de.gz"), figures)
        for system, figures in published.items()
    }
    return read(folder / "references" / "generaltest2022.en-de.ref.A.de.gz"), systems


@pytest.fixture(scope="session")
def wmt17(test_data):
    """The news test of WMT 2017, English to German: the reference, and each system's lines."""
    rows = [json.loads(line) for line in read(test_data / "metric_refs" / "wmt17_en_de_systems.jsonl.gz")]
    lines = {row["name"]: row["lines"] for row in rows}
    (reference,) = lines.pop("reference")
    return reference, {name.removeprefix("newstest2017.").rsplit(".", 2)[0]: of_one for name, of_one in lines.items()}
