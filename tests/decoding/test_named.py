import pytest

from kt2t.decoding import Beam, Greedy
from kt2t.decoding.named import search_of


def test_a_search_may_be_an_object_a_node_or_a_name():
    beam = Beam(beams=3)
    assert search_of(beam) is beam and type(search_of(None)) is Greedy
    assert search_of({"type": "Beam", "beams": 3}).beams == 3
    assert type(search_of("beam")) is Beam and type(search_of("Greedy")) is Greedy and search_of("beam").beams == 4


@pytest.mark.parametrize("given", ["bean", 4, Beam, ["beam"], {"beams": 4}])
def test_anything_else_is_refused_with_what_to_give(given):
    with pytest.raises(ValueError, match=r"search: .* is none\. Give one such as kt2t\.decoding\.Beam\(beams=4\)"):
        search_of(given)
    if given == "bean":
        with pytest.raises(ValueError, match="Did you mean 'Beam'"):
            search_of(given)
