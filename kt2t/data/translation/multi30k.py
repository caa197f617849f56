"""Multi30k: 29,000 captions of photographs in English, German, French and Czech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kt2t.data.translation.translation import Translation
from kt2t.errors import DataError
from kt2t.registry import register

STEMS = {
    "train": "train",
    "validation": "val",
    "test_2016_flickr": "test_2016_flickr",
    "test_2017_flickr": "test_2017_flickr",
    "test_2017_mscoco": "test_2017_mscoco",
}


@register
class Multi30k(Translation):
    """Captions of photographs and their translations, from the files of the Multi30k repository, plain or gzip.

    The splits are `train`, `validation`, and `test_2016_flickr`, `test_2017_flickr` and `test_2017_mscoco` if the folder has
    their files.

    Args:
        path: The folder with `train.en`, `train.de`, `val.en` and so on, each with or without `.gz`.
        source: File name suffix of the language to translate from.
        target: File name suffix of the language to translate into.
        vocabulary: Vocabulary of both sides. Default: bytes.
        source_vocabulary: Vocabulary of the source, if each side has its own.
        target_vocabulary: Vocabulary of the target, if each side has its own.
        loss: See `Problem`.
        max_length: See `Problem`.

    Raises:
        ValueError: Source and target are the same, or vocabularies contradict each other.

    Source: Elliott et al. 2016, Multi30K: Multilingual English-German Image Descriptions.
    """

    def __init__(
        self,
        path: str,
        source: str = "en",
        target: str = "de",
        vocabulary: Any = None,
        source_vocabulary: Any = None,
        target_vocabulary: Any = None,
        loss: Any = None,
        max_length: int | dict[str, int] | None = None,
    ) -> None:
        if source == target:
            raise ValueError(f"target: {target!r} is also the source. Choose another language.")
        super().__init__(
            path=path,
            vocabulary=vocabulary,
            source_vocabulary=source_vocabulary,
            target_vocabulary=target_vocabulary,
            loss=loss,
            max_length=max_length,
        )
        self.source = source
        self.target = target

    def files(self) -> dict[str, list[Path]]:
        folder = Path(str(self.path)).expanduser()
        wanted = f"It should hold train.{self.source} and train.{self.target}, val.{self.source} and val.{self.target}"
        if not folder.is_dir():
            raise DataError(f"'{folder}' does not exist. {wanted}.", path="problem.path")
        found: dict[str, list[Path]] = {}
        for split, stem in STEMS.items():
            both = [_plain_or_gzip(folder / f"{stem}.{language}") for language in (self.source, self.target)]
            sides = zip((self.source, self.target), both, strict=True)
            missing = [f"{stem}.{language}" for language, file in sides if not file]
            if not missing:
                found[split] = [file for file in both if file]
            elif len(missing) == 1 or split in ("train", "validation"):
                raise DataError(f"'{folder}' lacks {' and '.join(missing)}. {wanted} (or .gz).", path="problem.path")
        return found


def _plain_or_gzip(path: Path) -> Path | None:
    zipped = path.with_name(path.name + ".gz")
    return path if path.is_file() else zipped if zipped.is_file() else None
