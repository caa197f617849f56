import json

import numpy as np
import pytest
from keras import ops
from upstream_checkpoint import HPARAMS, leave_behind, state, variables, vocabulary, write

from kt2t.cli.main import run
from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.losses.cross_entropy import CrossEntropy
from kt2t.run.import_t2t import import_run
from kt2t.run.predict import Predictor
from kt2t.run.restore import restored
from kt2t.training.slots import slots

FILE = "vocab.translate_ende_wmt8k.8192.subwords"


@pytest.fixture(scope="module")
def upstream_run(tensor2tensor, tmp_path_factory):
    """Tensor2Tensor's own checkpoint, imported."""
    folder = tmp_path_factory.mktemp("own") / "run"
    files = tensor2tensor / "checkpoint", tensor2tensor / "checkpoint" / "hparams.json"
    assert import_run(*files, [tensor2tensor / "vocab" / FILE], "translate_ende_wmt8k", folder) == 1
    return folder


def test_logits_and_loss_are_those_of_tensor2tensor(upstream_run, tensor2tensor):
    numbers = np.load(tensor2tensor / "golden_logits.npz", allow_pickle=False)
    model = restored(upstream_run).assembly.model
    batch = {field: numbers[field][:, :, 0, 0] for field in ("inputs", "targets")}
    batch |= {f"{field}_segments": (ids != 0).astype("int32") for field, ids in batch.items()}
    batch["target_space"] = np.full((2,), 8, "int32")
    logits = model(batch, training=False)
    real = batch["targets_segments"] == 1
    wanted = numbers["logits"][:, :, 0, 0]
    np.testing.assert_allclose(ops.convert_to_numpy(logits)[real], wanted[real], atol=1e-5, rtol=0)
    losses = ops.convert_to_numpy(CrossEntropy().call(batch["targets"], logits))
    assert losses[real].mean() == pytest.approx(9.836313, abs=1e-5)
    assert numbers["loss"][1] == pytest.approx(9.836313, abs=1e-6)


def test_its_vocabulary_travels_with_the_run(upstream_run, tensor2tensor):
    predictor = Predictor(upstream_run)
    own, theirs = predictor.problem.vocabularies()["inputs"], SubwordTextEncoder(str(tensor2tensor / "vocab" / FILE))
    assert own.encode("Hello, wörld") == theirs.encode("Hello, wörld") and own.size == 8190
    assert len(predictor(["Hello world.", "Guten Tag"])) == 2
    assert str(tensor2tensor) not in (upstream_run / "recipe.yaml").read_text(encoding="utf-8")


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    return [*leave_behind(tmp_path), "--run-dir", "run"]


def test_weights_and_adams_state_go_on_where_they_were(words):
    assert run(words) == 0
    found = restored("run")
    model = found.assembly.model
    assert found.step == 7 == int(model.optimizer.iterations)
    assert found.assembly.problem.target_space == 5
    kernel = model.encoder.layers[0].feed_forward.sublayer.widen.kernel
    name = "transformer/body/encoder/layer_0/ffn/conv1/kernel"
    np.testing.assert_array_equal(ops.convert_to_numpy(kernel), variables(vocabulary().size)[name])
    kept = slots(model.optimizer, {"here": kernel})
    assert (ops.convert_to_numpy(kept["momentums/here"]) == -0.25).all()
    assert (ops.convert_to_numpy(kept["velocities/here"]) == 0.25).all()


