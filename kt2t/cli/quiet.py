"""Imports keras and its backend without the messages that their C++ code prints."""

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
    """Imports keras and removes its backend's start-up messages from stderr. Everything else that is printed stays.

    Args:
        operation: Whether to run a first operation, so that its messages are removed too. Not with several workers:
            they must connect before the first operation.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_greetings():
        import keras

        if operation:
            keras.ops.zeros(())
    # Decoding makes one graph for each of a few widths. TensorFlow takes this for a mistake and warns.
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
