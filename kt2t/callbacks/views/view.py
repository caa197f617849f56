"""The base class of views: pictures and texts that show what a model does during training."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kt2t.callbacks.pace import step_of


class View(keras.callbacks.Callback):
    """Renders texts and pictures of a model; `TensorBoard` shows them at each evaluation.

    Subclasses implement `render`. Used as a callback, a view writes its texts and pictures to files at each epoch end.

    Args:
        folder: Folder for `step-N/` folders with the files. None writes no files.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        super().__init__()
        self.folder = Path(folder) if folder is not None else None

    def render(self, model: Any) -> Mapping[str, str | bytes]:
        """Returns texts in Markdown (str) and pictures as PNG files (bytes), by tag; empty if there is nothing to show."""
        raise NotImplementedError(f"{type(self).__name__} must define render(model).")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.folder is None:
            return
        folder = self.folder / f"step-{step_of(self.model)}"
        for tag, shown in self.render(self.model).items():
            folder.mkdir(parents=True, exist_ok=True)
            name = tag.replace("/", "-")
            if isinstance(shown, bytes):
                (folder / f"{name}.png").write_bytes(shown)
            else:
                (folder / f"{name}.md").write_text(shown, encoding="utf-8")


def proposed(
    problem: Any,
    search: Any = None,
    samples: int = 5,
    attention_maps: bool = True,
    sample: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Builds the views that `problem.views()` proposes, and returns them in a list.

    Each proposal is a view object or a node `{type: Name, …}`. The constructor for a node also gets the arguments
    `problem`, `search`, `samples` and `sample`, if it has them.

    Args:
        search: How to decode; by default the model's own search.
        samples: Number of examples to decode; 0 leaves out the view of decoded examples.
        attention_maps: Whether to draw attention.
        sample: Features of a batch to show, in place of the problem's sample.
    """
    from kt2t.registry import lookup

    wanted = {"DecodedText": samples > 0, "AttentionMaps": attention_maps}
    given = {"problem": problem, "search": search, "samples": samples, "sample": sample}
    found: list[Any] = []
    for node in problem.views():
        if not isinstance(node, Mapping):
            found.append(node)
        elif wanted.get(node["type"], True):
            cls = lookup(node["type"])
            takes = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
            options = {name: value for name, value in given.items() if name in takes and (name != "samples" or value)}
            found.append(cls(**{**options, **{name: value for name, value in node.items() if name != "type"}}))
    return found


def rendered(views: Sequence[Any], model: Any) -> dict[str, str | bytes]:
    """Renders all views, and returns their texts and pictures by tag."""
    found: dict[str, str | bytes] = {}
    for view in views:
        found.update(view.render(model))
    return found
