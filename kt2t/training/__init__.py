"""Training: the trainers behind `compile` and `fit`, schedules, optimizers, strategies and checkpoints."""

from kt2t.registry import exports

TABLE = {
    "Adam": "optimizers.adam",
    "ClippedAdamax": "optimizers.clipped_adamax",
    "Constant": "schedules",
    "CosineCycles": "decays",
    "CosineToZero": "decays",
    "DelayedCosine": "decays",
    "DelayedExponential": "decays",
    "ExponentialWarmup": "schedules",
    "HiddenDim": "schedules",
    "LinearCycles": "decays",
    "LinearToZero": "decays",
    "LinearWarmup": "schedules",
    "Noam": "schedules",
    "Product": "schedules",
    "ReciprocalSquareRoot": "schedules",
    "ScheduledSampling": "feeds.scheduled_sampling",
    "SymbolDropout": "feeds.symbol_dropout",
    "strategy_scope": "strategies",
}
__getattr__, __dir__ = exports(__name__, TABLE)
