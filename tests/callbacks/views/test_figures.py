"""What the pictures of all views share."""

from __future__ import annotations

import io
import warnings

from PIL import Image

from kt2t.callbacks.views.figures import page, png_of, shortened, text_options


def test_a_page_has_its_size_and_any_script_without_a_warning():
    figure = page(120, 80)
    figure.text(0.1, 0.5, "$x_1$ 𒀀 中文", **text_options())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = png_of(figure)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (120, 80)


def test_long_texts_are_one_short_line():
    assert shortened("abc\ndef\tg", 20) == "abc⏎def⇥g" and shortened("abcdef", 4) == "abc…"
