"""Names, classes and nodes: register, lookup, build, describe.

A *node* is a plain mapping `{type: Name, option: value, ...}`. Recipes contain nodes, `get_config` returns one, and the
constructor is called with its options. keras is imported only when one of its classes is looked up.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kt2t.errors import RecipeError, UnknownNameError
from kt2t.options import OF_KERAS, below, check, check_given, hands_on, is_keras, nearest, options

ROOMS = (
    "kt2t.data",
    "kt2t.models",
    "kt2t.layers",
    "kt2t.decoding",
    "kt2t.losses",
    "kt2t.metrics",
    "kt2t.scores",
    "kt2t.training",
    "kt2t.callbacks",
    "kt2t.features",
    "kt2t.recipe",
)

# Where a bare `type` is looked up, by the option that holds the node: our packages, then keras's modules.
SLOTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "problem": (("kt2t.data",), ()),
    "vocabulary": (("kt2t.data",), ()),
    "model": (("kt2t.models",), ()),
    "optimizer": (("kt2t.training",), ("keras.optimizers",)),
    "learning_rate": (("kt2t.training",), ("keras.optimizers.schedules",)),
    "feed": (("kt2t.training",), ()),
    "loss": (("kt2t.losses",), ("keras.losses",)),
    "metric": (("kt2t.metrics",), ("keras.metrics",)),
    "decode": (("kt2t.decoding",), ()),
    "search": (("kt2t.decoding",), ()),
    "train": (("kt2t.recipe",), ()),
    "report": (("kt2t.recipe",), ()),
}

# Where a bare `type` of keras is looked up if its option is no slot, for example a layer passed to a layer.
ANYWHERE = ("keras.layers", "keras.initializers", "keras.regularizers", "keras.losses", "keras.optimizers.schedules")

# Their classes describe themselves.
LIBRARIES = ("keras", "keras_hub", "keras_nlp")

_ABSTRACT = {"Optimizer", "Loss", "LearningRateSchedule", "Layer", "Initializer", "Regularizer", "Metric"}
_claimed: dict[str, type] = {}
Class = TypeVar("Class", bound=type)


def exports(package: str, table: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The lazy `__getattr__` and `__dir__` of a package whose public names are `table` (name → module below it).

    Also sets the package's `__all__`, so that `from package import *` imports these names.
    """
    sys.modules[package].__dict__["__all__"] = sorted(table)

    def __getattr__(name: str) -> Any:
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{table[name]}"), name)

    return __getattr__, lambda: sorted(table)


def register(cls: Class) -> Class:
    """Registers a class, so that `build`, `describe` and Keras's saving know it.

    Instances remember their constructor's arguments. The class receives `get_config` and `from_config`. Registering the
    same qualified name again replaces the class; the same bare name from another module is an error.

    Raises:
        ValueError: Another module has registered this bare name.
    """
    earlier = _claimed.get(cls.__name__)
    if earlier is not None and _qualified(earlier) != _qualified(cls):
        raise RecipeError(
            f"{cls.__name__!r} is registered by {earlier.__module__} and again by {cls.__module__}. Rename one of them."
        )
    _claimed[cls.__name__] = cls
    _remember_arguments(cls)
    cls.get_config = _get_config  # type: ignore[attr-defined]
    cls.from_config = classmethod(_from_config)  # type: ignore[attr-defined]
    if is_keras(cls):
        import keras

        keras.saving.register_keras_serializable(package="kt2t")(cls)
    return cls


def registered() -> dict[str, type]:
    """Returns all classes registered so far in this process, by bare name."""
    return dict(_claimed)


def table(room: str) -> Mapping[str, str]:
    """Returns the public names of a package such as `kt2t.layers`, without importing its modules."""
    module = importlib.import_module(room)
    names: Mapping[str, str] = getattr(module, "TABLE", {})
    return names


def names(slot: str | None = None) -> list[str]:
    """Lists the valid bare `type` names for a slot, ours first. Without a slot: the names of all packages."""
    rooms, keras_modules = SLOTS.get(slot or "", (ROOMS, ()))
    ours = [name for room in rooms for name in table(room) if name[:1].isupper()]
    return ours + [name for module in keras_modules for name in keras_names(module)]


