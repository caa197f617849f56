"""Values of fields for scores and for people, chosen by the kind of the field.

Every function here is a `functools.singledispatch` on the feature. A new kind of feature registers its own, such as
`decode_value.register(MyFeature)`; without that its values are arrays, shown as numbers. `vocabulary` is what the problem's
`vocabularies()` has for the field: for Text it turns ids into text, for Label, Tags and MultiLabel it has the `names` of the
classes; with None, ids are shown.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kt2t.data.pictures import png, read_picture
from kt2t.data.sounds import read_sound, wav
from kt2t.errors import DataError
from kt2t.features import Audio, Encoded, Feature, Image, Label, MultiLabel, Numbers, Tags, Text
from kt2t.options import nearest

SHOWN = 8  # numbers of an array that are written out


@functools.singledispatch
def decode_value(feature: Feature, value: Any, vocabulary: Any = None) -> Any:
    """Decodes an array to the value that scores compare: a text, the name of a class, a list of names; otherwise the array."""
    return np.asarray(value)


@functools.singledispatch
def read_value(feature: Feature, text: str, vocabulary: Any = None) -> Any:
    """Turns what a person types for a field into a raw value: a line of text, the path of a picture or recording, numbers.

    Raises:
        DataError: The text or the file does not fit the field.
    """
    return text


@functools.singledispatch
def write_value(feature: Feature, value: Any) -> str:
    """Formats a decoded value as text: the text or names themselves, or a short description of a picture or sound."""
    array = np.asarray(value)
    shown = " ".join(f"{one:.4g}" for one in array.reshape(-1)[:SHOWN].tolist())
    return shown if array.size <= SHOWN else f"{shown} … ({array.size:,} numbers)"


@functools.singledispatch
def tell_value(feature: Feature, value: Any) -> str | bytes:
    """Renders a decoded value for a person: text, the bytes of a PNG file of a picture, or of a wav file of a sound."""
    return write_value(feature, value)


@functools.singledispatch
def is_read_from_file(feature: Feature) -> bool:
    """Returns whether a person gives the path of a file for the field, not the value itself."""
    return False


@functools.singledispatch
def views_for(feature: Feature) -> tuple[str, ...]:
    """Names the views in `kt2t.callbacks` that TensorBoard shows for a field, besides decoded samples and attention."""
    return ()


# Text


@decode_value.register
def _(feature: Text, value: Any, vocabulary: Any = None) -> str:
    ids = [int(one) for one in np.atleast_1d(np.asarray(value))]
    return " ".join(map(str, ids)) if vocabulary is None else vocabulary.decode(ids)


@write_value.register(Text)
@write_value.register(Label)
def _(feature: Feature, value: Any) -> str:
    return str(value)


# Classes


@decode_value.register
def _(feature: Label, value: Any, vocabulary: Any = None) -> str:
    return _name(int(np.asarray(value).reshape(-1)[0]), _names(vocabulary))


@read_value.register
def _(feature: Label, text: str, vocabulary: Any = None) -> int:
    return _number(text.strip(), _names(vocabulary), feature.num_classes)


@views_for.register(Label)
@views_for.register(Tags)
def _(feature: Feature) -> tuple[str, ...]:
    return ("Confusion",)


@decode_value.register
def _(feature: Tags, value: Any, vocabulary: Any = None) -> list[str]:
    names = _names(vocabulary)
    ids = [int(one) for one in np.asarray(value).reshape(-1) if one]
    return [str(one) if names is None else _name(one - 1, names) for one in ids]


@read_value.register
def _(feature: Tags, text: str, vocabulary: Any = None) -> list[str]:
    return text.split()


@write_value.register
def _(feature: Tags, value: Any) -> str:
    return " ".join(value)


@decode_value.register
def _(feature: MultiLabel, value: Any, vocabulary: Any = None) -> list[str]:
    names = _names(vocabulary)
    return [_name(int(place), names) for place in np.flatnonzero(np.asarray(value) > 0.5)]


@read_value.register
def _(feature: MultiLabel, text: str, vocabulary: Any = None) -> np.ndarray:
    value = np.zeros(feature.num_classes, np.float32)
    for name in filter(None, (part.strip() for part in text.split(","))):
        value[_number(name, _names(vocabulary), feature.num_classes)] = 1
    return value


@write_value.register
def _(feature: MultiLabel, value: Any) -> str:
    return ", ".join(value)


# Numbers


@read_value.register
def _(feature: Numbers, text: str, vocabulary: Any = None) -> np.ndarray:
    words = text.replace(",", " ").split()
    try:
        value = np.array([float(word) for word in words], np.float32)
    except ValueError as error:
        raise DataError(f"{text!r} is not a row of numbers: {error}. Write them with spaces between.") from None
    if len(value) != feature.size:
        raise DataError(f"{text!r} has {len(value)} numbers where {feature!r} takes {feature.size}.")
    return value


# Pictures


@read_value.register
def _(feature: Image, text: str, vocabulary: Any = None) -> np.ndarray:
    return read_picture(text, feature.height, feature.width, feature.channels)


@write_value.register
def _(feature: Image, value: Any) -> str:
    height, width, channels = np.asarray(value).shape
    return f"<{height}×{width}×{channels} picture>"


@tell_value.register
def _(feature: Image, value: Any) -> bytes:
    return png(value)


@views_for.register
def _(feature: Image) -> tuple[str, ...]:
    return ("Pictures",)


# Sounds


@read_value.register
def _(feature: Audio, text: str, vocabulary: Any = None) -> np.ndarray:
    return read_sound(text, feature.rate)


@write_value.register
def _(feature: Audio, value: Any) -> str:
    return f"<{np.asarray(value).shape[0] / feature.rate:.2f} s of sound>"


@tell_value.register
def _(feature: Audio, value: Any) -> bytes:
    return wav(value, feature.rate)


# Files


@read_value.register
def _(feature: Encoded, text: str, vocabulary: Any = None) -> bytes:
    try:
        with open(text, "rb") as file:
            return file.read()
    except OSError as error:
        raise DataError(f"'{text}' cannot be read: {error.strerror or error}.") from None


@write_value.register
def _(feature: Encoded, value: Any) -> str:
    size = len(value) if isinstance(value, bytes) else np.asarray(value).size
    return f"<file of {size:,} bytes>"


@tell_value.register
def _(feature: Encoded, value: Any) -> bytes:
    return value if isinstance(value, bytes) else np.asarray(value, np.uint8).tobytes()


@is_read_from_file.register(Image)
@is_read_from_file.register(Audio)
@is_read_from_file.register(Encoded)
def _(feature: Feature) -> bool:
    return True


def _names(vocabulary: Any) -> Sequence[str] | None:
    return getattr(vocabulary, "names", None)


def _name(number: int, names: Sequence[str] | None) -> str:
    return names[number] if names is not None and 0 <= number < len(names) else str(number)


def _number(name: str, names: Sequence[str] | None, count: int) -> int:
    if names is not None and name in names:
        return list(names).index(name)
    if name.isdecimal() and int(name) < count:
        return int(name)
    known = nearest(name, names) if names is not None else ""
    raise DataError(f"{name!r} is none of the {count} classes. {known}".rstrip())
