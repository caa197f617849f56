import numpy as np
import pytest

from kt2t.data.algorithmic.reverse_zipf import ReverseZipf


def test_the_target_is_the_input_backwards_and_lengths_are_as_defined():
    lengths = []
    for example in ReverseZipf(train_examples=3000).examples("train"):
        assert example["targets"].tolist() == example["inputs"].tolist()[::-1]
        lengths.append(len(example["inputs"]))
    assert max(lengths) <= 70
    # 1 + whole part of N(35, 7): half a symbol above the mean.
    assert np.mean(lengths) == pytest.approx(35.5, abs=0.6)
    assert np.std(lengths) == pytest.approx(7, abs=0.5)


def test_frequencies_fall_by_the_power_of_the_rank_down_to_the_rarest():
    problem = ReverseZipf(symbols=20, alpha=1.0, train_examples=4000)
    counts = np.bincount(np.concatenate([one["inputs"] for one in problem.examples("train")]), minlength=20)
    assert len(counts) == 20 and problem.vocabulary.size == 22
    expected = 1 / np.arange(1, 21)
    np.testing.assert_allclose(counts / counts.sum(), expected / expected.sum(), rtol=0.1)


def test_a_long_split_may_be_barely_longer():
    lengths = {len(one["inputs"]) for one in ReverseZipf(max_length=20, evaluation_length=21).examples("long", 0, 100)}
    assert lengths == {21}


def test_alpha_must_be_positive():
    with pytest.raises(ValueError, match="alpha: 0.0"):
        ReverseZipf(alpha=0.0)