def lookup(name: str, slot: str | None = None) -> type:
    """Returns the class for `type: name`.

    A bare name is looked up in our packages for the slot, then in keras. A dotted name (`riddles.Riddles`) is imported.

    Raises:
        LookupError: No class has this name, or the imported class is neither registered nor from keras.
    """
    if "." in name:
        return _imported(name)
    rooms, keras_modules = SLOTS.get(slot or "", (ROOMS, ANYWHERE))
    found = _in_rooms(name, rooms) or _users_own(name)
    if found is None and slot in SLOTS:  # before our other packages: `Accuracy` is a metric of keras and a score of ours
        found = _of_keras(name, keras_modules)
    found = found or _in_rooms(name, ROOMS) or _claimed.get(name) or _of_keras(name, keras_modules)
    if found is not None:
        return found
    raise UnknownNameError(f"no {slot or 'class'} is registered as {name!r}. {nearest(name, names(slot))}".rstrip())


def _in_rooms(name: str, rooms: Sequence[str]) -> type | None:
    for room in rooms:
        if name in table(room) and inspect.isclass(found := getattr(importlib.import_module(room), name)):
            return typing.cast(type, found)
    return None


def _users_own(name: str) -> type | None:
    found = _claimed.get(name)
    return None if found is None or found.__module__.partition(".")[0] == "kt2t" else found


def _of_keras(name: str, modules: Sequence[str]) -> type | None:
    for module in modules:
        if name in keras_names(module):
            return typing.cast(type, getattr(importlib.import_module(module), name))
    return None


