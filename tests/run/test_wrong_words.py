import pytest

from kt2t.run.wrong_words import as_override, of_tensor2tensor


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "quickstart", "--steps", "5"], "train.steps=5."),
        (["train", "--steps=5", "quickstart"], "train.steps=5."),
        (["train", "quickstart", "--steps-per-call=5"], "train.steps_per_call=5."),
        (["train", "quickstart", "--patience"], "report.patience=VALUE."),
        (["train", "quickstart", "--num-layers", "6"], "model.num_layers=6."),
        (["prepare", "translation/own", "--train_files", "a.tsv"], "problem.train_files=a.tsv."),
        (["explain", "quickstart", "--beta-2=0.9"], "optimizer.beta_2=0.9."),
        (["train", "nothing", "--num_layers", "6"], ""),
        (["train", "quickstart", "--features", "6"], "model.features"),
        (["train", "quickstart", "--wings", "2"], ""),
    ],
)
def test_an_option_of_a_recipe_is_pointed_to_with_its_value(words, expected):
    option = next(word.partition("=")[0] for word in words if word.startswith("-"))
    assert expected in as_override(option, words) if expected else not as_override(option, words)


def test_import_t2t_has_such_options_itself():
    assert not of_tensor2tensor(["import-t2t", "--problem=translate_ende_wmt32k", "--hparamss=x"])
    assert of_tensor2tensor(["train", "--problem=image_mnist"]).startswith("The recipe for Tensor2Tensor's 'image_mnist'")
    assert not of_tensor2tensor([])
