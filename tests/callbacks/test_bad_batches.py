"""A batch that spoils a step is named and kept, by its own records; a training of nothing else ends."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from kt2t.callbacks import BadBatches
from kt2t.cli.main import run
from kt2t.data.plan import Plan
from kt2t.data.reader import Batches
from kt2t.data.records import Records, RecordWriter, layout_of
from kt2t.errors import NumericsError
from kt2t.features import Numbers, Text
from kt2t.recipe_file import load
from kt2t.run.train import train
from kt2t.training.trainer import Trainer

FEATURES = {"inputs": Numbers(3), "targets": Numbers(2)}
TEXTS = {"inputs": Text(20), "targets": Text(20)}


def records(folder, examples, features):
    writer = RecordWriter(folder, "train", layout_of(features))
    writer.write({field: [example[field] for example in examples] for field in features})
    return Records(folder, writer.close(), layout_of(features))


def numbers(folder, spoilt, count=40, rows=4):
    """Batches of vectors; in the records `spoilt` one number is not finite."""
    draw = np.random.default_rng(0)
    examples = [{"inputs": draw.random(3, "float32"), "targets": draw.random(2, "float32")} for _ in range(count)]
    for place, value in spoilt.items():
        examples[place]["inputs"][1] = value
    return Batches(records(folder, examples, FEATURES), Plan({}, count=count, rows=rows, seed=3), FEATURES)


class Linear(Trainer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.dense.build((None, 3))
        self.built = True

    def call(self, features):
        return self.dense(features["inputs"])


def fitted(batches, epochs=1, callbacks=(), **options):
    model = Linear()
    model.compile("sgd", "mse", **options)
    model.fit(batches, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def told_in(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "kt2t"]


def occurrences(batches, places, steps):
    """The steps whose batch has one of these records, from the batches' content alone."""
    values = {batches.records.read([place])[0]["inputs"].tobytes() for place in places}
    rows = {step: batches.batch(step)[0]["inputs"].astype("float32") for step in range(steps)}
    return [step for step, found in rows.items() if any(row.tobytes() in values for row in found)]


def test_the_step_its_records_and_the_one_that_is_not_finite_are_named_and_kept(tmp_path, caplog):
    batches = numbers(tmp_path, {17: np.nan})
    with caplog.at_level("WARNING", logger="kt2t"):
        fitted(batches, 3, [BadBatches(tmp_path / "bad", batches)])
    steps = occurrences(batches, [17], 30)
    assert len(steps) == 3
    lines = told_in(caplog)
    assert [int(re.match(r"step (\d+) was left out", line)[1]) for line in lines] == steps
    for step, line in zip(steps, lines, strict=True):
        file = tmp_path / "bad" / f"step-{step}.npz"
        kept = np.load(file)
        batch, targets, weights = batches.batch(step)
        np.testing.assert_array_equal(kept["features/inputs"], batch["inputs"])
        np.testing.assert_array_equal(kept["targets"], targets)
        np.testing.assert_array_equal(kept["sample_weight"], weights)
        assert int(kept["step"]) == step and 17 in kept["records"]
        for row, number, name in zip(kept["features/inputs"], kept["numbers"], kept["files"], strict=True):
            assert name == "train-00000-of-00001.arrayrecord"
            np.testing.assert_array_equal(batches.records.read([number])[0]["inputs"], row)
        named = ", ".join(map(str, sorted(kept["records"])))
        assert f"records {named} of train-00000-of-00001.arrayrecord; not finite itself: record 17 of train-0" in line
        assert line.endswith(f"kept in '{file}'") and "\n" not in line


def test_only_the_first_are_kept_but_all_are_named(tmp_path, caplog):
    batches = numbers(tmp_path, {4: np.inf, 31: -np.inf})
    with caplog.at_level("WARNING", logger="kt2t"):
        fitted(batches, 4, [BadBatches(tmp_path / "bad", batches, keep=2)])
    steps = occurrences(batches, [4, 31], 40)
    assert len(steps) > 4 and len(told_in(caplog)) == len(steps)
    assert sorted(path.name for path in (tmp_path / "bad").iterdir()) == sorted(
        f"step-{step}.npz" for step in steps[:2]
    )


@pytest.mark.parametrize("keep", [1, 0])
def test_a_long_list_is_cut_only_where_the_file_has_the_rest(tmp_path, caplog, keep):
    batches = numbers(tmp_path, {17: np.nan}, rows=40)
    with caplog.at_level("WARNING", logger="kt2t"):
        fitted(batches, 1, [BadBatches(tmp_path / "bad", batches, keep=keep)])
    (line,) = told_in(caplog)
    wanted = ", ".join(map(str, range(32 if keep else 40)))
    assert f"records {wanted} of train-00000-of-00001.arrayrecord{' and 8 more' if keep else ''}; not finite" in line


