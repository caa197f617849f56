"""A search from what a script gives: a search, its node, or its name."""

from __future__ import annotations

from typing import Any

from kt2t.decoding.greedy import Greedy
from kt2t.decoding.search import Search
from kt2t.errors import RecipeError
from kt2t.options import nearest
from kt2t.registry import build, names


def search_of(given: Any) -> Search:
    """Returns a search from an object, a node or the name of a class in any case, such as `"beam"`; `Greedy` for None.

    Raises:
        ValueError: There is no such search.
    """
    if given is None:
        return Greedy()
    if isinstance(given, str):
        found = {name.lower(): name for name in names("search")}.get(given.lower())
        given = given if found is None else build({"type": found}, "search", "search")
    else:
        given = build(given, "search", "search")
    if isinstance(given, Search):
        return given
    hint = nearest(given, names("search")) if isinstance(given, str) else ""
    raise RecipeError(f"search: {given!r} is none. Give one such as kt2t.decoding.Beam(beams=4). {hint}".rstrip())
