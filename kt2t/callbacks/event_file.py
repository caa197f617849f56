"""Writes TensorBoard event files without TensorFlow."""

from __future__ import annotations

import io
import logging
import os
import socket
import struct
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

_serial = count()
logger = logging.getLogger("kt2t")


class EventFile:
    """A TensorBoard event file, to which scalars, pictures and texts are written.

    The first value creates the file. Each call writes to the file at once, so that a killed process loses no earlier
    values. If the disk is full, the value is dropped, the file is cut back to its last whole record, and training
    continues with one warning in the log.

    TensorBoard's own `EventFileWriter` is not used: its thread dies on a full disk, and with tensorflow installed it
    writes through TensorFlow, which then loses events silently.

    Args:
        folder: Folder of the file; created if missing. TensorBoard shows the files of a folder as one run.
        start: The step after which training continues: TensorBoard then drops later steps that earlier files of the
            folder hold. None drops no steps.
    """

    def __init__(self, folder: str | Path, start: int | None = None) -> None:
        self.folder = Path(folder)
        self.path: Path | None = None
        self._start = start
        self._file: Any = None
        self._length = 0
        self._warned = False

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes a point at `step` for each curve in `values`, a dict from the curve's tag to its value."""
        summary = _protos()["Summary"]
        points = [summary.Value(tag=tag, simple_value=float(value)) for tag, value in values.items()]
        if points:
            self._add(step=step, summary=summary(value=points))

    def image(self, step: int, tag: str, png: bytes) -> None:
        """Writes a picture at `step` under a tag; `png` is the content of a PNG file."""
        summary = _protos()["Summary"]
        width, height = struct.unpack(">II", png[16:24])
        picture = summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
        self._add(step=step, summary=summary(value=[summary.Value(tag=tag, image=picture)]))

    def text(self, step: int, tag: str, markdown: str) -> None:
        """Writes a text in Markdown at `step` under a tag."""
        from tensorboard.compat.proto import tensor_pb2, types_pb2
        from tensorboard.plugins.text.metadata import create_summary_metadata

        summary = _protos()["Summary"]
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[markdown.encode()])
        value = summary.Value(tag=tag, tensor=tensor, metadata=create_summary_metadata(tag, None))
        self._add(step=step, summary=summary(value=[value]))

    def close(self) -> None:
        """Closes the file. The next value that is written creates a new file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, **fields: Any) -> None:
        try:
            if self._file is None:
                self._open()
            if self._length == 0:
                self._put(self._opening())
            self._put(_record(**fields))
        except OSError as error:
            self._tell(error)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = f"{time.time():017.6f}"  # TensorBoard reads files in the order of their names, and several begin in one second
        name = f"events.out.tfevents.{begun}.{socket.gethostname()}.{os.getpid()}.{next(_serial):06d}"
        self.path = self.folder / name
        self._file = self.path.open("wb", buffering=0)
        self._length = 0

    def _opening(self) -> bytes:
        log = _protos()["SessionLog"]
        record = _record(file_version="brain.Event:2")
        if self._start is not None:
            record += _record(step=self._start + 1, session_log=log(status=log.START))
        return record

    def _put(self, record: bytes) -> None:
        try:
            written = self._file.write(record)
            if written < len(record):
                self._file.write(record[written:])
        except OSError:
            self._file.seek(self._length)
            self._file.truncate()
            raise
        self._length += len(record)

    def _tell(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s: TensorBoard's events cannot be written (%s). Training goes on without them; make room and they are "
                "written again.",
                self.folder,
                error.strerror or error,
            )


def _record(**fields: Any) -> bytes:
    """Encodes an event as a record of an event file: length, checksum, event, checksum."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    held = io.BytesIO()
    RecordWriter(held).write(_protos()["Event"](wall_time=time.time(), **fields).SerializeToString())
    return held.getvalue()


def _protos() -> dict[str, Any]:
    from tensorboard.compat.proto import event_pb2, summary_pb2

    return {"Event": event_pb2.Event, "SessionLog": event_pb2.SessionLog, "Summary": summary_pb2.Summary}
