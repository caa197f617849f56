"""The options of a class: which its constructor takes, and whether what is given for them can be meant."""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kt2t.errors import RecipeError

# What every layer, model and optimizer of keras takes beside its own options.
OF_KERAS = {"name", "dtype", "trainable"}
_PLAIN = (int, float, str, bool, type(None), ...)


def options(cls: type) -> dict[str, inspect.Parameter]:
    """The constructor's options by name, those that it hands on to its base classes included.

    Keras's own `name`, `dtype` and `trainable` are left out, and options of a base for which the constructor passes a
    value of its own (`super().__init__(num_layers=1, **common)`).
    """
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found: dict[str, inspect.Parameter] = {}
    fixed: set[str] = set()
    count = 0
    for constructor in constructors(cls):
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        fixed.update(parameter.name for parameter in parameters[:count])
        own = [p for p in parameters if p.kind not in variadic and p.name not in {*found, *fixed}]
        found.update({parameter.name: parameter for parameter in own})
        count, passed = _passed_on(constructor)
        fixed.update(passed)
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
    """The constructor of a class, then those of the bases that it hands its further keywords to."""
    found: list[Callable[..., None]] = []
    ours = cls.__module__.partition(".")[0] != "keras"
    for base in cls.__mro__:
        if base is object or (ours and base.__module__.partition(".")[0] == "keras"):
            break
        if "__init__" in base.__dict__:
            found.append(base.__init__)  # type: ignore[misc]
            if not hands_on(base.__init__):  # type: ignore[misc]
                break
    return found


def hands_on(constructor: Callable[..., None]) -> bool:
    """Whether a constructor takes further keywords, to hand them to its base."""
    parameters = inspect.signature(constructor).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def check(cls: type, given: Mapping[str, Any], path: str, supplied: Iterable[str] = ()) -> None:
    """Names, presence and types of the options for a class's constructor.

    Raises:
        ValueError: The first option that is unknown, missing or of the wrong type, with the nearest fix.
    """
    known = options(cls)
    for name in given:
        if name not in known and not (name in OF_KERAS and is_keras(cls)):
            raise RecipeError(
                f"{cls.__name__} has no option {name!r}. {nearest(name, known)}".rstrip(), path=below(path, name)
            )
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given and name not in set(supplied):
            raise RecipeError(f"{cls.__name__} needs the option {name!r}.", path=below(path, name))
    hints = _hints(cls)
    for name, value in given.items():
        if name in hints and (_is_plain(hints[name]) or not _is_node(value)):
            _check_type(value, hints[name], below(path, name))


def nearest(name: str, known: Iterable[str], count: int = 1) -> str:
    """`Did you mean …?` for a misspelt name, or the names there are when few; empty when there is nothing to say."""
    known = list(dict.fromkeys(known))
    folded = {option.lower(): option for option in reversed(known)}
    close = difflib.get_close_matches(name.lower(), list(folded), n=count, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(folded[option]) for option in close)}?"
    return f"There are: {', '.join(known)}." if 0 < len(known) <= 24 else ""


def positive(name: str, value: int) -> int:
    """The value of the option `name`, or a ValueError that says it is too small."""
    if value < 1:
        raise ValueError(f"{name}: {value} is not positive.")
    return value


def below_one(name: str, value: float) -> float:
    """The value of the option `name`, a probability of dropping, or a ValueError that says it cannot be one."""
    if not 0 <= value < 1:
        raise ValueError(f"{name}: {value} is not a probability below 1.")
    return value


def is_keras(cls: type) -> bool:
    """Whether a class is one of keras's or inherits from one."""
    return any(base.__module__.partition(".")[0] == "keras" for base in cls.__mro__)


def below(path: str | None, key: Any) -> str:
    """The path of what stands at `key` in what stands at `path`."""
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
    """Whether no object may be meant, so that a node is as wrong as any other value of another type."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    return annotation in _PLAIN or origin is typing.Literal or bool(parts) and all(map(_is_plain, parts))


def _is_node(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("type"), str) or any(_is_node(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_is_node(item) for item in value)
