"""Pictures: files to arrays, and what can be known about damage."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.contents import names_in, place_of
from kt2t.data.sources.picture_damage import jpeg_damage, png_damage
from kt2t.errors import DataError, listed

SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".png": "PNG", ".gif": "GIF", ".bmp": "BMP", ".webp": "WEBP",
    ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
}  # fmt: skip
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
MOST_PIXELS = 89_000_000  # a little below the number from which on Pillow warns
_PLAIN_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class PictureFacts:
    """Format, colours and size of a picture, read from its header.

    Attributes:
        format: JPEG, PNG, …
        mode: Pillow's name for its channels, such as RGB, L, CMYK or I;16.
        height: In pixels.
        width: In pixels.
        is_misnamed: Its file is named as another format.
    """

    format: str
    mode: str
    height: int
    width: int
    is_misnamed: bool


def decode_picture(data: bytes, channels: int = 3, where: str = "the picture") -> np.ndarray:
    """Decodes the pixels of a picture, exactly as Pillow does.

    The format is read from the bytes, whatever the file is called. Grey, palette, CMYK and YCbCr pictures become RGB, or
    grey with `channels=1` (ITU-R 601-2 luma); CMYK without its colour profile. Transparency is left out. Of 16 bits the
    upper 8 are kept. A picture is turned as its EXIF orientation says.

    Shapes:
        → (height, width, channels) uint8

    Args:
        data: The bytes of the file.
        channels: 3 or 1.
        where: What the picture is called in errors, where the bytes are no `Contents`.

    Raises:
        DataError: The picture is damaged as far as that can be known, animated, too large, or of another format or mode.
    """
    from PIL import Image, ImageOps

    where = place_of(data, where)
    with _told(where):
        picture = _opened(data, where)
        if picture.mode in _DEEP_MODES:
            picture = Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
        picture = ImageOps.exif_transpose(picture)
        array = np.asarray(picture.convert("RGB" if channels == 3 else "L"))
    return array if channels == 3 else array[:, :, np.newaxis]


def check_picture(data: bytes, channels: int = 3, where: str = "the picture") -> np.ndarray:
    """Decodes a picture after searching it for damage.

    Beyond what `decode_picture` sees, this checks the checksums of a PNG and the markers and the length of a JPEG. A JPEG,
    a BMP or a GIF has no checksum, so bits that flipped in its pixels can go unseen.

    Shapes and arguments: see `decode_picture`.

    Raises:
        DataError: See `decode_picture`.
    """
    place = place_of(data, where)
    with _told(place):
        picture = _opened(data, place)
        damage = None
        if picture.format == "PNG":
            damage = png_damage(data)
        elif picture.format == "JPEG":
            damage = jpeg_damage(data, picture)
    if damage is not None:
        raise DataError(f"'{place}' is a damaged {picture.format}: {damage}.")
    return decode_picture(data, channels, place)


def picture_facts(data: bytes, where: str = "the picture") -> PictureFacts:
    """Reads a picture's header without decoding the picture.

    Raises:
        DataError: See `decode_picture`.
    """
    place = place_of(data, where)
    with _told(place):
        picture = _opened(data, place)
    named = SUFFIXES.get(Path(place).suffix.lower(), picture.format)
    width, height = picture.size
    return PictureFacts(str(picture.format), picture.mode, height, width, named != picture.format)


def labelled_pictures(
    path: Path, class_from: str = "folder", below: str = "", option: str = "problem.path"
) -> tuple[list[tuple[str, str]], list[str]]:
    """Lists the pictures of a folder or an archive with their classes, and the names of all classes.

    Args:
        path: A folder, or a tar archive.
        class_from: `folder`: the class is the folder right below `path`. `name`: it is the file's name up to the first `_`.
        below: Only files whose names begin so, such as `train/`, count; classes are below that.
        option: Of the recipe, for errors.

    Returns:
        (name, class) of each picture in the order of `names_in`; the classes in the order of their code points.

    Raises:
        DataError: There are no pictures, a file is no picture by its name or stands in no class folder, a class folder has
            no pictures, or there is only one class.
    """
    names = [name for name in names_in(path, option) if name.startswith(below)]
    strange = [name for name in names if Path(name).suffix.lower() not in SUFFIXES]
    if strange:
        raise DataError(
            f"'{path}' holds {len(strange)} files that are not named as pictures: {listed(strange, ', ', 3)}. "
            f"Move them away; pictures end in {', '.join(SUFFIXES)}.",
            path=option,
        )
    pictures = []
    for name in names:
        top, slash, _ = name.removeprefix(below).partition("/")
        if class_from == "folder" and not slash:
            raise DataError(
                f"'{path}/{name}' stands in no class folder. Put it into one, or set class_from: name.", path=option
            )
        pictures.append((name, top if class_from == "folder" else Path(name).stem.partition("_")[0]))
    classes = sorted({label for _, label in pictures})
    if class_from == "folder" and path.is_dir():
        root = path / below
        folders = sorted(one.name for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))
        if empty := [name for name in folders if name not in classes]:
            raise DataError(
                f"the class folder '{root / empty[0]}' has no pictures. Add some, or remove it.", path=option
            )
    if not pictures:
        raise DataError(f"'{path}' has no pictures. It should hold a folder of pictures for each class.", path=option)
    if len(classes) == 1:
        raise DataError(
            f"'{path}' has only one class, {classes[0]!r}. A classifier needs two; is the path a level too deep?",
            path=option,
        )
    return pictures, classes


def _opened(data: bytes, where: str) -> Any:
    """Pillow's picture, of which only the header is read."""
    from PIL import Image

    if not data:
        raise DataError(f"'{where}' is empty.")
    picture: Any = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise DataError(f"'{where}' has {width:,} × {height:,} pixels; {MOST_PIXELS:,} are the most.")
    if getattr(picture, "n_frames", 1) > 1 and picture.format not in ("JPEG", "MPO"):
        raise DataError(f"'{where}' is animated: it has {picture.n_frames} frames. Keep one of them.")
    if picture.mode not in _PLAIN_MODES + _DEEP_MODES:
        raise DataError(
            f"'{where}' has pixels of the kind {picture.mode}, which kt2t does not read. Convert it to RGB."
        )
    if picture.format == "MPO":  # a JPEG with further pictures behind it, as telephones make them
        picture.format = "JPEG"
    return picture


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Turns whatever Pillow raises for a picture into one sentence with its file."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"'{where}' cannot be read as a picture: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}, or its beginning is damaged"
    return re.sub(r"<_io\.BytesIO.*?>", "it", str(error) or type(error).__name__).rstrip(". ")
