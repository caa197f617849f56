"""The base class of features: a field's shape and limits, and the facts that the reader, the plan and models need.

A feature is the socket between problems and models. It knows neither files nor layers. A new kind of feature is one
class, in a file beside this one or in a user's own module. If models read it, register its layer with
`kt2t.layers.embed`; if they predict it, with `kt2t.layers.head`. Nothing else changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

PADDING = 0
END = 1


class Feature:
    """Base class of features: describes the shape, dtype and limits of one field of an example.

    A field of variable length comes with a companion `<field>_segments` (batch, time) int32: 0 marks padding, and 1, 2, …
    number the examples in a packed row.

    Attributes:
        shape: Shape without the batch axis; None where a size varies.
        dtype: NumPy's name of the element type.
        is_fed_back: A single target of this kind is also handed to the model, as `targets` among the features, so that
            the model predicts each position from the earlier ones.
        is_packable: Several examples can share a row, told apart by segments.
        shares_segments_with: Name of the field whose segments this one shares, position for position; None if it has its
            own.
        is_storage: The field stands only in records; `Problem.transform` decodes it before a model sees it.
        values_per_position: How many raw values make one position of a model, rounded up.
    """

    shape: tuple[int | None, ...] = ()
    dtype = "int32"
    is_fed_back = False
    is_packable = False
    is_storage = False
    shares_segments_with: str | None = None
    values_per_position = 1

    @property
    def has_segments(self) -> bool:
        """True if the field has a variable length and so comes with a `_segments` companion."""
        return None in self.shape

    @property
    def limits(self) -> tuple[int, int] | None:
        """Returns the smallest and the largest allowed value; None if any finite value is allowed."""
        return None

    def positions(self, lengths: Any) -> np.ndarray:
        """Returns how many positions a model makes from fields of the given lengths.

        Shapes:
            lengths (examples,) in raw values → (examples,) int64
        """
        return -(-np.asarray(lengths, np.int64) // self.values_per_position)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._options() == other._options()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, *sorted(self._options().items())))

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options().items() if value is not None)
        return f"{type(self).__name__}({options})"

    def _options(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Spreads out a dict of targets: `{"targets": {"tags": x}}` becomes `{"targets.tags": x}`.

    Args:
        fields: Features, arrays or anything else by field. A value that is a dict is spread, one level deep.
    """
    spread: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            spread.update({f"{name}.{key}": one for key, one in value.items()})
        else:
            spread[name] = value
    return spread
