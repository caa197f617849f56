"""Makes figures: an empty page, fonts for all scripts, and PNG files."""

from __future__ import annotations

import functools
import io
import warnings
from typing import Any

DPI = 100
_FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Droid Sans Fallback", "Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari",
)  # fmt: skip


def page(width: float, height: float) -> Any:
    """Makes an empty white matplotlib figure of `width` × `height` pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Any) -> bytes:
    """Renders a figure as a PNG file. A character that is in no installed font becomes a box, without a warning."""
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure.savefig(held, format="png", dpi=DPI)
    return held.getvalue()


def text_options() -> dict[str, Any]:
    """Returns matplotlib options for text from data: fonts for all scripts, and no TeX markup."""
    return {"fontfamily": list(_fonts()), "parse_math": False}


def shortened(text: str, length: int) -> str:
    """Shortens a text to one line of a maximum number of characters."""
    text = text.replace("\n", "⏎").replace("\t", "⇥")
    return text if len(text) <= length else text[: length - 1] + "…"


@functools.cache
def _fonts() -> tuple[str, ...]:
    """Returns DejaVu Sans, which comes with matplotlib, then installed fonts for other scripts."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed))
