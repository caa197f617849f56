"""Scores in the logs: every example once, beside its own reference."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kt2t.callbacks import Scoring
from kt2t.callbacks.scoring import decode_split

LENGTHS = np.array([5, 3, 9, 2, 7, 4, 8])


class FakeBatches:
    """Examples in order of length, two rows at a time, the last row filled up."""

    def __init__(self, rows):
        order = np.argsort(LENGTHS)
        filled = np.full(-(-len(order) // rows) * rows, -1)
        filled[: len(order)] = order
        self._rows = filled.reshape(-1, rows)
        self.plan = SimpleNamespace(batch=lambda number: SimpleNamespace(indices=self._rows[number]))

    def __len__(self):
        return len(self._rows)

    def batch(self, number):
        return {"inputs": self._rows[number][:, None] + 100}, None, None


class FakeProblem:
    def __init__(self, scores=("exact",)):
        self._scores = scores
        self.asked = []

    def features(self):
        return {"inputs": None, "targets": None}

    def scores(self):
        return [SimpleNamespace(name=name) for name in self._scores]

    def batches(self, split, rows, shapes, shuffle):
        self.asked.append((split, rows, shapes, shuffle))
        return FakeBatches(rows)

    def references(self, split):
        return [{"targets": f"text {index}"} for index in range(len(LENGTHS))]

    def derived_metrics(self, split, metrics):
        return {"bits": (metrics["loss"] * 2, "how")} if metrics else {}

    def decode(self, field, ids):
        return f"{field[:0]}text {int(ids[0]) - 100}"

    def score(self, predictions, references):
        pairs = list(zip(predictions, references, strict=True))
        right = sum(prediction == reference["targets"] for prediction, reference in pairs)
        return {"exact": 100 * right / len(pairs), "count": len(pairs)}


class FakeModel:
    stop_signal = None

    def __init__(self):
        self.draws, self.seen = [], []

    def answer(self, features, search=None, draw=0):
        self.search = search
        self.draws.append(draw)
        self.seen.append(features["inputs"])
        best = np.stack([features["inputs"], features["inputs"] * 0], 1)
        return {"values": best, "scores": np.zeros(best.shape[:2])}


def scored(problem, model=None, **options):
    callback = Scoring(problem, search="beam", **options)
    callback.set_model(model or FakeModel())
    logs = {"loss": 1.0}
    callback.on_epoch_end(0, logs)
    return logs, callback


def test_every_example_meets_its_own_reference():
    logs, callback = scored(FakeProblem(), rows=2)
    assert logs == {"loss": 1.0, "validation_exact": 100.0, "validation_count": 7.0}
    assert callback.model.search == "beam"
    assert callback.examples == {"exact": 7, "count": 7}


def test_batches_have_the_rows_and_shapes_that_are_asked_for():
    problem = FakeProblem()
    scored(problem, rows=2, shapes=3)
    assert problem.asked == [("validation", 2, 3, False)]


def test_another_split_has_its_own_name():
    assert "test_exact" in scored(FakeProblem(), split="test", rows=2)[0]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100])
def test_a_limit_is_kept(limit):
    logs, _ = scored(FakeProblem(), limit=limit, rows=2)
    assert logs["validation_count"] <= min(limit, 7)
    assert logs["validation_count"] >= min(limit, 7) - 1
    assert logs["validation_exact"] == 100.0


def test_a_limit_takes_short_and_long_ones():
    chosen = dict(decode_split(FakeModel(), FakeProblem(), "validation", limit=4, rows=2))
    assert LENGTHS[list(chosen)].min() <= 4 and LENGTHS[list(chosen)].max() >= 7


def test_nothing_is_decoded_where_nothing_can_be_said():
    assert scored(FakeProblem(scores=()))[0] == {"loss": 1.0}
    stopping = FakeModel()
    stopping.stop_signal = 15
    assert scored(FakeProblem(), stopping)[0] == {"loss": 1.0}
    assert scored(FakeProblem(), SimpleNamespace(stop_signal=None))[0] == {"loss": 1.0}


@pytest.mark.parametrize("after", [0, 2])
def test_a_run_that_is_told_to_stop_has_no_half_measured_epoch(after):
    """Else the epoch would count as evaluated when the run goes on, and never get its scores."""

    class Stopping(FakeModel):
        @property
        def stop_signal(self):
            return 15 if len(self.draws) >= after else None

    model = Stopping()
    callback = Scoring(FakeProblem(), rows=2)
    callback.set_model(model)
    logs = {"loss": 1.0, "val_loss": 3.0}
    callback.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0} and len(model.draws) == after


def test_each_batch_is_a_draw_of_its_own_and_has_examples_alone():
    model = FakeModel()
    dict(decode_split(model, FakeProblem(), "validation", rows=2))
    assert model.draws == [0, 1, 2, 3]
    assert np.concatenate(model.seen).min() >= 100, "a row of padding goes on to the limit"


def test_texts_that_answer_nothing_have_no_scores():
    class Texts(FakeProblem):
        def features(self):
            return {"targets": None}

    assert scored(Texts())[0] == {"loss": 1.0}


def test_derived_metrics_follow_from_the_validation_metrics_even_where_nothing_is_decoded():
    callback = Scoring(FakeProblem(scores=()))
    callback.set_model(SimpleNamespace(stop_signal=None))
    logs = {"loss": 1.0, "val_loss": 3.0}
    callback.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_loss": 3.0, "validation_bits": 6.0}


def test_options_are_checked():
    with pytest.raises(ValueError, match="limit: 0 is not positive"):
        Scoring(FakeProblem(), limit=0)
    with pytest.raises(ValueError, match="rows: -1 is not positive"):
        Scoring(FakeProblem(), rows=-1)
    with pytest.raises(ValueError, match="shapes: 0 is not positive"):
        Scoring(FakeProblem(), shapes=0)


def test_what_the_metrics_give_already_is_not_decoded():
    callback, model = Scoring(FakeProblem(), rows=2), FakeModel()
    callback.set_model(model)
    logs = {"loss": 1.0, "val_loss": 3.0, "val_exact": 0.5}
    callback.on_epoch_end(0, logs)
    assert "validation_exact" not in logs and model.draws == []


def test_several_targets_are_decoded_and_scored_by_key():
    class Several(FakeProblem):
        def scores(self):
            return {"a": [SimpleNamespace(name="exact")], "b": []}

        def decode(self, field, value):
            return {key: int(one[0]) - 100 for key, one in value.items()}

        def references(self, split):
            return [{"targets": {"a": index, "b": index}} for index in range(len(LENGTHS))]

    class Answers(FakeModel):
        def answer(self, features, search=None, draw=0):
            values = np.stack([features["inputs"], features["inputs"] * 0], 1)
            return {"values": {"a": values, "b": values}}

    assert scored(Several(), Answers(), rows=2)[0]["validation_exact"] == 100.0


def test_a_score_over_few_examples_is_warned_of_once(caplog):
    scoring = Scoring(FakeProblem())
    scoring.set_model(FakeModel())
    for epoch in range(2):
        scoring.on_epoch_end(epoch, {"val_loss": 1.0})
    assert caplog.text.count("exact, count on validation: computed over only 7 examples") == 1
