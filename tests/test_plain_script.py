"""What a recipe trains, a script with `compile` and `fit` trains as well: the same bits."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t import data, models, training
from kt2t.recipe_file import load
from kt2t.run.train import train
from kt2t.training.checkpoints import restore, verify


@pytest.fixture
def tiny(tiny_transformer):
    return tiny_transformer


def test_a_script_and_a_recipe_give_the_same_numbers(tiny, tiny_data, tmp_path):
    recipe = load(
        str(tiny), ["train.steps=6", "train.batch.shapes=~", "report.every=3", "report.score=false", "report.best=loss"]
    )
    folder = train(recipe, tmp_path / "run").folder

    problem = data.Reverse(symbols=5, max_length=4, evaluation_length=6, train_examples=600, validation_examples=60)
    problem.prepare(tiny_data)
    keras.backend.clear_session()  # as in a process of its own: the numbers in layers' names decide in which order is summed
    keras.utils.set_random_seed(1)
    model = models.Transformer(
        problem.features(), num_layers=1, hidden_dim=16, intermediate_dim=32, num_heads=2, dropout=0.1
    )
    optimizer = training.Adam(learning_rate=training.Noam(hidden_dim=16, warmup=20))
    model.compile(optimizer=optimizer, loss=problem.loss(), metrics=problem.metrics(), seed=1)
    history = model.fit(
        problem.batches("train", rows=16, seed=1),
        validation_data=problem.batches("validation", rows=16),
        steps_per_epoch=3,
        epochs=2,
        verbose=0,
    ).history

    for epoch, step in enumerate((3, 6)):
        metrics = verify(folder / "checkpoints" / f"step-{step}").extra["metrics"]
        shared = metrics.keys() & history.keys()
        assert {"loss", "val_loss", "gradient_norm"} <= shared
        assert {name: metrics[name] for name in shared} == {name: history[name][epoch] for name in shared}
    script = [*map(np.array, model.get_weights())]
    restore(folder / "checkpoints" / "step-6", model)
    for one, other in zip(script, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
