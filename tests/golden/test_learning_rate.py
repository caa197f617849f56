"""Learning rates against the numbers of Tensor2Tensor (utils/learning_rate.py)."""

from __future__ import annotations

import numpy as np
import pytest
from keras.optimizers.schedules import PiecewiseConstantDecay

from kt2t.training.decays import CosineCycles, DelayedCosine, DelayedExponential, LinearToZero
from kt2t.training.schedules import (
    Constant,
    ExponentialWarmup,
    HiddenDim,
    LinearWarmup,
    Noam,
    Product,
    ReciprocalSquareRoot,
)


def factor(name, options, staircase=False):
    warmup, decay = options["learning_rate_warmup_steps"], options["learning_rate_decay_steps"]
    made = {
        "constant": lambda: Constant(options["learning_rate_constant"]),
        "linear_warmup": lambda: LinearWarmup(warmup),
        "linear_decay": lambda: LinearToZero(options["train_steps"], decay),
        "cosdecay": lambda: DelayedCosine(decay, warmup),
        "single_cycle_cos_decay": lambda: CosineCycles(options["train_steps"] - warmup, warmup),
        "multi_cycle_cos_decay": lambda: CosineCycles(decay, warmup),
        "rsqrt_decay": lambda: ReciprocalSquareRoot(warmup),
        "rsqrt_normalized_decay": lambda: ReciprocalSquareRoot(warmup, normalized=True),
        "exp_decay": lambda: DelayedExponential(options["learning_rate_decay_rate"], decay, warmup),
        "exp_decay_staircase": lambda: DelayedExponential(options["learning_rate_decay_rate"], decay, warmup, True),
        "rsqrt_hidden_size": lambda: HiddenDim(options["hidden_size"]),
    }
    return made[name]()


def legacy(scheme, options, rate):
    warmup = options["learning_rate_warmup_steps"]
    if scheme == "noam":
        return Noam(options["hidden_size"], warmup, scale=5000 * rate)
    decay = options["learning_rate_decay_steps"]
    after = {
        "none": lambda: None,
        "exp": lambda: DelayedExponential(options.get("learning_rate_decay_rate", 1.0), decay, warmup),
        "piecewise": lambda: PiecewiseConstantDecay(
            options["learning_rate_boundaries"], [1.0, *options["learning_rate_multiples"]]
        ),
        "cosine": lambda: CosineCycles(options["learning_rate_cosine_cycle_steps"]),
        "sqrt": lambda: Product([Constant(500.0), ReciprocalSquareRoot(1, start=warmup)]),
    }
    return Product([Constant(rate), ExponentialWarmup(warmup, after=after[scheme]())])


def check(case, name, schedule, **tolerance):
    found = [float(schedule(int(step))) for step in case["in/steps"]]
    np.testing.assert_allclose(found, case[f"out/{name}"], **{"rtol": 2e-6, "atol": 1e-7, **tolerance})


pytestmark = pytest.mark.cases("util_learning_rate")


@pytest.mark.outputs("factor_")
def test_factor(case, meta, name):
    check(case, name, factor(name.removeprefix("factor_"), meta["hparams"]["factor_hparams"]))


# Upstream raises a rounded float32 to a power of thousands: its warm-up is off by up to 9e-5. With Adam it takes 0.002 of
# the rate.
@pytest.mark.outputs("legacy_")
def test_legacy(case, meta, name):
    scheme = name.removeprefix("legacy_").removesuffix("_adam")
    options = meta["hparams"]["legacy_hparams"]
    rate = options.get("learning_rate", 0.2) * (0.002 if name.endswith("_adam") else 1.0)
    check(case, name, legacy(scheme, options, rate), rtol=2e-4, atol=1e-7 if rate > 0.01 else 0)


@pytest.mark.outputs("set_")
def test_named_set(case, meta, name):
    options = meta["hparams"][name]
    if options["learning_rate_schedule"] == "legacy":
        rate = options["learning_rate"] * (0.002 if "adam" in options["optimizer"] else 1.0)
        schedule = legacy(options["learning_rate_decay_scheme"], options, rate)
    else:
        schedule = Product([factor(one, options) for one in options["learning_rate_schedule"].split("*")])
    check(case, name, schedule, rtol=2e-4, atol=1e-9)


@pytest.mark.outputs("product_multistep")
def test_product_over_several_steps_a_count(case, meta, name):
    options = meta["hparams"]["factor_hparams"]
    factors = [factor(one, options) for one in ("constant", "linear_warmup", "rsqrt_decay")]
    check(case, name, Product(factors, steps_per_count=int(name.removeprefix("product_multistep"))))
