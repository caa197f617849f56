"""Converts Tensor2Tensor's learning rates to nodes of our schedules.

Source: Tensor2Tensor, utils/learning_rate.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kt2t.errors import RecipeError
from kt2t.options import nearest

Hparams = Mapping[str, Any]
Node = dict[str, Any]

READ = frozenset({
    "learning_rate", "learning_rate_constant", "learning_rate_cosine_cycle_steps", "learning_rate_decay_rate",
    "learning_rate_decay_scheme", "learning_rate_decay_staircase", "learning_rate_decay_steps", "learning_rate_minimum",
    "learning_rate_schedule", "learning_rate_warmup_steps",
})  # fmt: skip

FACTORS: dict[str, Callable[[Hparams], Node]] = {
    "constant": lambda h: {"type": "Constant", "value": float(h.get("learning_rate_constant", 1.0))},
    "linear_warmup": lambda h: {"type": "LinearWarmup", "steps": _warmup(h)},
    "linear_decay": lambda h: {"type": "LinearToZero", "steps": _steps(h), "decay_steps": _decay_steps(h)},
    "cosdecay": lambda h: {"type": "DelayedCosine", "half_period": _decay_steps(h), "warmup": _warmup(h)},
    "single_cycle_cos_decay": lambda h: {
        "type": "CosineCycles", "half_period": _steps(h) - _warmup(h), "warmup": _warmup(h)
    },
    "multi_cycle_cos_decay": lambda h: {"type": "CosineCycles", "half_period": _decay_steps(h), "warmup": _warmup(h)},
    "rsqrt_decay": lambda h: {"type": "ReciprocalSquareRoot", "warmup": _warmup(h)},
    "rsqrt_normalized_decay": lambda h: {"type": "ReciprocalSquareRoot", "warmup": _warmup(h), "normalized": True},
    "exp_decay": lambda h: _exponential(h),
    "rsqrt_hidden_size": lambda h: {"type": "HiddenDim", "hidden_dim": h["hidden_size"]},
}  # fmt: skip

# The decay after the exponential warm-up of legacy schemes. No hparams set of the Transformer uses cyclic or piecewise ones.
LEGACY: dict[str, Callable[[Hparams], Node | None]] = {
    "none": lambda h: None,
    "exp": lambda h: _exponential(h),
    "cosine": lambda h: {"type": "CosineCycles", "half_period": int(h["learning_rate_cosine_cycle_steps"])},
    "sqrt": lambda h: {
        "type": "Product",
        "factors": [
            {"type": "Constant", "value": 500.0}, {"type": "ReciprocalSquareRoot", "warmup": 1, "start": _warmup(h)}
        ],
    },
}  # fmt: skip


def schedule(hparams: Hparams) -> Node:
    """Returns the node of the learning rate schedule that Tensor2Tensor's hparams describe.

    Raises:
        RecipeError: kt2t does not have the scheme or one of the factors, or an option that it needs is missing.
    """
    words = str(hparams.get("learning_rate_schedule") or "legacy").replace(" ", "")
    if hparams.get("learning_rate_minimum"):
        raise RecipeError(f"learning_rate_minimum = {hparams['learning_rate_minimum']} needs a schedule with a floor")
    try:
        if words == "legacy":
            return _legacy(hparams)
        factors = [_made(word, hparams) for word in words.split("*")]
    except KeyError as error:
        raise RecipeError(f"{error.args[0]} is missing, and the learning rate {words!r} needs it") from None
    return {"type": "Product", "factors": factors}


def _made(word: str, hparams: Hparams) -> Node:
    if word not in FACTORS:
        raise RecipeError(f"learning_rate_schedule: {word!r} is unknown. {nearest(word, FACTORS)}".rstrip(" ?."))
    return FACTORS[word](hparams)


def _legacy(hparams: Hparams) -> Node:
    """Converts an old scheme without factors. If the optimizer's name contains `adam`, the rate is multiplied by 0.002."""
    scheme = hparams.get("learning_rate_decay_scheme") or "none"
    rate = float(hparams["learning_rate"]) * (0.002 if "adam" in str(hparams.get("optimizer", "adam")) else 1.0)
    if scheme == "noam":
        return {
            "type": "Noam",
            "hidden_dim": hparams["hidden_size"],
            "warmup": _warmup(hparams),
            "scale": 5000.0 * rate,
        }
    if scheme not in LEGACY:
        raise RecipeError(f"learning_rate_decay_scheme = {scheme!r} needs that schedule")
    warmup: Node = {"type": "ExponentialWarmup", "steps": _warmup(hparams)}
    if after := LEGACY[scheme](hparams):
        warmup["after"] = after
    return {"type": "Product", "factors": [{"type": "Constant", "value": rate}, warmup]}


def _exponential(hparams: Hparams) -> Node:
    return {
        "type": "DelayedExponential",
        "rate": float(hparams.get("learning_rate_decay_rate", 1.0)),
        "decay_steps": _decay_steps(hparams),
        "warmup": _warmup(hparams),
        "staircase": bool(hparams.get("learning_rate_decay_staircase", False)),
    }


def _warmup(hparams: Hparams) -> int:
    return int(hparams["learning_rate_warmup_steps"])


def _decay_steps(hparams: Hparams) -> int:
    return int(hparams["learning_rate_decay_steps"])


def _steps(hparams: Hparams) -> int:
    return int(hparams["train_steps"])
