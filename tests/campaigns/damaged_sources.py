"""The text sources that `fuzz_texts.py` damages: what each is made of, and whether what is read of it is right.

A reader gives whether what it read is what Python's own decoding of the file gives; a refusal is an error.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

from kt2t.data.language.word_files import STEMS, PennTreebank, WikiText
from kt2t.data.sources.pairs import pairs
from kt2t.data.sources.texts import all_lines, text_files, whole_text
from kt2t.run.lines import Lines

WORDS = [
    "one", "Zwei", "três", "четыре", "五", "🙂", "a\u0301", "\u200b", "\u2028", "x" * 300, '"', "\\", "{", "\x85", "\x0c",
]  # fmt: skip


def plain(file: Path) -> list[str]:
    """The lines of a file by Python's own means."""
    data = file.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return _split(data.decode("utf-8"))


def _split(text: str, returns: bool = True) -> list[str]:
    """Lines end with a line feed, or with a carriage return (`returns`) where there is none; marks of byte order begin none."""
    lines = (text.replace("\r", "\n") if returns and "\n" not in text else text).split("\n")
    return [line.lstrip("\ufeff").rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _read_parallel(files: list[Path]) -> bool:
    found = [(pair["inputs"], pair["targets"]) for pair in pairs(files)]
    return found == list(zip(plain(files[0]), plain(files[1]), strict=True))


def _read_tsv(files: list[Path]) -> bool:
    found = [f"{pair['inputs']}\t{pair['targets']}" for pair in pairs(files)]
    return found == plain(files[0])


def _read_json(files: list[Path]) -> bool:
    found = [(pair["inputs"], pair["targets"]) for pair in pairs(files)]
    entries = [json.loads(line) for line in plain(files[0]) if line.strip()]
    return found == [(entry["inputs"], entry["targets"]) for entry in entries]


def _read_json_list(files: list[Path]) -> bool:
    found = [(pair["inputs"], pair["targets"]) for pair in pairs(files, "text.en", "text.de")]
    text = "\n".join(plain(files[0]))
    try:
        entries = json.loads(text)
    except ValueError:  # the damage has made lines of it
        entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    return found == [(entry["text"]["en"], entry["text"]["de"]) for entry in entries]


def _read_columns(source: int | str, target: int | str) -> Callable[[list[Path]], bool]:
    def read(files: list[Path]) -> bool:
        found = [(pair["inputs"], pair["targets"]) for pair in pairs(files, source, target)]
        rows = [line.split("\t") for line in plain(files[0])]
        places = [key - 1 if isinstance(key, int) else rows[0].index(key) for key in (source, target)]
        return found == [(row[places[0]], row[places[1]]) for row in rows[isinstance(source, str) :]]

    return read


def _read_folder(files: list[Path]) -> bool:
    found = text_files([files[0].parent])
    texts, lines = "".join(map(whole_text, found)), "".join(all_lines(found))
    return texts == lines == "".join(line + "\n" for file in sorted(files) for line in plain(file))


def _read_words(kind: type[PennTreebank] | type[WikiText]) -> Callable[[list[Path]], bool]:
    def read(files: list[Path]) -> bool:
        problem = kind(path=str(files[0].parent))
        found = {split: "".join(example["targets"] for example in problem.examples(split)) for split in STEMS}
        return all(
            found[split] == "".join(f"{line}\n" for line in plain(file))
            for split, file in zip(STEMS, files, strict=True)
        )

    return read


def _read_asked(files: list[Path]) -> bool:
    data = files[0].read_bytes()
    lines, found = Lines(io.BytesIO(data), files[0].name, whole=True), []
    while chunk := lines.chunk(1000):
        found += chunk
    return found == _split(data.decode("utf-8"), returns=False)


def _line(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(0, 6)))


def _lines(chance: random.Random, most: int = 30) -> str:
    return "".join(f"{_line(chance)}\n" for _ in range(chance.randint(1, most)))


def _written(file: Path, text: str, chance: random.Random) -> Path:
    data = text.encode("utf-8")
    if chance.random() < 0.3:
        file, data = file.with_name(f"{file.name}.gz"), gzip.compress(data, mtime=0)
    file.write_bytes(data)
    return file


def _make_parallel(folder: Path, chance: random.Random) -> list[Path]:
    count = chance.randint(1, 30)
    return [
        _written(folder / name, "".join(f"{_line(chance)}\n" for _ in range(count)), chance)
        for name in ("train.en", "train.de")
    ]


def _make_tsv(folder: Path, chance: random.Random) -> list[Path]:
    text = "".join(f"{_line(chance)}\t{_line(chance)}\n" for _ in range(chance.randint(1, 30)))
    return [_written(folder / "pairs.tsv", text, chance)]


def _make_json(folder: Path, chance: random.Random) -> list[Path]:
    entries = [{"inputs": _line(chance), "targets": _line(chance)} for _ in range(chance.randint(1, 30))]
    text = "".join(json.dumps(entry, ensure_ascii=chance.random() < 0.5) + "\n" for entry in entries)
    return [_written(folder / "pairs.jsonl", text, chance)]


def _make_json_list(folder: Path, chance: random.Random) -> list[Path]:
    entries = [{"id": n, "text": {"en": _line(chance), "de": _line(chance)}} for n in range(chance.randint(1, 30))]
    text = json.dumps(entries, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
    return [_written(folder / "pairs.json", f"{text}\n", chance)]


def _make_columns(header: str) -> Callable[[Path, random.Random], list[Path]]:
    def make(folder: Path, chance: random.Random) -> list[Path]:
        rows = ["\t".join(_line(chance) for _ in range(4)) for _ in range(chance.randint(1, 30))]
        return [_written(folder / "table.tsv", header + "".join(f"{row}\n" for row in rows), chance)]

    return make


def _make_folder(folder: Path, chance: random.Random) -> list[Path]:
    return [_written(folder / f"{number}.txt", _lines(chance, 20), chance) for number in range(chance.randint(1, 3))]


def _make_words(name: str) -> Callable[[Path, random.Random], list[Path]]:
    def make(folder: Path, chance: random.Random) -> list[Path]:
        return [_written(folder / name.format(stem), _lines(chance), chance) for stem in STEMS.values()]

    return make


def _make_asked(folder: Path, chance: random.Random) -> list[Path]:
    file = folder / "asked.txt"
    file.write_text(_lines(chance), encoding="utf-8")
    return [file]


KINDS: dict[str, tuple[Callable[[Path, random.Random], list[Path]], Callable[[list[Path]], bool]]] = {
    "parallel": (_make_parallel, _read_parallel),
    "tsv": (_make_tsv, _read_tsv),
    "tsv, columns 3 and 1": (_make_columns(""), _read_columns(3, 1)),
    "tsv, columns by name": (_make_columns("id\tde\tnote\ten\n"), _read_columns("en", "de")),
    "json lines": (_make_json, _read_json),
    "json list, nested": (_make_json_list, _read_json_list),
    "folder": (_make_folder, _read_folder),
    "Penn Treebank": (_make_words("ptb.{}.txt"), _read_words(PennTreebank)),
    "WikiText": (_make_words("wiki.{}.tokens"), _read_words(WikiText)),
    "lines to predict": (_make_asked, _read_asked),
}
