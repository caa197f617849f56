"""kill -9 at random moments: does a run end as if nothing had happened?

    python -m tests.campaigns.kills --kills 200 --inside-saves 60 [--strategy none|mirrored|multi_worker] [--seed 0]
                                    [--folder DIR] [--steps 240] [--within 2] [--model toy]

Kills a small run again and again, each time starting it anew with the same command and nothing else, until it is finished; then
begins another. Prints a line for each kill and each finished run. A kill counts as inside a save if what was being written
aside is still there. Every checkpoint is compared with that of an undisturbed run after each kill; at the end of a run its
weights, slots, figures, best step, evaluation and TensorBoard curves as well. Status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .campaign import MODELS, Campaign, Started, differing_checkpoints, differing_ends, end, workers_of


@dataclass
class Killed:
    """One kill: which process, when, and what it was writing."""

    process: int
    seconds: float
    writing: list[str]


class Killer:
    """Chooses the moments."""

    def __init__(self, run: Path, chance: random.Random, seconds: float, within: float) -> None:
        self.checkpoints = run / "checkpoints"
        self.chance = chance
        self.start_up = seconds
        self.within = within

    def kill(self, started: Started, inside: bool) -> Killed | None:
        """Kills a process of the run, inside a save if it can; None if the run was finished before that."""
        moment = self._inside(started) if inside else self._anywhere(started)
        if not moment:
            return None
        known = workers_of(started)
        process = self.chance.choice(known) if known else started.process
        seconds = time.monotonic() - started.since
        if started.poll() is not None or not end(process):
            return None
        if not known:
            started.wait()
        time.sleep(0.05 if known else 0)
        return Killed(process, seconds, [path.name for path in self._asides(process)])

    def _inside(self, started: Started) -> bool:
        for _ in range(self.chance.randint(0, 7)):
            if not self._until(started, self._is_saving) or not self._until(started, lambda: not self._is_saving()):
                return False
        if not self._until(started, self._is_saving):
            return False
        time.sleep(self.chance.uniform(0, 0.03))
        return True

    def _anywhere(self, started: Started) -> bool:
        if self.chance.random() < 0.2:
            return self._for(started, self.chance.uniform(0, self.start_up))
        before = self._names()
        if not self._until(started, lambda: self._names() != before):
            return False
        self.start_up = time.monotonic() - started.since
        return self._for(started, self.chance.uniform(0, self.within))

    def _until(self, started: Started, said: Callable[[], bool]) -> bool:
        while started.poll() is None:
            if said():
                return True
            time.sleep(0.0005)
        return False

    def _for(self, started: Started, seconds: float) -> bool:
        last = time.monotonic() + seconds
        return self._until(started, lambda: time.monotonic() > last)

    def _is_saving(self) -> bool:
        return any(self._asides())

    def _names(self) -> set[str]:
        return {path.name for path in self.checkpoints.glob("step-*")}

    def _asides(self, process: int | None = None) -> list[Path]:
        return list(self.checkpoints.glob(f".*-{process if process else '*'}"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--inside-saves", type=int, default=60, help="How many of them at least.")
    parser.add_argument("--strategy", choices=("none", "mirrored", "multi_worker"), default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=240, help="Of a run; every fourth is saved.")
    parser.add_argument("--within", type=float, default=2.0, help="Seconds from a new checkpoint to the kill, at most.")
    parser.add_argument("--model", choices=MODELS, default="transformer")
    parser.add_argument("--folder", type=Path, help="A temporary one, removed at the end, by default.")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="kt2t-kills-"))
    campaign = Campaign(folder, asked.strategy, steps=asked.steps, every=4, model=asked.model)
    chance = random.Random(asked.seed)
    began = time.monotonic()
    whole = campaign.whole()
    print(f"the undisturbed run took {time.monotonic() - began:.0f} s", flush=True)
    kills = inside = runs = wrong = 0
    while kills < asked.kills or inside < asked.inside_saves:
        run = folder / f"killed-{runs}"
        killer = Killer(run, chance, 8.0, asked.within)
        started = campaign.start(run)
        while started.poll() is None:
            done = kills >= asked.kills and inside >= asked.inside_saves
            wanted = inside < asked.inside_saves and chance.random() < max(0.5, asked.inside_saves / asked.kills)
            killed = None if done else killer.kill(started, wanted)
            if killed is None:
                started.wait()
                break
            kills += 1
            inside += bool(killed.writing)
            differing = [] if started.status is None else differing_checkpoints(run, whole)
            wrong += bool(differing)
            where = f"inside a save ({', '.join(killed.writing)})" if killed.writing else "elsewhere"
            told = f"DIFFERS: {differing}" if differing else "as undisturbed"
            print(f"kill {kills}, run {runs}, after {killed.seconds:.2f} s, {where}: {told}", flush=True)
            if started.status is not None:
                started = campaign.start(run)
            else:
                time.sleep(3)  # `launch` notices by itself and starts all workers again
        differing = [f"status {started.status}"] if started.status else differing_ends(run, whole)
        wrong += bool(differing)
        print(
            f"run {runs} ended: {'DIFFERS: ' + '; '.join(differing[:5]) if differing else 'bit-identical'}", flush=True
        )
        if differing:
            print(f"see {run} and {campaign.log}", flush=True)
        else:
            shutil.rmtree(run)
        runs += 1
        if started.status:
            break
    minutes = (time.monotonic() - began) / 60
    print(
        f"{kills} kills, {inside} inside a save, {runs} runs on {asked.strategy} in {minutes:.1f} min: {wrong} differ"
    )
    if not asked.folder and not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
