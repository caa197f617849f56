import numpy as np
import pytest

from kt2t.layers import Sequence


def test_a_sequence_says_what_it_lacks():
    with pytest.raises(NotImplementedError, match="Sequence must define call"):
        Sequence()(np.zeros((1, 2, 3), "float32"))
    with pytest.raises(NotImplementedError, match="Sequence must define start"):
        Sequence().start(None, None)
