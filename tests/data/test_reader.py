"""Batches: right arrays, from any step, in the background, without a thread left over."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kt2t.data.problem import Problem
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.errors import DataError
from kt2t.features import Audio, Encoded, Image, Label, MultiLabel
from kt2t.registry import register
from kt2t.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]
FIELDS = ("inputs", "targets")


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"{'a' * (n % 13 + 1)}{n}\t{'b' * (n % 7 + 1)}{n}\n" for n in range(300)))
    return ParallelText(train_files=str(path))


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "kt2t reader"]


def gone(until=60.0):
    limit = time.monotonic() + until
    while readers() and time.monotonic() < limit:
        gc.collect()
        time.sleep(0.02)
    return not readers()


def same(one, other):
    flat = lambda batch: [*batch[0].values(), *batch[1:]]  # noqa: E731
    return all(np.array_equal(a, b) for a, b in zip(flat(one), flat(other), strict=True))


def test_a_pass_has_every_example_once(problem):
    batches = problem.batches("train", tokens=200, shuffle=False)
    found = [problem.decode("inputs", row) for features, *_ in batches for row in features["inputs"] if row.any()]
    assert len(list(batches)) == len(batches)
    assert sorted(found) == sorted(line["inputs"] for line in problem.references("train"))


def test_a_packed_pass_has_every_example_once(problem):
    batches = problem.batches("train", tokens=256, pack=64, seed=4)
    assert batches.packed and not problem.batches("train", tokens=256).packed
    pairs = []
    for step in range(len(batches)):
        features, _, _ = batches.batch(step)
        assert features["inputs"].shape == features["targets"].shape == (4, 64)
        for row in range(4):
            for number in range(1, features["inputs_segments"][row].max() + 1):
                ids = [features[field][row][features[f"{field}_segments"][row] == number] for field in FIELDS]
                pairs.append(tuple(map(problem.decode, FIELDS, ids)))
    assert sorted(pairs) == sorted(tuple(line[field] for field in FIELDS) for line in problem.references("train"))
    assert same(next(iter(problem.batches("train", tokens=256, pack=64, seed=4, start=9))), batches.batch(9))
    with pytest.raises(ValueError, match="only training is packed"):
        problem.batches("validation", tokens=256, pack=64)


def test_training_goes_on_for_ever_and_from_any_step(problem):
    batches = problem.batches("train", tokens=200, seed=4)
    iterator = iter(batches)
    steps = [next(iterator) for _ in range(2 * len(batches) + 3)]
    start = len(batches) + 2
    assert same(next(iter(problem.batches("train", tokens=200, seed=4, start=start))), steps[start])
    assert same(next(iter(batches.at(start))), steps[start])
    iterator.close()
    assert gone()


def test_the_signature_fits_every_batch(problem):
    batches = problem.batches("validation", rows=2)
    features, *rest = batches.signature()
    batch = batches.batch(0)
    kinds = [*((batch[0][name], kind) for name, kind in features.items()), *zip(batch[1:], rest, strict=True)]
    assert set(features) == set(batch[0])
    for array, (shape, dtype) in kinds:
        assert array.dtype == dtype and array.ndim == len(shape)


def test_an_abandoned_iterator_leaves_no_thread(problem):
    iterator = iter(problem.batches("train", tokens=200))
    next(iterator)
    assert readers()
    del iterator
    assert gone()


def test_a_damaged_record_reaches_whoever_iterates(problem):
    problem.prepare()
    path = problem.prepared.folder / problem.prepared.manifest["splits"]["train"]["shards"][0]["file"]
    data = bytearray(path.read_bytes())
    data[len(data) // 50] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"{path.name}' is damaged at record \d+"):
        list(problem.batches("train", rows=5, shuffle=False))
    assert gone()


class Constant(Trainer):
    """The same logits for any batch."""

    def build(self, input_shape=None):
        self.scale = self.add_weight(shape=(258,))
        self.built = True

    def call(self, features):
        return self.scale + 0.0 * ops.cast(features["targets"], "float32")[..., None]


@pytest.mark.parametrize("verb", ["fit", "fit on validation", "evaluate", "predict"])
def test_a_damaged_record_comes_out_of_keras_as_itself(problem, verb):
    problem.prepare()
    train = problem.batches("train", rows=5, shuffle=False)
    other = problem.batches("validation", rows=5)
    model = Constant()
    model.build()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    path = problem.prepared.folder / problem.prepared.manifest["splits"]["train"]["shards"][0]["file"]
    data = bytearray(path.read_bytes())
    data[len(data) // 50] ^= 1
    path.write_bytes(data)
    call = {
        "fit": lambda: model.fit(train, verbose=0),
        "fit on validation": lambda: model.fit(other, validation_data=train, verbose=0),
        "evaluate": lambda: model.evaluate(train, verbose=0),
        "predict": lambda: model.predict(train, verbose=0),
    }[verb]
    with pytest.raises(DataError, match=rf"{path.name}' is damaged at record \d+") as told:
        call()
    assert told.value.__suppress_context__
    assert np.isfinite(model.evaluate(other, verbose=0))
    assert gone()


def test_dataset_on_tensorflow(problem):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs the TensorFlow backend")
    batches = problem.batches("train", tokens=200, start=3)
    dataset = batches.dataset()
    for _ in range(2):
        found = [(f, y, w) for f, y, w in dataset.take(4).as_numpy_iterator()]
        assert all(same(one, batches.batch(3 + step)) for step, one in enumerate(found))
    validation = problem.batches("validation", rows=2)
    assert int(validation.dataset().cardinality()) == len(validation) == len(list(validation.dataset()))
    del dataset, found
    assert gone()


ENDING = """
import sys, time
import numpy as np
from kt2t.data.problem import Problem
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.features import Image, Label

