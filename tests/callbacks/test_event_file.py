"""The event file, read back by TensorBoard's own reader."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from kt2t.callbacks.event_file import EventFile

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder):
    events = accumulator.EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0, "scalars": 0})
    return events.Reload()


def png(width, height):
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (width, height), (10, 200, 30)).save(held, "png")
    return held.getvalue()


def test_every_kind_is_read_back(tmp_path):
    file = EventFile(tmp_path / "deep" / "train")
    file.scalars(5, {"loss": 2.5, "learning_rate": 1e-3})
    file.scalars(10, {"loss": 1.25})
    file.image(10, "attention/encoder", png(7, 3))
    file.text(10, "decoded", "| a | ü |\n|---|---|")
    file.close()

    events = read(tmp_path / "deep" / "train")
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [(5, 2.5), (10, 1.25)]
    assert events.Scalars("learning_rate")[0].value == pytest.approx(1e-3)
    picture = events.Images("attention/encoder")[0]
    assert (picture.step, picture.width, picture.height) == (10, 7, 3)
    assert picture.encoded_image_string == png(7, 3)
    assert events.Tensors("decoded")[0].tensor_proto.string_val[0].decode() == "| a | ü |\n|---|---|"
    assert events.SummaryMetadata("decoded").plugin_data.plugin_name == "text"


def test_no_file_before_the_first_value(tmp_path):
    EventFile(tmp_path / "empty").close()
    assert not (tmp_path / "empty").exists()


def test_what_was_written_is_there_without_closing(tmp_path):
    file = EventFile(tmp_path)
    file.scalars(1, {"loss": 3.0})
    assert read(tmp_path).Scalars("loss")[0].value == 3.0
    file.close()


def test_a_restart_forgets_the_steps_it_repeats(tmp_path, monkeypatch):
    clock = iter(range(1_000, 9_000))
    monkeypatch.setattr("time.time", lambda: next(clock))
    killed = EventFile(tmp_path, start=0)
    for step in (10, 20, 30):
        killed.scalars(step, {"loss": 100.0 + step})
    killed.close()
    resumed = EventFile(tmp_path, start=15)
    resumed.scalars(20, {"loss": 20.0})
    resumed.close()
    assert [(p.step, p.value) for p in read(tmp_path).Scalars("loss")] == [(10, 110.0), (20, 20.0)]


class Full(io.RawIOBase):
    """A file on a disk with room for so many bytes."""

    def __init__(self, inner, room):
        self.inner, self.room = inner, room

    def write(self, data):
        taken = self.inner.write(data[: max(self.room - self.inner.tell(), 0)])
        if taken == 0:
            raise OSError(28, "No space left on device")
        return taken

    def seek(self, *place):
        return self.inner.seek(*place)

    def truncate(self, *size):
        return self.inner.truncate(*size)

    def close(self):
        self.inner.close()


def test_a_full_disk_is_told_once_and_leaves_whole_records(tmp_path, caplog):
    file = EventFile(tmp_path)
    file.scalars(1, {"loss": 1.0})
    file._file = Full(file._file, room=file._length + 20)
    for step in range(2, 6):
        file.scalars(step, {"loss": float(step)})
    file._file.room = 10_000
    file.scalars(6, {"loss": 6.0})
    assert len(caplog.messages) == 1 and "No space left on device" in caplog.text
    file.close()
    assert [point.step for point in read(tmp_path).Scalars("loss")] == [1, 6]


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file")
    file = EventFile(tmp_path / "taken" / "train")
    file.scalars(1, {"loss": 1.0})
    file.scalars(2, {"loss": 1.0})
    assert len(caplog.messages) == 1 and "cannot be written" in caplog.text


def test_tensorflow_stays_away(tmp_path):
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from kt2t.callbacks.event_file import EventFile\n"
        f"file = EventFile({str(tmp_path)!r}); file.scalars(1, {{'loss': 1.0}}); file.text(1, 'a', 'b'); file.close()"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert read(tmp_path).Scalars("loss")[0].value == 1.0


def test_files_sort_in_the_order_in_which_they_were_begun(tmp_path):
    """TensorBoard reads them by name, and drops what a later file repeats; a hundred of them fall into one second."""
    begun = []
    for step in range(110):
        events = EventFile(tmp_path)
        events.scalars(step, {"loss": 1.0})
        events.close()
        begun.append(events.path.name)
    assert sorted(begun) == begun
