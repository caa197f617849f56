"""What kt2t's trainer costs: its `fit` against that of `keras.Model`, in one process and in turns of 10 steps.

    python benchmarks/trainer_overhead.py [pairs] [config]

Both sides train KerasHub's layers, of 2 + 2 blocks of width 256 unless `config` names another size of `contestants.py`, on the
same batches with the same optimizer and loss, without a compiler.
"""

import statistics
import sys
from typing import Any

from contestants import SIZES, KerasHub
from measure import in_turns, record, spread


class UnderTrainer(KerasHub):
    """The same layers in a model that inherits from kt2t's Trainer."""

    def kind(self) -> type:
        from kt2t.training.trainer import Trainer

        return type("UnderTrainer", (super().kind(), Trainer), {})


def main(pairs: str = "15", config: str = "small") -> None:
    ours, theirs = (side(SIZES[config], "float32").train(is_watched=True) for side in (UnderTrainer, KerasHub))
    ours(10), theirs(10)

    def mean(steps: Any) -> Any:
        return lambda: statistics.mean(steps(10))

    first, second, ratios = in_turns(mean(ours), mean(theirs), int(pairs))
    found = {"kt2t, ms": round(1000 * first, 1), "Keras, ms": round(1000 * second, 1), "ratio": spread(ratios)}
    cells = {"result": f"{spread(ratios)} times Keras's time"} if config == "small" else {}
    record("trainer_overhead", cells, **{f"{config}": found})


if __name__ == "__main__":
    main(*sys.argv[1:])
