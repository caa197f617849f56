"""SIGTERM at random moments of training: is the last finished step saved, and how soon does the run end?

    python -m tests.campaigns.signals --signals 100 [--workers 2] [--seed 0] [--folder DIR]

Stops a small run again and again, each time going on with the same command, until it is finished; then begins another. With
two workers one of them gets the signal, or `kt2t launch`. Prints a line for each signal: the status (143), the saved step,
which must be the last one that any worker finished, also where the run was in its last evaluation, and the seconds to the
end. A finished run must have the weights and slots of an undisturbed one. Status 1 if anything else happens, or if one took
more than five seconds.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from kt2t.training.checkpoints import saved
from kt2t.training.manifest import read_manifest, verify

from .campaign import Campaign, Started, end, workers_of

LIMIT = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--workers", type=int, choices=(1, 2), default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="A temporary one, removed at the end, by default.")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="kt2t-signals-"))
    campaign = Campaign(folder, "none" if asked.workers == 1 else "multi_worker", steps=2000, every=100)
    chance = random.Random(asked.seed)
    began = time.monotonic()
    whole = campaign.whole()
    print(f"the undisturbed run took {time.monotonic() - began:.0f} s", flush=True)
    count = runs = wrong = 0
    times: list[float] = []
    while count < asked.signals:
        run = folder / f"stopped-{runs}"
        while True:
            notes = folder / "steps"
            for old in folder.glob("steps-*"):
                old.unlink()
            started = campaign.start(run, steps=notes)
            if count >= asked.signals or not _until_training(started, notes, chance):
                break
            known = workers_of(started)
            process = chance.choice([started.process, *known])
            at = time.monotonic()
            if not end(process, signal.SIGTERM):
                break
            status = started.wait()
            if status == 0:  # it was past its last step
                break
            took = time.monotonic() - at
            times.append(took)
            count += 1
            finished = max(_steps(file)[-1] for file in folder.glob("steps-*"))
            kept = int(saved(run / "checkpoints")[-1].name[5:])
            good = status == 143 and kept == finished and took <= LIMIT
            wrong += not good
            told = "as it should" if good else f"WRONG: status {status}, last finished step {finished}"
            print(f"signal {count}, run {runs}: step {kept} saved, ended after {took:.2f} s: {told}", flush=True)
        status = started.wait()
        same = status == 0 and _arrays(run) == _arrays(whole)
        wrong += not same
        print(f"run {runs} ended: {'bit-identical' if same else f'DIFFERS (status {status}): see {run}'}", flush=True)
        if not same:
            break
        shutil.rmtree(run)
        runs += 1
    times.sort()
    minutes = (time.monotonic() - began) / 60
    middle = f"{times[len(times) // 2]:.2f} s in the middle, {times[-1]:.2f} s at most" if times else "no times"
    print(f"{count} signals, {asked.workers} workers, {runs} runs in {minutes:.1f} min; {middle}: {wrong} wrong")
    if not asked.folder and not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


def _until_training(started: Started, notes: Path, chance: random.Random) -> bool:
    """Waits for a random moment after the first step; whether the run is still going on."""
    first = notes.with_name(f"{notes.name}-0")
    while not first.exists() or not first.stat().st_size:
        if started.poll() is not None:
            return False
        time.sleep(0.002)
    last = time.monotonic() + chance.uniform(0, 1.5)
    while time.monotonic() < last:
        if started.poll() is not None:
            return False
        time.sleep(0.001)
    return True


def _steps(file: Path) -> list[int]:
    return [int(line.split()[1]) for line in file.read_text().splitlines()] or [0]


def _arrays(run: Path) -> dict[str, str]:
    path = saved(run / "checkpoints")[-1]
    verify(path)
    return {"step": path.name, **{name: file["sha256"] for name, file in read_manifest(path).files.items()}}


if __name__ == "__main__":
    sys.exit(main())