def test_many_in_a_row_end_training_and_the_error_says_where_the_batch_is(tmp_path):
    batches = numbers(tmp_path, dict.fromkeys(range(40), np.nan))
    told = BadBatches(tmp_path / "bad", batches, tmp_path / "none", keep=3)
    with pytest.raises(NumericsError, match="of 10 steps in a row") as error:
        fitted(batches, 1, [told], max_bad_steps=7)
    assert f"The batch of step 9 is in '{tmp_path / 'bad' / 'step-9.npz'}'. There is no checkpoint yet." in str(
        error.value
    )
    assert sorted(path.stem for path in (tmp_path / "bad").iterdir()) == ["step-0", "step-1", "step-2", "step-9"]


def test_nothing_is_written_by_another_worker_or_without_a_bad_step(tmp_path, caplog):
    batches = numbers(tmp_path, {17: np.nan})
    fitted(batches, 1, [BadBatches(tmp_path / "bad", batches, writes=False)])
    fine = numbers(tmp_path, {})
    fitted(fine, 1, [BadBatches(tmp_path / "bad", fine)])
    assert not (tmp_path / "bad").exists() and not told_in(caplog)


def test_a_full_disk_does_not_end_training(tmp_path, caplog):
    batches = numbers(tmp_path, {17: np.nan})
    (tmp_path / "bad").write_text("in the way")
    with caplog.at_level("WARNING", logger="kt2t"):
        model = fitted(batches, 1, [BadBatches(tmp_path / "bad", batches)])
    assert int(model.optimizer.iterations) == 10
    assert "is not kept" in caplog.text and "step" in caplog.text and "was left out" in caplog.text


def test_a_packed_batch_has_the_records_of_each_row(tmp_path, caplog):
    examples = [{field: np.full(3, 2 + place % 9, "int32") for field in TEXTS} for place in range(12)]
    (tmp_path / "texts").mkdir()
    found = records(tmp_path / "texts", examples, TEXTS)
    batches = Batches(found, Plan(found.lengths, tokens=24, pack=8, seed=1), TEXTS)
    callback = BadBatches(tmp_path / "bad", batches)
    callback.set_model(fitted(numbers(tmp_path, {}), 1))
    with caplog.at_level("WARNING", logger="kt2t"):
        callback.tell([1], ends=False)
    kept = np.load(tmp_path / "bad" / "step-1.npz")
    assert kept["records"].ndim == 2 and kept["records"].shape == kept["numbers"].shape == kept["files"].shape
    for row, inputs in zip(kept["records"], kept["features/inputs"], strict=True):
        wanted = [2 + place % 9 for place in row if place >= 0 for _ in range(3)]
        assert inputs.tolist() == wanted + [0] * (8 - len(wanted))


def test_a_negative_number_to_keep_is_refused(tmp_path):
    with pytest.raises(ValueError, match="keep: -1 is negative"):
        BadBatches(tmp_path, None, keep=-1)


FRAGILE = '''
import keras
import kt2t
from keras import ops
from toy_model import Toy

@kt2t.register
class FragileWords(kt2t.data.TextToText):
    """Short words; those of the training that are marked have a letter that no other has."""

    def __init__(self, marked: list[int]) -> None:
        super().__init__()
        self.marked = marked

    def examples(self, split):
        for number in range(64 if split == "train" else 8):
            word = "z" if split == "train" and number in self.marked else "abc"[: 1 + number % 3]
            yield {"inputs": word, "targets": word}

@kt2t.register
class Fragile(Toy):
    """What it says of that letter is not a number."""

    def call(self, features, training=None):
        marked = ops.any(features["inputs"] == int(kt2t.Bytes().encode("z")[0]), axis=1)
        logits = super().call(features, training=training)
        return logits * ops.cast(ops.where(marked, float("nan"), 1.0), logits.dtype)[:, None, None]
'''

RECIPE = """\
problem: {type: fragile_words.FragileWords, marked: [17]}
model: {type: fragile_words.Fragile, num_layers: 1, hidden_dim: 16, dropout: 0.1}
optimizer: {type: Adam, learning_rate: 0.01}
train: {steps: 24, batch: {rows: 8}, dtype: float32}
report: {every: 6, score: false, attention_maps: false, samples: 1, keep: 9}
"""


