"""Cutting pictures to one size: at random in training, from the centre otherwise."""

from __future__ import annotations

import math

import numpy as np

Box = tuple[float, float, float, float]
TRIES = 10


def random_box(
    size: tuple[int, int],
    generator: np.random.Generator,
    area: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Box:
    """Draws a rectangle inside a picture, with a random area and a random shape.

    Its share of the picture's area is uniform, and so is the logarithm of width ÷ height. If ten draws do not fit into the
    picture, the result is the largest rectangle in the centre whose shape is allowed.

    Args:
        size: Height and width of the picture.
        generator: Where the draws come from.
        area: The smallest and the largest share of the picture's area.
        ratio: The smallest and the largest width ÷ height.

    Returns:
        Left, top, right and bottom, in pixels.

    Source: Szegedy et al. 2015, section 6.
    """
    height, width = size
    for _ in range(TRIES):
        share = generator.uniform(*area) * height * width
        shape = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide, high = round(math.sqrt(share * shape)), round(math.sqrt(share / shape))
        if 0 < wide <= width and 0 < high <= height:
            left, top = generator.integers(width - wide + 1), generator.integers(height - high + 1)
            return float(left), float(top), float(left + wide), float(top + high)
    return centre_box(size, min(max(width / height, ratio[0]), ratio[1]))


def centre_box(size: tuple[int, int], ratio: float, share: float = 1.0) -> Box:
    """Computes the rectangle of a given shape in the centre of a picture.

    Args:
        size: Height and width of the picture.
        ratio: Width ÷ height of the part.
        share: The part's height and width, as a share of the largest part of this shape.

    Returns:
        Left, top, right and bottom, in pixels; whole only by chance.
    """
    height, width = size
    wide = min(width, height * ratio) * share
    high = wide / ratio
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, left + wide, top + high


def resized(pixels: np.ndarray, size: tuple[int, int], box: Box | None = None) -> np.ndarray:
    """Resizes a part of a picture, by bilinear interpolation with antialiasing.

    Shapes:
        pixels (height, width, channels) uint8 → (*size, channels) uint8

    Args:
        pixels: The picture, with 1 or 3 channels.
        size: Height and width of the result.
        box: The part, as left, top, right and bottom; the whole picture if None.
    """
    from PIL import Image

    grey = pixels.shape[2] == 1
    picture = Image.fromarray(pixels[:, :, 0] if grey else pixels)
    array = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box))
    return array[:, :, np.newaxis] if grey else array


def augmented(
    pixels: np.ndarray,
    size: tuple[int, int],
    generator: np.random.Generator,
    area: tuple[float, float] = (0.08, 1.0),
    flip: bool = True,
) -> np.ndarray:
    """Cuts out a random part of a picture, resizes it, and mirrors it left to right half of the time.

    Shapes:
        pixels (height, width, channels) uint8 → (*size, channels) uint8

    Args:
        pixels: The picture.
        size: Height and width of the result.
        generator: Where the draws come from.
        area: See `random_box`.
        flip: Whether to mirror at all; pictures of letters and digits should not be mirrored.
    """
    part = resized(pixels, size, random_box(pixels.shape[:2], generator, area))  # type: ignore[arg-type]
    mirrored = flip and generator.random() < 0.5
    return np.ascontiguousarray(part[:, ::-1]) if mirrored else part
