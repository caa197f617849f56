import keras
import pytest

from kt2t import registry
from kt2t.errors import DataError, RecipeError, RunError
from kt2t.recipe import Recipe
from kt2t.recipe_file import load
from kt2t.run import assemble as assembling


def _assembled(file, *overrides):
    recipe = load(str(file), overrides)
    recipe.check()
    problem = assembling.problem_of(recipe)
    problem.prepare()
    return assembling.assemble(recipe, problem)


@pytest.fixture
def tiny(tiny_transformer):
    return tiny_transformer


def test_a_recipe_becomes_a_compiled_model_that_fits_its_problem(tiny):
    assembly = _assembled(tiny)
    assert assembly.model.built and assembly.model.optimizer.built
    targets = assembly.problem.features()["targets"]
    batch, ids, weights = next(iter(assembly.problem.batches("validation", rows=4)))
    assert assembly.model(batch).shape == (*ids.shape, targets.vocabulary_size)
    assert type(assembly.search).__name__ == "Greedy"
    assert keras.config.dtype_policy().name == "float32"


def test_the_same_seed_gives_the_same_weights(tiny):
    first, again, other = (
        [v.numpy() for v in _assembled(tiny, f"train.seed={seed}").model.weights] for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_the_full_recipe_has_every_default_and_builds_the_same(tiny):
    assembly = _assembled(tiny)
    full = assembly.full
    assert full.nodes["optimizer"]["beta_1"] == pytest.approx(0.9)
    assert full.nodes["model"]["norm"] == "pre" and "features" not in full.nodes["model"]
    assert full.nodes["train"]["seed"] == 1 and full.nodes["report"]["keep"] == 3
    again = assembling.assemble(Recipe(**full.nodes), assembly.problem)
    assert registry.describe(again.model, full=True) == registry.describe(assembly.model, full=True)
    assert registry.describe(again.model.optimizer, full=True) == registry.describe(assembly.model.optimizer, full=True)


@pytest.mark.parametrize("dtype", ["auto", "mixed_float16"])
def test_the_full_recipe_builds_under_every_dtype(tiny, dtype):
    overrides = [f"train.dtype={dtype}", "optimizer.global_clipnorm=1.0"]
    full = _assembled(tiny, *overrides).full
    assert full.nodes["train"]["dtype"] != "auto"
    assert full.nodes["optimizer"]["type"] == "Adam" and full.nodes["optimizer"]["global_clipnorm"] == 1.0
    Recipe(**full.nodes).check()
    again = assembling.assemble(Recipe(**full.nodes), assembling.problem_of(full))
    assert again.full.nodes == full.nodes


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer={type: Noam, hidden_dim: 8}", r"optimizer\.type: 'Noam' is not an optimizer"),
        ("report.decode={type: Decodes}", r"report\.decode\.type: 'Decodes' is not a search"),
        ("report.best=bleuu", r"report\.best: 'bleuu' is not measured"),
        ("report.best=exact_mach", r"report\.best: .* mean 'exact_match'"),
        ("model.attention={type: Attention, num_heads: 3}", r"command line: model.*num_heads: 3 heads do not divide"),
        ("optimizer.gradient_accumulation_steps=2", r"optimizer\.gradient_accumulation_steps"),
        ("train.feed={type: ScheduledSampling, probability: 2}", r"train\.feed\.probability: 2 is not from 0 to 1"),
        ("train.feed=[{type: SymbolDropout, rate: 0.1}, {type: Product}]", r"train\.feed\.1\.factors: Product needs 'factors'"),
        ("train.feed=[{type: Constant, value: 1.0}]", r"train\.feed\.0\.type: 'Constant' does not change what a model"),
        ("train.feed=[{type: SymbolDropout, rat: 0.1}]", r"train\.feed\.0\.rat: SymbolDropout has no option 'rat'"),
        ("train.feed={type: SymbolDrop}", r"train\.feed\.type: no feed is registered as 'SymbolDrop'.*SymbolDropout"),
        ("train.seed=-1", r"train\.seed: -1 is negative"),
        ("report.samples=0", r"report\.samples: 0 is not positive"),
    ],
)
def test_what_does_not_fit_is_told_with_its_path(tiny, override, message):
    with pytest.raises(RecipeError, match=message) as raised:
        _assembled(tiny, override)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("base", ["Problem", "TextToText", "RunningText", "kt2t.data.problem.Problem"])
def test_what_problems_are_made_of_is_none_itself(tiny, base):
    recipe = load(str(tiny), [f"problem={{type: {base}}}"])
    with pytest.raises(RecipeError, match=r"problem\.type: .* has no examples: .*kt2t list problems"):
        assembling.problem_of(recipe)


def test_what_a_constructor_refuses_is_told_with_its_line(tiny):
    with pytest.raises(RecipeError, match=r"tiny\.yaml:3: model\.num_heads: 3 heads do not divide"):
        tiny.write_text(tiny.read_text().replace("num_heads: 2", "num_heads: 3"))
        _assembled(tiny)
    with pytest.raises(RecipeError, match=r"command line: optimizer\.beta_2: 'much' is not a number"):
        tiny.write_text(tiny.read_text().replace("num_heads: 3", "num_heads: 2"))
        _assembled(tiny, "optimizer.beta_2=much")


def test_vocabularies_travel_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    (tmp_path / "pairs.tsv").write_text("".join(f"a b {i}\tc d {i}\n" for i in range(60)))
    recipe = Recipe(
        {"type": "ParallelText", "train_files": [str(tmp_path / "pairs.tsv")], "vocabulary": {"type": "Characters"}},
        {"type": "Transformer"},
        {"type": "Adam"},
    )
    problem = assembling.problem_of(recipe)
    problem.prepare()
    assembling.save_vocabularies(problem, tmp_path / "kept")
    assembling.check_vocabularies(problem, tmp_path / "kept")
    other = assembling.problem_of(recipe)
    assembling.restore_vocabularies(other, tmp_path / "kept")
    assert (
        other.encode({"inputs": "a 1", "targets": "c"})["inputs"].tolist()
        == problem.encode({"inputs": "a 1", "targets": "c"})["inputs"].tolist()
    )
    with pytest.raises(DataError, match="does not exist"):
        assembling.restore_vocabularies(other, tmp_path / "nowhere")
    changed = assembling.problem_of(recipe)
    for vocabulary in changed.vocabularies().values():
        vocabulary.train(["zyx"])
    with pytest.raises(RunError, match="not the one that this run was trained with"):
        assembling.check_vocabularies(changed, tmp_path / "kept")


def test_a_model_is_the_same_whatever_was_made_before_it_in_the_process(tiny):
    names = lambda: [variable.path for variable in _assembled(tiny).model.variables]  # noqa: E731
    assert names() == names()


def test_packed_rows_are_refused_for_a_model_that_would_mix_them(tiny):
    model = (
        "model={type: TransformerLM, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2, prefix: full}"
    )
    batch = "train.batch={tokens: 64, pack: 16}"
    with pytest.raises(RecipeError, match="train.batch.pack: TransformerLM with these options reads one example a row"):
        _assembled(tiny, model, batch)
    assert _assembled(tiny, model.replace("full", "causal"), batch).model.takes_packed_rows


@pytest.mark.parametrize(
    ("backend", "given", "compiled"),
    [("jax", "auto", True), ("tensorflow", "auto", False), ("jax", False, False), ("tensorflow", True, True)],
)
def test_auto_compiles_where_nothing_else_makes_one_computation_of_a_step(monkeypatch, backend, given, compiled):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    assert assembling._is_compiled(given) is compiled
