import numpy as np
import pytest
from upstream_checkpoint import state, variables, write

from kt2t.errors import RunError
from kt2t.tensor2tensor.checkpoint import find, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("t2t")
    model = variables(20)
    write(where / "model.ckpt-7", {**model, **state(model)})
    write(where / "model.ckpt-10", variables(20, seed=1))
    return where


def test_weights_adams_state_and_the_step(folder):
    model, found = variables(20), read(folder / "model.ckpt-7")
    assert found.step == 7 and found.target_space == 5
    shards = [model[f"transformer/symbol_modality_20_8/shared/weights_{n}"] for n in range(3)]
    np.testing.assert_array_equal(found.weights["targets_embedding.table"], np.concatenate(shards))
    path = "decoder.layers.0.cross_attention.sublayer.value.kernel"
    name = "transformer/body/decoder/layer_0/encdec_attention/multihead_attention/v/kernel"
    np.testing.assert_array_equal(found.weights[path], model[name])
    assert set(found.weights) == set(found.momentums) == set(found.velocities)
    assert (found.momentums[path] == -0.25).all() and (found.velocities[path] == 0.25).all()


def test_the_newest_of_a_folder_and_one_without_state(folder):
    found = read(folder)
    assert found.path.name == "model.ckpt-10" and found.step == 10
    assert found.momentums == {} == found.velocities and found.target_space is None


@pytest.mark.parametrize("name", ["model.ckpt-7", "model.ckpt-7.index", "model.ckpt-7.data-00000-of-00001"])
def test_any_file_of_a_checkpoint_names_it(folder, name):
    assert find(folder / name) == folder / "model.ckpt-7"


def test_tensor2tensors_own(tensor2tensor):
    found = read(tensor2tensor / "checkpoint")
    assert found.step == 1 and found.target_space == 8
    assert found.weights["targets_embedding.table"].shape == (8190, 16)
    assert sum(value.size for value in found.weights.values()) == 139_200


def test_what_is_no_part_of_the_transformer_is_named(tmp_path):
    strange = {f"transformer/body/encoder/layer_0/moe/expert_{n}/kernel": np.zeros(2, "float32") for n in range(12)}
    write(tmp_path / "m", {**variables(20), **strange})
    with pytest.raises(RunError, match=r"layer_0/moe/expert_0/kernel, .* and 4 more"):
        read(tmp_path / "m")


def test_none_and_a_damaged_one(folder, tmp_path):
    with pytest.raises(RunError, match="no file in it ends in .index"):
        read(tmp_path)
    with pytest.raises(RunError, match=r"model.ckpt-8.index' does not exist"):
        read(folder / "model.ckpt-8")
    for suffix in (".index", ".data-00000-of-00001"):
        for other in (".index", ".data-00000-of-00001"):
            data = (folder / f"model.ckpt-7{other}").read_bytes()
            (tmp_path / f"m{other}").write_bytes(data[: len(data) // 2] if other == suffix else data)
        with pytest.raises(RunError, match="is damaged: "):
            read(tmp_path / "m")
