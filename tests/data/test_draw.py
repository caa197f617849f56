import numpy as np

from kt2t.data.draw import Draw


def test_the_same_draw_gives_the_same_numbers_and_another_one_gives_others():
    def first(*of):
        return Draw(*of).generator().integers(2**62)

    assert first(1, 2, 3) == first(1, 2, 3)
    others = [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1)]
    assert len({first(*of) for of in others}) == len(others)


def test_numbers_of_neighbours_are_not_alike():
    found = np.stack([Draw(0, 0, index).generator().normal(size=64) for index in range(64)])
    assert abs(np.corrcoef(found)[np.triu_indices(64, 1)]).mean() < 0.2
