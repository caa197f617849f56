"""The options of a class: lists what its constructor takes and checks the values for them."""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kt2t.errors import RecipeError

# Options that every layer, model and optimizer of keras takes besides its own.
OF_KERAS = {"name", "dtype", "trainable"}
_PLAIN = (int, float, str, bool, type(None), ...)


def options(cls: type) -> dict[str, inspect.Parameter]:
    """Returns the options of a class by name, including those that its constructor passes on to its base classes.

    Left out are Keras's own `name`, `dtype` and `trainable`, and options of a base for which a constructor supplies a value
    itself: those that it names in the call (`super().__init__(num_layers=1, **common)`), and those that its class lists
    in `fills_in`.
    """
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found: dict[str, inspect.Parameter] = {}
    filled: set[str] = set()
    count = 0
    for base in _constructing(cls):
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        filled.update(parameter.name for parameter in parameters[:count])
        # What a class of keras passes on to its base and needs there, it supplies itself, such as a convolution its rank.
        supplied = base is not cls and base.__module__.partition(".")[0] == "keras"
        own = {p.name: p for p in parameters if not (supplied and p.default is p.empty) and p.kind not in variadic}
        found.update({name: p for name, p in own.items() if name not in {*found, *filled}})
        count, passed = _passed_on(base.__init__)  # type: ignore[misc]
        filled.update(passed, base.__dict__.get("fills_in", ()))
    return found


@functools.cache
def _passed_on(constructor: Callable[..., None]) -> tuple[int, frozenset[str]]:
    """How many values by position, and which by name, a constructor gives to its base's beside its further keywords."""
    if not hands_on(constructor):
        return 0, frozenset()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(constructor)))
    except (OSError, TypeError, SyntaxError):  # no source, as of code that was typed in
        return 0, frozenset()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
            plain = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
            return len(plain), frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
    return 0, frozenset()


def constructors(cls: type) -> list[Callable[..., None]]:
    """The constructor of a class, then those of the bases that it passes its further keywords to."""
    return [base.__init__ for base in _constructing(cls)]  # type: ignore[misc]


def _constructing(cls: type) -> list[type]:
    """The class and those of its bases whose constructors take part in making an object of it."""
    found: list[type] = []
    ours = cls.__module__.partition(".")[0] != "keras"
    for base in cls.__mro__:
        if base is object or (ours and base.__module__.partition(".")[0] == "keras"):
            break
        if "__init__" in base.__dict__:
            found.append(base)
            if not hands_on(base.__init__):  # type: ignore[misc]
                break
    return found


def hands_on(constructor: Callable[..., None]) -> bool:
    """Whether a constructor takes `**kwargs`, to pass them on to its base class."""
    parameters = inspect.signature(constructor).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def check(cls: type, values: Mapping[str, Any], path: str, supplied: Iterable[str] = ()) -> None:
    """Checks the names, presence and types of the options for a class's constructor.

    Args:
        cls: The class.
        values: Options and their values, from a node.
        path: The node's path in the recipe, for error messages.
        supplied: Names of options that do not come from the node.

    Raises:
        ValueError: An option is unknown, missing or of the wrong type; the message suggests the nearest fix.
    """
    known = options(cls)
    for name in values:
        if name not in known and not (name in OF_KERAS and is_keras(cls)):
            raise RecipeError(
                f"{cls.__name__} has no option {name!r}. {nearest(name, known)}".rstrip(), path=below(path, name)
            )
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in values and name not in set(supplied):
            raise RecipeError(f"{cls.__name__} needs the option {name!r}.", path=below(path, name))
    hints = _hints(cls)
    for name, value in values.items():
        if name in hints and (_is_plain(hints[name]) or not _is_node(value)):
            _check_type(value, hints[name], below(path, name))