def test_it_can_be_evaluated_and_trained_on(words, tmp_path, capsys):
    lines = "".join(f"the cat sat {n}\ta dog sat {n}\n" for n in range(60))
    (tmp_path / "pairs.tsv").write_text(lines, encoding="utf-8")
    further = [
        "train.steps=9",
        "report.every=2",
        "report.attention_maps=false",
        "report.decode={type: Greedy}",
        "report.score=false",
    ]
    assert run([*words, "problem.train_files=pairs.tsv", *further]) == 0
    told = capsys.readouterr()
    assert told.out == "run\n" and "kt2t train run\n" in told.err
    assert run(["evaluate", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 7
    for said in ("continuing from run/checkpoints/step-7", "this run is finished: 9 of 9 steps"):
        assert run(["train", "run"]) == 0
        told = capsys.readouterr().err
        assert said in told and "(step 9)" in told


def test_without_texts_it_predicts_and_says_what_evaluation_needs(words, tmp_path, capsys):
    assert run(words) == 0
    (tmp_path / "in").write_text("the cat\n\na frog\n", encoding="utf-8")
    assert run(["predict", "run", "--input", "in", "--output", "out", "report.decode.extra_length=3"]) == 0
    assert len((tmp_path / "out").read_text(encoding="utf-8").splitlines()) == 3
    capsys.readouterr()
    assert run(["evaluate", "run"]) == 3
    assert "problem.train_files: there are none. Give two parallel text files" in capsys.readouterr().err
    assert run(words) == 4
    assert "kt2t train run problem.train_files=FILES" in capsys.readouterr().err


def test_a_run_without_texts_is_given_them_later_also_after_it_was_moved(words, tmp_path, capsys):
    """Each command that `import-t2t` prints works."""
    assert run(words) == 0
    told = capsys.readouterr().err
    texts = ["problem.train_files=pairs.tsv", "problem.validation_files=more.tsv"]
    assert f"kt2t train run {' '.join(texts)}\n" in told and f"kt2t evaluate run {' '.join(texts)}\n" in told
    for name in ("pairs.tsv", "more.tsv"):
        lines = "".join(f"the cat sat {n}\ta {name[0]} dog sat {n}\n" for n in range(40))
        (tmp_path / name).write_text(lines, encoding="utf-8")
    (tmp_path / "run").rename(tmp_path / "moved")
    assert run(["evaluate", "moved", *texts, "report.decode={type: Greedy, extra_length: 2}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 7
    quick = ["train.steps=8", "report.score=false", "report.attention_maps=false", "report.samples=1", "report.every=1"]
    assert run(["train", "moved", *texts, "train.batch={rows: 8}"]) == 4  # another training
    assert "train.batch" in capsys.readouterr().err
    assert run(["train", "moved", *texts, *quick]) == 0
    assert "continuing from moved/checkpoints/step-7" in capsys.readouterr().err
    assert run(["train", "moved"]) == 0 and "this run is finished: 8 of 8 steps" in capsys.readouterr().err

def test_what_the_checkpoint_does_not_tell_is_said(words, tmp_path, caplog):
    write(tmp_path / "t2t" / "model.ckpt-9", variables(vocabulary().size))
    with caplog.at_level("WARNING", "kt2t"):
        assert run(words) == 0
    assert "which target space it was trained for. kt2t uses 0" in caplog.text
    assert "the optimizer's state is not imported: it starts anew, at step 9" in caplog.text
    assert restored("run").assembly.problem.target_space == 0
    words[-1] = "other"
    assert run([*words, "problem.target_space=3"]) == 0
    assert restored("other").assembly.problem.target_space == 3


def test_a_table_and_a_vocabulary_of_each_side(words, tmp_path):
    source, target = vocabulary(), vocabulary(40)
    assert source.size != target.size
    (tmp_path / "target.subwords").write_bytes(target.contents()["vocabulary.subwords"])
    model = {name: value for name, value in variables(source.size).items() if "symbol_modality" not in name}
    tables = {"input_emb": source.size, "target_emb": target.size, "softmax": target.size}
    for number, (table, rows) in enumerate(tables.items()):
        model[f"transformer/symbol_modality_{rows}_8/{table}/weights_0"] = np.full((rows, 8), number, "float32")
    write(tmp_path / "t2t" / "model.ckpt-9", {**model, **state(model, step=9)})
    hparams = {**HPARAMS, "shared_embedding_and_softmax_weights": False}
    (tmp_path / "t2t" / "hparams.json").write_text(json.dumps(hparams), encoding="utf-8")
    assert run([*words, "--vocabulary", "target.subwords"]) == 0
    found = restored("run")
    sides = found.assembly.problem.vocabularies()
    assert (sides["inputs"].size, sides["targets"].size) == (source.size, target.size)
    kept = [found.assembly.model.inputs_embedding, found.assembly.model.targets_embedding, found.assembly.model.head]
    assert [float(ops.mean(layer.table)) for layer in kept] == [0, 1, 2]
    assert len(Predictor("run")(["the cat"])) == 1


def _hparams(**changes):
    def write_it(folder):
        (folder / "t2t" / "hparams.json").write_text(json.dumps({**HPARAMS, **changes}), encoding="utf-8")

    return write_it


def _checkpoint(**changes):
    """Writes a newer one with other arrays by short names; None leaves one out."""

    def write_it(folder):
        model = variables(vocabulary().size)
        content = {**model, **state(model), **{SHORT[name]: value for name, value in changes.items()}}
        content = {name: value for name, value in content.items() if value is not None}
        write(folder / "t2t" / "model.ckpt-8", content)

    return write_it


def _vocabulary(change):
    return lambda folder: (folder / "v.subwords").write_bytes(change((folder / "v.subwords").read_bytes()))


def _leave(folder):
    pass


def _take(folder):
    (folder / "run").mkdir()
    (folder / "run" / "thesis.tex").write_text("x")


def _remove(path):
    return lambda folder: (folder / path).unlink()


def _cut(path):
    return lambda folder: (folder / path).write_bytes((folder / path).read_bytes()[:-200])


LAYER = "transformer/body/encoder/layer_0"
QUERY = f"{LAYER}/self_attention/multihead_attention/q/kernel"
SHORT = {
    "query": QUERY,
    "query_slot": f"training/{QUERY}/Adam_1",
    "gate": f"{LAYER}/moe/gate",
    "second_query": QUERY.replace("layer_0", "layer_1"),
}
# What is done to the files, further words of the command, the exit status, and what must be told.
BAD = {
    "a variable is missing": (
        _checkpoint(query=None),
        [],
        4,
        ["encoder/layer_0/self_attention/multihead_attention/q/kernel is missing"],
    ),
    "a slot is missing": (_checkpoint(query_slot=None), [], 4, ["q/kernel (of Adam's velocities) is missing"]),
    "an unknown variable": (_checkpoint(gate=np.ones(2, "float32")), [], 4, ["layer_0/moe/gate"]),
    "a further layer": (_hparams(num_encoder_layers=2), [], 4, ["encoder/layer_1/", "is missing"]),
    "fewer layers": (
        _checkpoint(second_query=np.ones((8, 8), "float32")),
        [],
        4,
        ["layer_1/self_attention/multihead_attention/q/kernel is not in the model of the hparams"],
    ),
    "another width": (_hparams(filter_size=16), [], 4, ["conv1/kernel has shape [8, 12], in the model of the hparams [8, 16]"]),
    "another vocabulary": (
        _vocabulary(lambda data: vocabulary(40).contents()["vocabulary.subwords"]),
        [],
        3,
        [
            "the vocabulary of the targets has 40 entries",
            "has 47 rows. Give the vocabulary that the model was trained with",
        ],
    ),
    "a cut vocabulary": (_vocabulary(lambda data: data[:-5]), [], 3, ["v.subwords", "the file is cut"]),
    "a vocabulary without its last lines": (
        _vocabulary(lambda data: data[: data.rindex(b"\n", 0, len(data) - 9) + 1]),
        [],
        3,
        ["v.subwords", "cut"],
    ),
    "no vocabulary": (_remove("v.subwords"), [], 2, ["problem.vocabulary.path:", "v.subwords' does not exist"]),
    "an unknown option": (
        _hparams(num_head=2),
        [],
        2,
        ["hparams.json: 1 of the options", "num_head is unknown. Did you mean 'num_heads'"],
    ),
    "unsupported options": (
        _hparams(self_attention_type="dot_product_relative_v2", weight_decay=1.0),
        [],
        2,
        [
            "2 of the options",
            "self_attention_type",
            "needs that kind of attention",
            "weight_decay = 1.0 needs an L2 loss",
        ],
    ),
    "a cut hparams file": (_cut("t2t/hparams.json"), [], 2, ["hparams.json: is no JSON"]),
    "no hparams file": (_remove("t2t/hparams.json"), [], 2, ["hparams.json: cannot be read"]),
    "a cut checkpoint": (_cut("t2t/model.ckpt-7.data-00000-of-00001"), [], 4, ["model.ckpt-7' is damaged"]),
    "no checkpoint": (_remove("t2t/model.ckpt-7.index"), [], 4, ["t2t' holds no TensorFlow checkpoint"]),
    "another kind of problem": (_leave, ["--problem", "image_cifar10"], 2, ["--problem: 'image_cifar10'", "pictures"]),
    "a bad override": (_leave, ["problem.train_file=x"], 2, ["problem.train_file:", "'train_files'"]),
    "missing texts": (_leave, ["problem.train_files=x.tsv"], 2, ["problem.train_files: 'x.tsv' does not exist"]),
    "the folder is taken": (_take, [], 4, ["'run' exists and is not empty"]),
    "not finite": (
        _checkpoint(query=np.full((8, 8), np.nan, "float32")),
        [],
        6,
        ["encoder.layers.0.attention.sublayer.query.kernel"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line_its_status_and_nothing_half_written(case, words, tmp_path, capsys):
    harm, further, status, told = BAD[case]
    harm(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run([*words, *further]) == status
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t:")]
    assert len(errors) == 1, errors
    missing = [part for part in told if part not in errors[0]]
    assert not missing, errors[0]
    assert sorted(tmp_path.rglob("*")) == before
