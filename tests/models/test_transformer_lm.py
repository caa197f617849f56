"""The language model."""

from __future__ import annotations

import numpy as np
import pytest
from harness import counted_on_tensorflow
from model_harness import check_learns, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Beam, Greedy, Sample
from kt2t.features import Text
from kt2t.layers import NoPositions, RelativeAttention
from kt2t.models import TransformerLM
from kt2t.ops.paths import attribute_paths

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}
FEATURES = {"targets": Text(12)}
PROMPTS = {"targets": np.array([[4, 5, 6], [7, 9, 9]]), "targets_segments": np.array([[1, 1, 1], [1, 0, 0]])}


def batch():
    return {name: value for name, value in text_batch().items() if name.startswith("targets")}


def random_model(**options):
    model = TransformerLM(FEATURES, **SIZES, **options)
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.5)
    return model


@pytest.mark.parametrize("tie", ["all", "none"])
def test_it_is_a_model_like_any(tie, tmp_path):
    check_model(lambda: TransformerLM(FEATURES, **SIZES, dropout=0.0, tie=tie), batch(), (8, 5, 12), tmp_path)


def test_it_learns():
    given = batch()
    given["targets"][:, 0] = np.arange(2, 10)  # after which everything is certain
    weight = (given["targets_segments"] > 0).astype("float32")
    weight[:, 0] = 0
    check_learns(TransformerLM(FEATURES, **SIZES, dropout=0.0), given, given["targets"], weight)


def test_it_continues_a_prompt_as_full_recomputation_does():
    model = random_model()
    found = model.generate(PROMPTS, Greedy(), length=8)
    prompt = PROMPTS["targets"] * PROMPTS["targets_segments"]
    ids, scores = greedy_by_recomputation(model, {"targets": PROMPTS["targets"]}, 8, prompt)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)


@pytest.mark.parametrize("search", [Beam(3, n_best=3), Sample(seed=3)])
def test_every_search_obeys_the_prompt(search):
    ids = random_model().generate(PROMPTS, search)["ids"]
    assert (ids[0, :, :3] == [4, 5, 6]).all()
    assert (ids[1, :, :1] == [7]).all()
    assert ids.shape[2] <= 3 + search.extra_length


def test_another_draw_is_another_text_by_the_same_graph():
    model, prompt = random_model(), {"targets": np.zeros((2, 0), "int32")}
    traces, compiled = [], model._compiled

    def counted(function):
        def seen(given):
            traces.append(1)
            return function(given)

        return compiled(seen)

    model._compiled = counted
    first, again, other = (
        model.generate(prompt, Sample(temperature=5.0), length=16, draw=draw)["ids"].tolist() for draw in (0, 0, 1)
    )
    assert first == again != other
    assert len(traces) <= 2, "traced anew for a draw"


def test_an_empty_prompt():
    ids = random_model().generate({"targets": np.zeros((2, 0), "int32")}, length=4)["ids"]
    assert ids.shape[:2] == (2, 1)


def test_every_layer_has_the_model_s_precision():
    model = TransformerLM(FEATURES, **SIZES, tie="none", dtype="mixed_bfloat16")
    assert {layer.compute_dtype for layer in model._flatten_layers()} == {"bfloat16"}


@counted_on_tensorflow
@pytest.mark.parametrize(
    ("options", "tables", "count"),
    [
        ({"hidden_dim": 1024, "intermediate_dim": 4096, "norm": "post", "tie": "none"}, 2, 142_661_632),
        ({}, 1, 35_680_256),
    ],
    ids=["attention_lm_base", "transformer_base without inputs"],
)
def test_tensor2tensors_sets_have_their_number_of_weights(options, tables, count):
    """One block counts six times, and a small vocabulary stands for one of 32,768."""
    text = Text(50)
    model = TransformerLM({"targets": text}, num_layers=1, **options)
    model.build()
    blocks = 5 * model.decoder.layers[0].count_params()
    rows = tables * (32_768 - text.vocabulary_size) * options.get("hidden_dim", 512)
    assert model.count_params() + blocks + rows == count


def test_distances_are_not_counted_through_padding():
    assert TransformerLM(FEATURES, **SIZES, attention=RelativeAttention(2, 3))
    features = {"inputs": Text(12), **FEATURES}
    with pytest.raises(ValueError, match="attention: RelativeAttention would count the padding"):
        TransformerLM(features, **SIZES, attention=RelativeAttention(2, 3))


def test_relative_attention_continues_a_prompt_as_full_recomputation_does():
    model = random_model(attention=RelativeAttention(2, 3), positions=NoPositions())
    found = model.generate(PROMPTS, Greedy(), length=8)
    prompt = PROMPTS["targets"] * PROMPTS["targets_segments"]
    ids, scores = greedy_by_recomputation(model, {"targets": PROMPTS["targets"]}, 8, prompt)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
