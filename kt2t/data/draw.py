"""Random numbers for one example in one epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draw:
    """Identifies one example in one epoch of one run. All its random choices depend on nothing else.

    So an augmentation gives the same result with any number of threads, replicas and workers, and after a restart.

    Attributes:
        seed: Seed of the run.
        epoch: Number of the pass through the data, from 0.
        index: The number of the record in its split, from 0.
    """

    seed: int
    epoch: int
    index: int

    def generator(self) -> np.random.Generator:
        """Returns a new random generator; every call returns one in the same state."""
        return np.random.default_rng([self.seed, self.epoch, self.index])
