import pytest

from kt2t.features import Audio


def test_a_position_is_so_many_milliseconds_of_samples():
    assert Audio().values_per_position == 640
    assert Audio(8000, 20).values_per_position == 160
    assert Audio(8000, 20).positions([0, 1, 160, 161, 1600]).tolist() == [0, 1, 1, 2, 10]


@pytest.mark.parametrize("options", [(-1,), (16_000, 30), (22_050,)])
def test_impossible_rates_are_refused(options):
    with pytest.raises(ValueError, match="^(rate|milliseconds): "):
        Audio(*options)
