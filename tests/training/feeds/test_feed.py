"""A change to what a model reads that somebody else has written."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.registry import register
from kt2t.training.feeds.feed import Feed
from kt2t.training.trainer import Trainer


@register
class Twice(Feed):
    """Test feed: twice the features."""

    def check(self, features):
        pass

    def __call__(self, model, x):
        return {name: 2 * value for name, value in x.items()}


class Mean(Trainer):
    """A model that returns what it reads."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.built = True

    def call(self, x, training=None):
        return self.scale * x["value"]


@pytest.mark.parametrize("feed", [[Twice()], [{"type": "Twice"}], [Twice(), Twice()]])
def test_it_changes_what_training_reads_and_nothing_else(feed):
    model = Mean()
    model.compile(keras.optimizers.SGD(0.0), "mse", feed=feed)
    given = ({"value": np.ones((4, 1), "float32")}, np.ones((4, 1), "float32"))
    assert model.fit(*given, verbose=0).history["loss"] == [(2 ** len(feed) - 1) ** 2]
    assert model.evaluate(*given, verbose=0) == 0


def test_one_that_does_nothing_yet_says_what_to_define():
    with pytest.raises(NotImplementedError, match="Feed must define check"):
        Feed().check({})
    with pytest.raises(NotImplementedError, match="Feed must define __call__"):
        Feed()(None, {})
