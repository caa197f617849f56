"""Refuses text that is no Unicode text: half of a surrogate pair, as cut JSON escapes leave it."""

from __future__ import annotations

from kt2t.errors import DataError

_AROUND = 20  # characters shown on each side of the fault


def fault(text: str) -> str | None:
    """Says why a text cannot be written as UTF-8; None if it can."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = ascii(text[max(0, error.start - _AROUND) : error.start + _AROUND])
        return (
            f"character {error.start + 1} is U+{ord(text[error.start]):04X}, half of a surrogate pair, in {shown}. "
            "Write the whole character, or take it out."
        )
    return None


def checked(text: str) -> str:
    """Returns the text if it can be written as UTF-8.

    Raises:
        DataError: It holds half of a surrogate pair, so that it cannot be written as UTF-8.
    """
    if reason := fault(text):
        raise DataError(reason)
    return text