@pytest.fixture
def fragile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    (tmp_path / "fragile_words.py").write_text(FRAGILE, encoding="utf-8")
    (tmp_path / "fragile.yaml").write_text(RECIPE, encoding="utf-8")
    return str(tmp_path / "fragile.yaml")


def not_finite(run):
    """How many numbers in the checkpoints of a run are not, and of how many."""
    bad = total = 0
    for file in Path(run).rglob("*.safetensors"):
        with safe_open(file, "np") as arrays:
            for name in arrays.keys():
                value = arrays.get_tensor(name)
                total += value.size
                bad += int((~np.isfinite(value.astype("float64"))).sum())
    return bad, total


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of the TensorFlow backend")
@pytest.mark.parametrize("more", [[], ["train.strategy=mirrored", "train.micro_batches=2", "train.steps_per_call=2"]])
def test_one_poisoned_record_costs_one_step_an_epoch_and_is_in_the_batch_that_is_named(fragile, tmp_path, more):
    recipe = load(fragile, more)
    recipe.check()
    outcome = train(recipe, tmp_path / "run")
    assert outcome.step == 24
    from fragile_words import FragileWords

    problem = FragileWords([17])
    problem.prepare(tmp_path / "data")
    (letter,) = problem.vocabularies()["inputs"].encode("z")
    batches = problem.batches("train", rows=8, seed=recipe.train.seed)
    assert len(batches) == 8
    steps = [step for step in range(24) if (batches.batch(step)[0]["inputs"] == letter).any()]
    assert [step // 8 for step in steps] == [0, 1, 2]  # once an epoch
    log = (tmp_path / "run" / "log.txt").read_text()
    told = re.findall(r"step (\d+) was left out: .* It was of records ([\d, ]+) of ([^\s;]+);", log)
    assert [int(step) for step, _, _ in told] == steps
    for step, named, file in told:
        indices = batches.plan.batch(int(step)).indices.tolist()
        assert sorted(indices) == [int(number) for number in named.split(",")] and 17 in indices
        kept = np.load(tmp_path / "run" / "bad_batches" / f"step-{step}.npz")
        assert kept["records"].tolist() == indices and set(kept["files"]) == {file}
        assert kept["features/inputs"][indices.index(17), 0] == letter
    common = set.intersection(*({int(number) for number in named.split(",")} for _, named, _ in told))
    assert common == {17} and f"in all 3 that were left out: record 17 of {told[0][2]}; kept" in log
    bad, total = not_finite(tmp_path / "run")
    assert bad == 0 and total > 4 * 1000


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of the TensorFlow backend")
def test_nothing_but_poison_is_exit_6_with_the_last_checkpoint_and_the_batch(fragile, tmp_path, capsys):
    everything = str(list(range(64)))
    given = [fragile, "--run-dir", "run", f"problem.marked={everything}", "train.max_bad_steps=8"]
    assert run(["train", *given]) == 6
    told = capsys.readouterr().err
    assert "The gradients of 12 steps in a row, up to step 11, were not finite" in told
    assert "The batch of step 11 is in 'run/bad_batches/step-11.npz'." in told
    assert "The last good checkpoint is 'run/checkpoints/step-6'." in told and "Traceback" not in told
    assert Path("run/bad_batches/step-11.npz").is_file()
    assert not_finite("run")[0] == 0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of the TensorFlow backend")
def test_in_float16_it_is_no_longer_the_loss_scale_once_that_is_below_1(fragile, capsys):
    """From 32,768 it is halved at each step that is left out, so after 16 of them no scale is to blame."""
    given = [fragile, "--run-dir", "run", f"problem.marked={list(range(64))}", "train.max_bad_steps=17"]
    assert run(["train", *given, "train.dtype=mixed_float16", "train.steps=48"]) == 6
    told = capsys.readouterr().err
    bad, last = re.search(r"The gradients of (\d+) steps in a row, up to step (\d+), were not finite", told).groups()
    assert int(bad) == int(last) + 1 > 16 and "Traceback" not in told
    assert f"The batch of step {last} is in 'run/bad_batches/step-{last}.npz'." in told
    named = int(re.search(r"The last good checkpoint is 'run/checkpoints/step-(\d+)'", told)[1])
    saved = load_file(f"run/checkpoints/step-{named}/optimizer.safetensors")
    scale = saved["dynamic_scale"]
    assert scale == 32768.0 / 2**named and named >= 12 and not_finite("run")[0] == 0