def build(node: Any, slot: str | None = None, path: str | None = None, **supplied: Any) -> Any:
    """Builds the object that a node describes, nested nodes first. Any other value is returned unchanged.

    Args:
        node: A mapping with a `type`, or a value.
        slot: The option that holds the node (`optimizer`, …); decides where a bare `type` is looked up.
        path: The node's path in the recipe, for error messages.
        supplied: Constructor arguments that do not come from the recipe, such as a model's `features`.

    Raises:
        LookupError: The `type` is unknown.
        ValueError: An option is unknown, missing or refused by the class.
    """
    if isinstance(node, Mapping) and isinstance(node.get("type"), str):
        return _build_class(node, slot, path or slot or "", supplied)
    if isinstance(node, Mapping):
        return {key: build(value, key, below(path, key)) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(build(value, slot, below(path, index)) for index, value in enumerate(node))
    return node


def describe(thing: Any, full: bool = False) -> Any:
    """Returns the node that builds this object again: with the options that were passed, or with all (`full`)."""
    if isinstance(thing, Mapping):
        return {key: describe(value, full) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [describe(value, full) for value in thing]
    if hasattr(type(thing), "_kt2t_new"):
        return {"type": type_name(type(thing)), **_described_arguments(thing, full)}
    if is_keras(type(thing)) and hasattr(thing, "get_config"):
        return _describe_keras(thing, full)
    return thing


def fresh(thing: Any) -> Any:
    """Makes a new, unbuilt object with the same options. A stack uses it to make its layers from one prototype."""
    return build(describe(thing))


def type_name(cls: type) -> str:
    """The text behind `type:` that finds a class again, in another process too.

    A class of kt2t or keras has its bare name, any other the dotted one; a class within a function or class, which has no
    place in a module, the bare name that it is registered under.
    """
    bare = cls.__name__
    if cls.__module__.partition(".")[0] in ("kt2t", "keras"):
        return bare
    if "." in cls.__qualname__ and _claimed.get(bare) is cls:
        return bare
    return f"{cls.__module__}.{cls.__qualname__}"


def _build_class(node: Mapping[str, Any], slot: str | None, path: str, supplied: Mapping[str, Any]) -> Any:
    try:
        cls = lookup(node["type"], slot)
    except UnknownNameError as error:
        raise UnknownNameError(error.message, path=below(path, "type")) from None
    values = {key: value for key, value in node.items() if key != "type"}
    check(cls, values, path, supplied)
    arguments = {key: build(value, key, below(path, key)) for key, value in values.items()}
    try:
        return cls(**{**supplied, **arguments})
    except RecipeError:
        raise
    except (ValueError, TypeError) as error:
        option, colon, rest = str(error).partition(": ")
        named = bool(colon) and option.partition(".")[0] in options(cls)
        raise RecipeError(rest if named else str(error), path=below(path, option) if named else path or None) from error


def _remember_arguments(cls: type) -> None:
    if "_kt2t_new" in cls.__dict__:
        return
    original: Any = cls.__new__
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]

    @functools.wraps(original)
    def __new__(klass: type, *args: Any, **kwargs: Any) -> Any:
        plain = original is object.__new__
        instance = original(klass) if plain else original(klass, *args, **kwargs)
        if klass.__init__ is cls.__init__:  # type: ignore[misc]
            arguments = _bound(signature, args, kwargs)
            check_given(cls, arguments)
            object.__setattr__(instance, "_kt2t_arguments", arguments)
        return instance

    cls.__new__ = __new__  # type: ignore[assignment]
    cls._kt2t_new = True  # type: ignore[attr-defined]


def _bound(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:  # the constructor itself raises the better message
        return {}
    bound.arguments.pop(next(iter(signature.parameters)))
    arguments: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        else:
            arguments[name] = value
    return arguments


def _described_arguments(thing: Any, full: bool) -> dict[str, Any]:
    if not hasattr(thing, "_kt2t_arguments"):
        kind = type(thing)
        raise RecipeError(
            f"{kind.__module__}.{kind.__qualname__} has a constructor of its own and is not registered, so its options are "
            "not known. Put @kt2t.register above it."
        )
    arguments = dict(thing._kt2t_arguments)
    if full:
        defaults = {n: p.default for n, p in options(type(thing)).items() if p.default is not p.empty}
        arguments = {**defaults, **arguments}
    return {name: describe(value, full) for name, value in arguments.items()}


def _describe_keras(thing: Any, full: bool) -> dict[str, Any]:
    known = options(type(thing))
    node: dict[str, Any] = {"type": type_name(type(thing))}
    for name, value in thing.get_config().items():
        if name not in known or name == "name":
            continue
        if name == "dtype" and isinstance(value, Mapping):
            value = value["config"]["name"]
        if isinstance(value, Mapping) and "class_name" in value:
            import keras

            value = keras.saving.deserialize_keras_object(dict(value))
        if full or value != known[name].default:
            node[name] = _plain(describe(value, full))
    return node


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def _get_config(self: Any) -> dict[str, Any]:
    inherited = {}
    if is_keras(type(self)):
        known = (vars(cls).get("get_config") for cls in type(self).__mro__)
        of_keras = next(method for method in known if method not in (None, _get_config))
        try:
            inherited = of_keras(self)
        except NotImplementedError:
            inherited = {}
        inherited = {name: value for name, value in inherited.items() if name in {*OF_KERAS, *options(type(self))}}
    return {**inherited, **_described_arguments(self, full=False)}


def _from_config(cls: type, config: Mapping[str, Any]) -> Any:
    known = options(cls)
    takes_any = hands_on(cls.__init__)  # type: ignore[misc]
    return cls(**{name: build(value, name) for name, value in config.items() if name in known or takes_any})


def _imported(name: str) -> type:
    module, _, attribute = name.rpartition(".")
    if not all(map(str.isidentifier, name.split("."))):
        raise UnknownNameError(f"{name!r} is not the name of a class in a module, such as riddles.Riddles.")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        raise UnknownNameError(f"{name!r} cannot be imported: {error}.") from None
    except Exception as error:  # the user's module may raise anything
        raise UnknownNameError(f"{name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if found is None:
        raise UnknownNameError(f"{name!r}: the module {module!r} has no {attribute!r}.")
    # Otherwise a recipe could call any class of any library, for example subprocess.Popen.
    if not inspect.isclass(found) or not (hasattr(found, "_kt2t_new") or is_keras(found)):
        raise UnknownNameError(f"{name!r} is no class that a recipe may build. Put @kt2t.register above it.")
    return register(found) if _lacks_arguments(found) else found


def _lacks_arguments(cls: type) -> bool:
    """Whether nothing remembers the constructor's arguments: not `register`, and not Keras, which does so for layers only."""
    if "_kt2t_new" in cls.__dict__ or cls.__module__.partition(".")[0] in ("kt2t", *LIBRARIES):
        return False
    if hasattr(cls, "_kt2t_new"):
        return True
    return any(base.__name__ == "Model" and base.__module__.startswith("keras.") for base in cls.__mro__)


@functools.cache
def keras_names(module: str) -> tuple[str, ...]:
    """Lists the classes of a public keras module from its source, so that a misspelt name is found without keras."""
    import ast
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("keras")
    for root in (Path(place) for place in (spec and spec.submodule_search_locations) or ()):
        for folder in (root, root / "api"):
            source = folder.joinpath(*module.split(".")[1:], "__init__.py")
            if source.is_file():
                body = ast.parse(source.read_text(encoding="utf-8")).body
                imports = [node for node in body if isinstance(node, ast.ImportFrom)]
                found = {alias.asname or alias.name for node in imports for alias in node.names}
                return tuple(sorted(name for name in found - _ABSTRACT if name[:1].isupper()))
    return ()


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
