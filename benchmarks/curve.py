"""Prints a run's validation scores over steps and minutes of wall time since the run began, from its event files.

python benchmarks/curve.py RUN [tag]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main(run: Path, tag: str) -> None:
    events = EventAccumulator(str(run / "tensorboard" / "validation"))
    events.Reload()
    train = EventAccumulator(str(run / "tensorboard" / "train"), size_guidance={"tensors": 0})
    train.Reload()
    begin = min(event.wall_time for name in train.Tags()["tensors"] for event in train.Tensors(name))
    for event in events.Scalars(tag):
        minutes = (event.wall_time - begin) / 60
        print(json.dumps({"step": event.step, "minutes": round(minutes, 1), tag: round(event.value, 2)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "bleu")