class Slow(Problem):
    def examples(self, split):
        return ({"inputs": np.full((9, 9, 1), number, np.uint8), "targets": number % 2} for number in range(64))
    def encode(self, example):
        return {field: np.array(value) for field, value in example.items()}
    def features(self):
        return {"inputs": Image(9, 9, 1), "targets": Label(2)}
    def transform(self, split, example, draw):
        time.sleep(0.01)
        return {**example, "inputs": np.uint8(draw.generator().integers(0, 9, (9, 9, 1)))}

alive = []
for problem in (ParallelText(train_files=sys.argv[1]), Slow()):
    batches = problem.batches("train", rows=8)
    batches.threads = 3
    alive += [iter(batches), iter(batches.dataset())]
    next(alive[-2]), next(alive[-1])
print("end")
"""


def test_a_process_ends_though_a_dataset_is_still_read(problem, tmp_path):
    command = [sys.executable, "-c", ENDING, str(tmp_path / "train.tsv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_it_is_much_faster_than_a_model(problem):
    iterator = iter(problem.batches("train", tokens=4096))
    next(iterator)
    started, tokens = time.process_time(), 0
    while time.process_time() - started < 0.5:
        features, *_ = next(iterator)
        tokens += sum(int(array.sum()) for name, array in features.items() if name.endswith("_segments"))
    assert tokens / 0.5 > 50_000


def test_the_transform_is_a_function_of_the_epoch(problem):
    asked = []

    def transform(records, indices, epoch):
        asked.append(epoch)
        return [{**example, "targets": example["targets"][::-1]} for example in records.read(indices)]

    plain = problem.batches("train", rows=8)
    made = problem.batches("train", rows=8)
    made.transform = transform
    one, other = plain.batch(0), made.at(3).batch(0)
    for row, turned in zip(one[1], other[1], strict=True):
        assert row[row > 0].tolist()[::-1] == turned[turned > 0].tolist()
    made.batch(len(made))
    assert asked == [0, 1]
    made.plan.shuffle = False
    made.batch(len(made))
    assert asked[2:] == [None]


@pytest.mark.parametrize("options", [{"tokens": 200}, {"tokens": 256, "pack": 64}])
def test_workers_share_each_batch(problem, options):
    whole = problem.batches("train", **options)
    shares = [whole.shared(3, worker) for worker in range(3)]
    for step in range(12):
        features, targets, weight = whole.batch(step)
        parts = [share.batch(step) for share in shares]
        assert len({part[1].shape for part in parts}) == 1
        rows = [np.concatenate([part[0]["inputs"], part[1], part[2]], 1).tolist() for part in parts]
        wanted = np.concatenate([features["inputs"], targets, weight], 1).tolist()
        missing = [[0] * len(wanted[0])] * (-len(wanted) % 3)
        assert sorted(sum(rows, [])) == sorted([*wanted, *missing])
        assert shares[1].at(step).worker == 1


@register
class Augmented(Problem):
    """Deflated pictures of several sizes of record, drawn anew each epoch, with two targets."""

    def examples(self, split):
        for number in range(90):
            yield {"inputs": zlib.compress(np.random.default_rng(number).bytes(5000 * (number % 4))), "targets": number % 3}

    def encode(self, example):
        label = np.array(example["targets"])
        both = np.array([label == 1, label == 2], np.float32)
        return {"inputs": np.frombuffer(example["inputs"], np.uint8), "targets": {"one": label, "several": both}}

    def stored(self):
        return {**self.features(), "inputs": Encoded()}

    def features(self):
        return {"inputs": Image(4, 4, 1), "targets": {"one": Label(3), "several": MultiLabel(2)}}

    def transform(self, split, example, draw):
        content = zlib.decompress(example["inputs"].tobytes())
        noise = 0 if draw is None else draw.generator().integers(0, 255, (4, 4, 1))
        time.sleep(0.0005 * (len(content) % 7))  # so that threads overtake each other
        return {**example, "inputs": np.uint8(noise) + np.full((4, 4, 1), len(content) % 250, np.uint8)}


@pytest.fixture
def augmented(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("kt2t.data.reader.PART_BYTES", 20_000)
    return Augmented()


def test_batches_are_the_same_for_any_number_of_threads_from_any_step(augmented):
    batches = augmented.batches("train", rows=16, seed=3)
    assert batches.threads >= 1
    wanted = [batches.batch(step) for step in range(2 * len(batches) + 2)]
    for threads in (1, 2, 8):
        for start in (0, len(batches) - 1):
            some = batches.at(start)
            some.threads = threads
            found = itertools.islice(iter(some), len(wanted) - start)
            assert all(same_tree(one, other) for one, other in zip(found, wanted[start:], strict=True))
    assert gone()
    first, second = (batches.plan.batch(step).indices.tolist() for step in (0, len(batches)))
    (again,) = set(first) & set(second) & {next(iter(set(first) & set(second)))}
    rows = [wanted[step][0]["inputs"][of.index(again)] for step, of in ((0, first), (len(batches), second))]
    assert (rows[0] != rows[1]).any(), "another epoch draws anew"


def same_tree(one, other):
    keras.tree.assert_same_structure(one, other)
    return all(np.array_equal(*pair) for pair in zip(*map(keras.tree.flatten, (one, other)), strict=True))


def test_workers_draw_what_one_alone_would(augmented):
    whole = augmented.batches("train", rows=15, seed=3)
    for worker in range(3):
        batch = whole.shared(3, worker).batch(2)
        assert (batch[0]["inputs"] == whole.batch(2)[0]["inputs"][worker::3]).all()


def test_nothing_is_drawn_in_evaluation_and_samples(augmented):
    batches = augmented.batches("validation", rows=8)
    for (features, targets, weights), number in zip(batches, range(len(batches)), strict=True):
        indices = batches.plan.batch(number).indices
        for row, index in enumerate(indices):
            assert (features["inputs"][row] == (5000 * (index % 4) % 250 if index >= 0 else 0)).all()
        assert weights["one"].tolist() == weights["several"].tolist() == [float(index >= 0) for index in indices]
        assert targets["one"].tolist() == [index % 3 if index >= 0 else 0 for index in indices]
    sample = augmented.sample(3)
    assert sample["targets"]["one"].tolist() == [0, 1, 2] and sample["inputs"].shape == (3, 4, 4, 1)


def test_the_signature_of_a_dict_of_targets(augmented):
    batches = augmented.batches("train", rows=8)
    kinds = batches.signature()
    assert kinds[1] == {"one": ((None,), "int32"), "several": ((None, 2), "float32")}
    assert kinds[2] == {"one": ((None,), "float32"), "several": ((None,), "float32")}
    if keras.backend.backend() == "tensorflow":
        found = list(batches.dataset().take(3).as_numpy_iterator())
        assert all(same_tree(one, batches.batch(step)) for step, one in enumerate(found))
        del found
    assert gone()


def test_a_transform_that_fails_reaches_whoever_iterates(augmented, monkeypatch):
    def transform(self, split, example, draw):
        raise KeyError("level")

    batches = augmented.batches("train", rows=8)
    monkeypatch.setattr(Augmented, "transform", transform)
    with pytest.raises(DataError, match=r"train record \d+ of '.*': Augmented.transform fails with KeyError: 'level'"):
        next(iter(batches))
    assert gone()


def test_one_pass_over_training_batches(problem):
    batches = problem.batches("train", tokens=200, seed=4, start=7)
    passed = list(batches.once())
    assert len(passed) == len(batches) and same(passed[3], batches.batch(3))
    assert sum(int((weight.sum(1) > 0).sum()) for *_, weight in passed) == 297
    validation = problem.batches("validation", rows=2)
    assert validation.once() is validation and not validation.repeat


@register
class Sounds(Problem):
    """Recordings, stored as bytes of any length; a tone of as many samples as are told."""

    def __init__(self, max_length: int | None = None) -> None:
        super().__init__(max_length=max_length)

    def examples(self, split):
        return ({"inputs": str(1000 * (number + 1)).encode(), "targets": number % 2} for number in range(120))

    def encode(self, example):
        return {"inputs": np.frombuffer(example["inputs"], np.uint8), "targets": np.array(example["targets"])}

    def stored(self):
        return {"inputs": Encoded(), "targets": Label(2)}

    def transformed_lengths(self, example):
        return {"inputs": int(example["inputs"].tobytes())}

    def features(self):
        return {"inputs": Audio(rate=8000, milliseconds=40), "targets": Label(2)}

    def transform(self, split, example, draw):
        return {**example, "inputs": np.full(int(example["inputs"].tobytes()), 0.5, np.float32)}


def test_recordings_are_planned_in_positions(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    problem = Sounds()
    batches = problem.batches("train", tokens=4096, shuffle=False)
    lengths = problem.prepared.records("train").lengths["inputs"]
    assert lengths.max() == 120_000, "far more samples than tokens"
    total = 0
    for number, (features, _, weight) in enumerate(batches):
        indices = batches.plan.batch(number).indices
        rows, samples = features["inputs"].shape
        assert samples % 320 == 0 and rows * samples // 320 <= 4096
        for row, index in enumerate(indices):
            wanted = int(lengths[index]) if index >= 0 else 0
            assert (features["inputs_segments"][row].sum(), (features["inputs"][row] > 0).sum()) == (wanted, wanted)
        total += int(weight.sum())
    assert total == len(lengths)
    limited = Sounds(max_length=100).batches("train", tokens=4096)
    assert limited.plan.dropped == (lengths > 100 * 320).sum() > 0
    cut = Sounds(max_length=100).sample(200, "train")
    assert cut["inputs"].shape[1] == 32_000


def test_a_length_that_nothing_tells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(Sounds, "transformed_lengths", Problem.transformed_lengths)
    with pytest.raises(DataError, match="nothing says how long inputs of Sounds is once it is transformed"):
        Sounds().batches("train")
    monkeypatch.setattr(Sounds, "transform", Problem.transform)
    with pytest.raises(DataError, match=r"Sounds stores inputs as Encoded\(\), not as Audio.* Define Sounds.transform"):
        Sounds().batches("train")
