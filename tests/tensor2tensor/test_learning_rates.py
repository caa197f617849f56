import json

import numpy as np
import pytest

from kt2t.errors import RecipeError
from kt2t.registry import build
from kt2t.tensor2tensor.learning_rates import FACTORS, schedule

RATES = {"hidden_size": 512, "learning_rate": 0.2, "learning_rate_warmup_steps": 8000, "learning_rate_constant": 2.0}


def rate(hparams, step):
    return float(build(schedule(hparams), "learning_rate")(step))


def check(numbers, name, hparams, **tolerance):
    found = [rate(hparams, int(step)) for step in numbers["in/steps"]]
    np.testing.assert_allclose(found, numbers[f"out/{name}"], err_msg=name, **tolerance)


def test_each_factor_is_tensor2tensors(golden):
    numbers = golden("util_learning_rate")
    hparams = json.loads(str(numbers["meta"]))["hparams"]["factor_hparams"]
    for name in FACTORS:
        check(numbers, f"factor_{name}", {**hparams, "learning_rate_schedule": name}, rtol=1e-5, atol=1e-6)


def test_the_rates_of_its_sets_are_tensor2tensors(golden):
    """Upstream raises a rounded float32 to a power of thousands, so its exponential warm-up is off by up to 9e-5."""
    numbers = golden("util_learning_rate")
    sets = {
        name: found for name, found in json.loads(str(numbers["meta"]))["hparams"].items() if name.startswith("set_")
    }
    assert "set_transformer_base" in sets and "set_transformer_base_v1" in sets
    for name, hparams in sets.items():
        check(numbers, name, hparams, rtol=2e-4, atol=1e-9)


def test_a_product_is_read_with_and_without_spaces():
    words = "constant*linear_warmup * rsqrt_decay*rsqrt_hidden_size"
    expected = 2.0 * (100 / 8000) * 8000**-0.5 * 512**-0.5
    assert rate({**RATES, "learning_rate_schedule": words}, 100) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "scheme", "step", "expected"),
    [
        ("adam", "noam", 99, 5000 * 0.2 * 0.002 * 512**-0.5 * 100 * 8000**-1.5),
        ("Adafactor", "noam", 99, 5000 * 0.2 * 512**-0.5 * 100 * 8000**-1.5),
        ("adam", "none", 4000, 0.2 * 0.002 * 0.01**0.5),
        ("adam", "sqrt", 8400, 0.2 * 0.002 * 500 / 20),
    ],
)
def test_the_legacy_rate(optimizer, scheme, step, expected):
    hparams = {**RATES, "optimizer": optimizer, "learning_rate_decay_scheme": scheme}
    assert rate(hparams, step) == pytest.approx(expected, rel=1e-5)
    assert schedule(hparams) == schedule({**hparams, "learning_rate_schedule": "legacy"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate_schedule": "constant*rsqrt_dekay"}, "'rsqrt_dekay' is unknown. Did you mean 'rsqrt_decay'"),
        ({"learning_rate_schedule": "linear_decay"}, "train_steps is missing"),
        ({"learning_rate_decay_scheme": "cyclelinear10x"}, "'cyclelinear10x' needs that schedule"),
        ({"learning_rate_minimum": 1e-5}, "learning_rate_minimum = 1e-05 needs a schedule with a floor"),
    ],
)
def test_what_is_not_built_is_named(changes, message):
    with pytest.raises(RecipeError, match=message):
        schedule({**RATES, **changes})
