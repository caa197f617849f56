"""Imports keras and its backend without what their C++ code prints on the way."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_GREETING = re.compile(
    rb"(I|W)\d{4} \d\d:\d\d:|[IW]0000 |WARNING: All log messages before absl|\d{4}-\d\d-\d\d .*: [IW] "
)


def import_keras(operation: bool = True) -> None:
    """Imports keras, with the greetings of its backend left out of stderr; everything else that is printed stays.

    Args:
        operation: Whether to let the backend greet at its first operation; workers must have met before there is any.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_greetings():
        import keras

        if operation:
            keras.ops.zeros(())
    # Decoding makes a graph for each of a few widths, which TensorFlow takes for a mistake and warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _without_greetings() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            aside.seek(0)
            rest = b"".join(line for line in aside if not _GREETING.match(line))
            if rest:
                os.write(2, rest)
