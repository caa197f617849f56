"""Learning rates against the numbers of Tensor2Tensor (utils/learning_rate.py)."""

from __future__ import annotations

import json

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


def check(golden, name, schedule, **tolerance):
    numbers = golden("util_learning_rate")
    found = [float(schedule(int(step))) for step in numbers["in/steps"]]
    np.testing.assert_allclose(found, numbers[f"out/{name}"], **{"rtol": 2e-6, "atol": 1e-7, **tolerance})


def meta(golden):
    return json.loads(str(golden("util_learning_rate")["meta"]))["hparams"]


FACTORS = """constant linear_warmup linear_decay cosdecay single_cycle_cos_decay multi_cycle_cos_decay rsqrt_decay
    rsqrt_normalized_decay exp_decay exp_decay_staircase rsqrt_hidden_size""".split()
SETS = """transformer_base transformer_base_v1 transformer_base_v2 transformer_tpu transformer_big
    transformer_base_single_gpu transformer_big_tpu transformer_tall_pretrain_lm transformer_librispeech
    transformer_prepend transformer_parsing_base evolved_transformer_base resnet_50 shakeshake_small bytenet_base
    neural_gpu""".split()


@pytest.mark.parametrize("name", FACTORS)
def test_factor(golden, name):
    check(golden, f"factor_{name}", factor(name, meta(golden)["factor_hparams"]))


# Upstream raises a rounded float32 to a power of thousands: its warm-up is off by up to 9e-5.
@pytest.mark.parametrize("scheme", ["none", "exp", "cosine", "sqrt", "noam"])
def test_legacy(golden, scheme):
    check(golden, f"legacy_{scheme}", legacy(scheme, meta(golden)["legacy_hparams"], 0.2), rtol=2e-4)


def test_legacy_piecewise(golden):
    check(golden, "legacy_piecewise", legacy("piecewise", meta(golden)["legacy_hparams"], 0.2), rtol=2e-4)


def test_legacy_noam_with_adam_is_five_hundred_times_lower(golden):
    check(golden, "legacy_noam_adam", legacy("noam", meta(golden)["legacy_hparams"], 0.2 * 0.002), rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", SETS)
def test_named_set(golden, name):
    options = meta(golden)[f"set_{name}"]
    if options["learning_rate_schedule"] == "legacy":
        rate = options["learning_rate"] * (0.002 if "adam" in options["optimizer"] else 1.0)
        schedule = legacy(options["learning_rate_decay_scheme"], options, rate)
    else:
        schedule = Product([factor(one, options) for one in options["learning_rate_schedule"].split("*")])
    check(golden, f"set_{name}", schedule, rtol=2e-4, atol=1e-9)


def test_product_over_four_steps_a_count(golden):
    options = meta(golden)["factor_hparams"]
    factors = [factor(one, options) for one in ("constant", "linear_warmup", "rsqrt_decay")]
    check(golden, "product_multistep4", Product(factors, steps_per_count=4))