def check_given(cls: type, values: Mapping[str, Any]) -> None:
    """Checks options that a script passes to a constructor: refuses a plain value where none of its kind is taken.

    It is more lenient than `check` is with a recipe: any other object passes, and NumPy's numbers do.

    Raises:
        ValueError: Text, a number, a list or a mapping is given in place of another of these.
    """
    hints = _given_hints(cls)
    for name, value in values.items():
        if name in hints and not _may_be(value, hints[name]):
            raise ValueError(f"{name}: {value!r} is not {_readable(hints[name])}.")


@functools.lru_cache(maxsize=1024)
def _given_hints(cls: type) -> dict[str, Any]:
    return _hints(cls)


def _may_be(value: Any, annotation: Any) -> bool:
    kinds = (str, bool, int, float, list, tuple, dict)
    kind = next((one for one in kinds if type(value) is one), None)
    if kind is None:
        return True
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_may_be(value, part) for part in parts)
    if origin is typing.Literal:
        return any(type(part) is kind for part in parts)  # the constructor says which values there are
    wanted = origin or annotation
    if wanted not in (*kinds, type(None)):
        return True
    return kind is wanted or (kind, wanted) in {(int, float), (bool, int), (bool, float), (list, tuple), (tuple, list)}


def nearest(name: str, known: Iterable[str], count: int = 1) -> str:
    """Returns `Did you mean …?` for a misspelt name, or else the list of known names if it is short, or else ''."""
    known = list(dict.fromkeys(known))
    folded = {option.lower(): option for option in reversed(known)}
    close = difflib.get_close_matches(name.lower(), list(folded), n=count, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(folded[option]) for option in close)}?"
    return f"There are: {', '.join(known)}." if 0 < len(known) <= 24 else ""


def positive(name: str, value: int) -> int:
    """Returns the value of the option `name`; raises ValueError if it is not positive."""
    if value < 1:
        raise ValueError(f"{name}: {value} is not positive.")
    return value


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """The value of the option `name`, or a ValueError that says which values there are."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{name}: {value!r} is unknown. {nearest(value, known)}")
    return value


def below_one(name: str, value: float) -> float:
    """Returns the value of the option `name`; raises ValueError if it is not a probability from 0 to below 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{name}: {value} is not a probability below 1.")
    return value


def is_keras(cls: type) -> bool:
    """Whether a class is one of keras's or inherits from one."""
    return any(base.__module__.partition(".")[0] == "keras" for base in cls.__mro__)


def below(path: str | None, key: Any) -> str:
    """Extends a path in the recipe by a key: `model`, `dropout` → `model.dropout`."""
    return f"{path}.{key}" if path else str(key)


def _hints(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for constructor in reversed(constructors(cls)):
        try:
            found.update(typing.get_type_hints(constructor))
        except (NameError, TypeError, AttributeError):
            continue
    return found


def _check_type(value: Any, annotation: Any, path: str) -> None:
    import pydantic

    try:
        adapter = pydantic.TypeAdapter(annotation, config={"arbitrary_types_allowed": True, "strict": True})
    except pydantic.errors.PydanticUserError:
        adapter = pydantic.TypeAdapter(annotation)
    except pydantic.errors.PydanticSchemaGenerationError:
        return
    try:
        adapter.validate_python(value)
    except pydantic.ValidationError:
        raise RecipeError(f"{value!r} is not {_readable(annotation)}.", path=path) from None


def _readable(annotation: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "empty (~)"}
    if annotation in words:
        return words[annotation]
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, parts))
    if origin in (list, tuple, set):
        return "a list" + (f" of which each is {_readable(parts[0])}" if parts else "")
    if origin is dict or annotation is dict:
        return "a mapping"
    if parts:
        return " or ".join(dict.fromkeys(_readable(part) for part in parts))
    return f"a {getattr(annotation, '__name__', annotation)}"


def _is_plain(annotation: Any) -> bool:
    """Whether the annotation allows plain values only, so that a node is an error."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    return annotation in _PLAIN or origin is typing.Literal or bool(parts) and all(map(_is_plain, parts))


def _is_node(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("type"), str) or any(_is_node(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_is_node(item) for item in value)
