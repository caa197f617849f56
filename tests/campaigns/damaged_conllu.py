"""Damages CoNLL-U files, and looks at what `prepare` makes of them. See `damages.py` for what counts as good.

cd tests && python -m campaigns.damaged_conllu --seed 1 --count 500
"""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from kt2t.data.tagging.conllu_tags import ConlluTags

from . import damages
from .damages import cut, flipped, unknowable

KINDS = {}
TAGS = ("NOUN", "VERB", "DET", "ADJ")
LETTERS = "abcdefgéß東."


def row(number: str, word: str, tag: str) -> str:
    return "\t".join([number, word, word, tag, "_", "_", "0", "root", "_", "_"])


def sentences(chance: random.Random, count: int = 6) -> list[list[tuple[str, str]]]:
    """Words with tags; each sentence has every tag, so that a split does not lack one by chance."""
    found = []
    for _ in range(count):
        words = [
            "".join(chance.choice(LETTERS) for _ in range(chance.randint(1, 6))) for _ in range(chance.randint(4, 9))
        ]
        found.append([(word, TAGS[place % 4]) for place, word in enumerate(words)])
    return found


def text_of(found: list[list[tuple[str, str]]], chance: random.Random) -> list[str]:
    """The lines of a file, with comments, ranges and empty nodes here and there."""
    lines = []
    for sentence in found:
        lines += [f"# sent_id = s-{chance.randrange(100)}"] * chance.randint(0, 2)
        for number, (word, tag) in enumerate(sentence, 1):
            if number < len(sentence) and chance.random() < 0.1:
                lines.append(row(f"{number}-{number + 1}", "both", "_"))
            lines.append(row(str(number), word, tag))
            if chance.random() < 0.1:
                lines.append(row(f"{number}.1", "silent", "VERB"))
        lines.append("")
    return lines


def answer(train: bytes, expected: list[list[tuple[str, str]]], where: str, name: str, folder: Path, dev: bytes) -> str:
    (folder / name).write_bytes(train)
    (folder / "dev.conllu").write_bytes(dev)
    problem = ConlluTags(train_files=str(folder / name), validation_files=str(folder / "dev.conllu"))
    if damages.prepared(problem, folder, where):
        return "named"
    found = [list(zip(one["inputs"].split(" "), one["targets"], strict=True)) for one in problem.examples("train")]
    assert len(problem.prepared.records("train")) == len(found)
    return "same" if found == expected else "unknowable"


def whole(chance: random.Random) -> tuple[list[list[tuple[str, str]]], list[str], bytes]:
    found = sentences(chance)
    dev = "\n".join(text_of(sentences(chance, 1), chance)) + "\n"
    return found, text_of(found, chance), dev.encode()


def joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def kind(function):
    KINDS[function.__name__.replace("_", " ")] = function
    return function


@kind
def row_with_missing_columns(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    number = chance.choice([place for place, line in enumerate(lines) if "\t" in line])
    columns = lines[number].split("\t")
    for _ in range(chance.randint(1, 9)):
        del columns[chance.randrange(len(columns))]
    lines[number] = "\t".join(columns) or "x"
    return answer(joined(lines), found, f"train.conllu:{number + 1}: ", "train.conllu", folder, dev)


@kind
def row_lost_or_twice(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    words = [n for n, line in enumerate(lines) if line.partition("\t")[0].isdigit()]
    # The last word of a sentence may well be missing: the next word is then the first of another.
    places = [n for n, after in zip(words, words[1:], strict=False) if not lines[after].startswith("1\t")]
    number = chance.choice(places)
    lines[number : number + 1] = [lines[number]] * chance.choice([0, 2])
    return answer(joined(lines), found, "train.conllu:", "train.conllu", folder, dev)


@kind
def tag_unknown_in_evaluation(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    of_dev = dev.decode().split("\n")
    number = chance.choice([n for n, line in enumerate(of_dev) if line[:1].isdigit() and line.split("\t")[0].isdigit()])
    of_dev[number] = of_dev[number].replace(f"\t{of_dev[number].split(chr(9))[3]}\t_", "\tINTJ\t_", 1)
    return answer(
        joined(lines), found, f"dev.conllu:{number + 1}: ", "train.conllu", folder, "\n".join(of_dev).encode()
    )


@kind
def cut_within_a_sentence(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    data = joined(lines)
    ends = {0} | {place + 2 for place in range(len(data)) if data[place : place + 2] == b"\n\n"}
    place = chance.choice([place for place in range(1, len(data)) if place not in ends])  # the others are whole files
    return answer(data[:place], found, "train.conllu", "train.conllu", folder, dev)


@kind
def gzip_cut_short(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    return answer(cut(gzip.compress(joined(lines)), chance), found, "train.conllu.gz", "train.conllu.gz", folder, dev)


@kind
def gzip_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    data = flipped(gzip.compress(joined(lines)), chance)
    return answer(data, found, "train.conllu.gz", "train.conllu.gz", folder, dev)


@kind
@unknowable
def text_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    found, lines, dev = whole(chance)
    # A flipped tag may be one that training then has and evaluation lacks, or the other way round: dev is named as well.
    data = flipped(joined(lines), chance)
    try:
        return answer(data, found, "train.conllu", "train.conllu", folder, dev)
    except AssertionError as error:
        if "dev.conllu" in str(error):
            return "named"
        raise


if __name__ == "__main__":
    damages.main(KINDS)
