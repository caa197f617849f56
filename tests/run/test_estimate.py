import pytest

from kt2t.recipe_file import load
from kt2t.run.estimate import activations, by_part, estimate, product_rate, step_flop


@pytest.fixture
def tiny(tiny_transformer):
    return tiny_transformer


def test_parameters_of_each_part_add_up(tiny):
    cost = estimate(load(str(tiny)))
    assert sum(cost.parameters.values()) == cost.total
    hidden, inner, words = 16, 32, 5 + 2
    norm = 2 * hidden
    feed_forward = hidden * inner + inner + inner * hidden + hidden
    attention = 4 * hidden * hidden
    expected = (
        words * hidden + (attention + feed_forward + 2 * norm) + norm + (2 * attention + feed_forward + 3 * norm) + norm
    )
    assert cost.total == expected
    assert cost.memory_bytes > 16 * cost.total and cost.step_seconds > 0


@pytest.mark.parametrize(("recipe", "parameters"), [("wmt_ende_base", 60_880_896), ("wmt_ende_big", 209_842_176)])
def test_transformer_base_and_big_have_upstreams_parameters(recipe, parameters, tmp_path):
    """60,897,280 less the 32 × 512 target-space table, and 209,874,944 less 32 × 1024: that field is not read here."""
    (tmp_path / "pairs.tsv").write_text("a\tb\n")
    cost = estimate(
        load(f"translation/{recipe}", [f"problem.train_files=['{tmp_path / 'pairs.tsv'}']", "train.dtype=float32"])
    )
    assert cost.assumed_vocabulary and cost.total == parameters


def test_work_and_memory_by_hand():
    shapes = {"embedding.table": (100, 8), "dense.kernel": (8, 32), "dense.bias": (32,)}
    assert step_flop(shapes, 10) == 6 * 10 * (800 + 256)
    assert activations(shapes) == 2 * (8 + 32) + 3 * 100
    blocks = {
        "in.kernel": (8, 4),
        "layers.0.a.kernel": (4, 6),
        "layers.0.b.kernel": (6, 4),
        "layers.1.a.kernel": (4, 20),
    }
    assert activations(blocks) == 2 * (4 + 10 + 20)
    assert activations(blocks, recompute=True) == 2 * (4 + 20) + 2 * 4
    sizes = {"encoder.layers.0.a.kernel": 3, "encoder.layers.1.a.kernel": 4, "table": 5}
    assert by_part(sizes) == {"encoder.layers": 7, "table": 5}
    assert product_rate("float32", size=64, seconds=0.01) > 0


def test_micro_batches_and_recomputation_take_less_memory(tiny):
    def of(*overrides):
        return estimate(load(str(tiny), ["train.dtype=float32", *overrides]))

    whole, parts, again = of(), of("train.micro_batches=4"), of("model.recompute=true")
    assert parts.memory_bytes - 20 * whole.total == pytest.approx((whole.memory_bytes - 16 * whole.total) / 4, rel=0.01)
    assert again.memory_bytes < whole.memory_bytes and again.step_flop == pytest.approx(whole.step_flop * 4 / 3)
