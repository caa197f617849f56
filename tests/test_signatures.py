import importlib

import pytest

from kt2t import registry
from kt2t.options import options
from kt2t.signatures import static_options

SECTIONS = [("problem", "kt2t.data"), ("model", "kt2t.models"), ("layer", "kt2t.layers"), ("decode", "kt2t.decoding")]
NO_NODES = {"Memory"}  # what an encoder returns; no recipe makes one
OURS = [
    (slot, room, name)
    for slot, room in SECTIONS
    for name in registry.table(room)
    if name[0].isupper() and name not in NO_NODES
]


@pytest.mark.parametrize(("slot", "room", "name"), OURS)
def test_read_from_source_equals_the_imported_signature(slot, room, name):
    cls = getattr(importlib.import_module(room), name)
    found = static_options(name, slot)
    assert found is not None
    known = options(cls)
    assert set(found) - {"name", "dtype", "trainable"} == set(known)
    assert {n for n, required in found.items() if required} == {n for n, p in known.items() if p.default is p.empty}


def test_optimizers_of_keras_are_read_without_importing_keras():
    found = static_options("SGD", "optimizer")
    assert found is not None and {"learning_rate", "momentum", "nesterov", "clipnorm"} <= set(found)


def test_what_only_an_import_can_tell_is_left_open():
    assert static_options("NoSuchThing", "model") is None
