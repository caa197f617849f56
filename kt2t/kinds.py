"""The kinds of classes that a recipe or a script names: problems, models, vocabularies, … and where each kind is."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass

from kt2t import registry
from kt2t.options import nearest

ABSTRACT = {"Model", "Search", "Decodes"}  # classes to inherit from, besides the `BASES` of a package


@dataclass(frozen=True)
class Kind:
    """Where the classes of a kind are: our package, which of its modules, and Keras's module of such classes."""

    room: str
    holds: Callable[[str], bool] = lambda module: True
    of_keras: str | None = None

    def ours(self) -> dict[str, str]:
        """Returns the modules below the package by the names of the classes that can be chosen."""
        left_out = {*ABSTRACT, *getattr(importlib.import_module(self.room), "BASES", ())}
        table = sorted(registry.table(self.room).items())
        return {n: module for n, module in table if n[:1].isupper() and self.holds(module) and n not in left_out}

    def of_keras_alone(self) -> list[str]:
        """Returns the names of Keras's classes of this kind that none of ours has."""
        ours = self.ours()
        return [name for name in registry.keras_names(self.of_keras) if name not in ours] if self.of_keras else []


def _below(*modules: str) -> Callable[[str], bool]:
    return lambda module: module.partition(".")[0] in modules


KINDS = {
    "problems": Kind("kt2t.data", lambda module: not _below("vocabularies", "curricula")(module)),
    "models": Kind("kt2t.models"),
    "layers": Kind("kt2t.layers"),
    "vocabularies": Kind("kt2t.data", _below("vocabularies")),
    "optimizers": Kind("kt2t.training", _below("optimizers"), "keras.optimizers"),
    "schedules": Kind("kt2t.training", _below("schedules", "decays"), "keras.optimizers.schedules"),
    "feeds": Kind("kt2t.training", _below("feeds")),
    "losses": Kind("kt2t.losses", of_keras="keras.losses"),
    "metrics": Kind("kt2t.metrics", of_keras="keras.metrics"),
    "scores": Kind("kt2t.scores"),
    "searches": Kind("kt2t.decoding"),
    "callbacks": Kind("kt2t.callbacks"),
}
# The kind that the option of a recipe holds.
OF_SLOT = {
    "problem": "problems",
    "model": "models",
    "vocabulary": "vocabularies",
    "source_vocabulary": "vocabularies",
    "target_vocabulary": "vocabularies",
    "optimizer": "optimizers",
    "learning_rate": "schedules",
    "feed": "feeds",
    "loss": "losses",
    "metric": "metrics",
    "decode": "searches",
}


def what_there_is(name: str, slot: str) -> str:
    """Returns the names that are like a misspelt one; for a name that is like none, all there are, problems by task.

    Args:
        name: The unknown `type`.
        slot: The option that holds it.
    """
    if slot not in OF_SLOT:
        return nearest(name, registry.names(slot), count=3)
    kind = KINDS[OF_SLOT[slot]]
    ours, theirs = kind.ours(), kind.of_keras_alone()
    if difflib.get_close_matches(name.lower(), [one.lower() for one in (*ours, *theirs)], n=1, cutoff=0.7):
        return nearest(name, [*ours, *theirs], count=3)
    by_task: dict[str, list[str]] = {}
    for one, module in ours.items():
        task, dot, _ = module.partition(".")
        by_task.setdefault(task if dot and slot == "problem" else "", []).append(one)
    told = "; ".join(f"{task}: {', '.join(names)}" if task else ", ".join(names) for task, names in by_task.items())
    keras = ", and Keras's own" if theirs else ""
    return f"There are: {told}{keras}. See `kt2t list {OF_SLOT[slot]}`."
