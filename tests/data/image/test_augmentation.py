"""Cutting and resizing against formulas, and that draws decide everything."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.image.augmentation import augmented, centre_box, random_box, resized


def test_random_boxes_lie_inside_with_the_area_and_the_shape_asked_for():
    boxes = [random_box((300, 400), np.random.default_rng(n), (0.2, 0.5)) for n in range(300)]
    left, top, right, bottom = np.array(boxes).T
    assert (left >= 0).all() and (top >= 0).all() and (right <= 400).all() and (bottom <= 300).all()
    share = (right - left) * (bottom - top) / 120_000
    shape = (right - left) / (bottom - top)
    assert share.min() > 0.19 and share.max() < 0.51 and abs(share.mean() - 0.35) < 0.02
    assert shape.min() > 0.74 and shape.max() < 1.35 and abs(np.log(shape).mean()) < 0.04
    assert left.std() > 30 and top.std() > 20


def test_a_picture_that_no_draw_fits_is_cut_from_its_centre():
    assert random_box((10, 1000), np.random.default_rng(0), (1.0, 1.0)) == (
        pytest.approx(500 - 20 / 3),
        0,
        pytest.approx(500 + 20 / 3),
        10,
    )


@pytest.mark.parametrize(
    "size, ratio, share, box",
    [
        ((100, 200), 1.0, 1.0, (50, 0, 150, 100)),
        ((200, 100), 1.0, 0.5, (25, 75, 75, 125)),
        ((100, 100), 2.0, 1.0, (0, 25, 100, 75)),
    ],
)
def test_the_centre(size, ratio, share, box):
    assert centre_box(size, ratio, share) == pytest.approx(box)


def test_resizing_a_ramp_and_halving_by_means():
    ramp = np.broadcast_to(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], (8, 120, 3))
    found = resized(ramp, (4, 60))
    # away from the edges a triangle of width 2 keeps a ramp: output pixel k looks at input position 2 k + 0.5
    np.testing.assert_allclose(found[1, 2:-2, 0], np.arange(60)[2:-2] * 4 + 1, atol=1)
    assert found.shape == (4, 60, 3)
    np.testing.assert_array_equal(resized(ramp, (8, 120)), ramp)
    grey = resized(ramp[:, :, :1], (8, 10), (20, 0, 30, 8))
    np.testing.assert_array_equal(grey[:, :, 0], ramp[:, 20:30, 0])


def test_the_same_draw_gives_the_same_picture_and_half_are_mirrored():
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    one, other = (augmented(picture, (16, 16), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    ramp = np.broadcast_to(np.arange(0, 200, 4, dtype=np.uint8)[None, :, None], (50, 50, 3))
    falls = [int(one[0, 0, 0]) > int(one[0, -1, 0]) for one in
             (augmented(ramp, (8, 8), np.random.default_rng(n), (0.5, 1.0)) for n in range(400))]  # fmt: skip
    assert 160 < sum(falls) < 240
    kept = [augmented(ramp, (8, 8), np.random.default_rng(n), (0.5, 1.0), flip=False) for n in range(20)]
    assert all(one[0, 0, 0] < one[0, -1, 0] for one in kept)
