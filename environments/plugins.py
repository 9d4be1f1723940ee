"""From a name in the YAML to what it stands for: shipped, a plug-in of another package, or your own `module:Class`.

Every extension point (recommenders, minds and whatever comes) finds and builds its classes here, so that all of them
say in the same words what is wrong and what is near:

    MINDS = ExtensionPoint("mind", "groundlings.minds", {"scripted":
    "groundlings.personas.minds.scripted:ScriptedMind"}) MINDS.load("scripted", at="mind.kind")                 # a
    shipped one MINDS.load("my_package.minds:Impatient", at="mind.kind")  # your own

A package offers a plug-in by an entry point of the group (`[project.entry-points."groundlings.minds"]`).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from groundlings.environments import earlier_names
from groundlings.environments.errors import ConfigError, expectation, shown
from groundlings.environments.key_words import without_keys_as_names
from groundlings.environments.lookalikes import same_letters

ReadOption = Callable[[Any, Any, str], Any]
"""Type in the constructor's signature, value as the YAML has it, key path for messages -> the argument."""


PYTHON_OBJECT = "python:"
"""Begins the name of what Python code handed over, which no file can hold."""


@dataclass(frozen=True, slots=True)
class NamedCode:
    """Code that a file names as `module:Class`, and that runs when it is imported.

    Attributes:
        path: The module and the class.
        at: The key path that names it ("arms[2].recommender").
        home: The directory that it is imported from; None where there is no such module.
    """

    path: str
    at: str
    home: Path | None


_told: ContextVar[Callable[[NamedCode], None] | None] = ContextVar("groundlings_named_code", default=None)


@contextmanager
def told_of_named_code(tell: Callable[[NamedCode], None]) -> Iterator[None]:
    """Tell of code that a file names, each time before it is imported.

    Args:
        tell: Is called with what is about to be imported.
    """
    before = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(before)


def home_of(path: str) -> Path | None:
    """The directory that `module:Class` would be imported from, without importing anything."""
    try:
        found = importlib.util.find_spec(path.partition(":")[0].partition(".")[0])
    except (ImportError, ValueError):
        return None
    places = [*(found.submodule_search_locations or ()), found.origin] if found else []
    return Path(places[0]).absolute().parent if places and places[0] else None


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A kind of thing that others can add to.

    Attributes:
        noun: What one of them is called in messages ("recommender").
        group: The entry-point group in which packages offer theirs.
        shipped: Name -> `module:Class` of those that come with Groundlings.
        own: How one of your own is written, for messages.
    """

    noun: str
    group: str
    shipped: Mapping[str, str]
    own: str = "your own class as module:Class"

    def names(self) -> list[str]:
        """Every name that can be written in the YAML, sorted; nothing is imported."""
        return sorted({*self.shipped, *self._plugins()})

    def load(self, reference: str, *, at: str) -> object:
        """What a shipped name, a plug-in's name or `module:Class` stands for.

        Args:
            reference: As the YAML has it.
            at: Its key path there, for messages ("arms[2].recommender").

        Raises:
            ConfigError: There is no such thing, two packages claim its name, or its module cannot be imported.
        """
        if reference.startswith(PYTHON_OBJECT):
            argument = at.partition(".")[0].partition("[")[0]
            raise ConfigError(
                f"{at}: {reference.removeprefix(PYTHON_OBJECT)!r} is a Python object, which no file can hold; hand it "
                f"over again: groundlings.resume(directory, {argument}=...), or groundlings.open_run for metrics"
            )
        if ":" in reference:
            current = str(Path.cwd())
            if current not in sys.path:
                sys.path.append(current)  # last, so that your files can hide no installed package
            path = earlier_names.present_path(reference)
            tell = _told.get()
            if tell is not None and not path.startswith("groundlings."):
                tell(NamedCode(path, at, home_of(path)))
            return _imported(path, at)
        self.check_name(reference, at=at)
        return _imported(self.shipped.get(reference) or self._plugins()[reference][0].value, at)

    def check_name(self, name: str, *, at: str) -> None:
        """Raise `ConfigError` where a name stands for nothing, or for two things; nothing is imported."""
        plugins = self._plugins()
        claimed = [f"{entry.value} of {entry.dist.name if entry.dist else '?'}" for entry in plugins.get(name, [])]
        if len(claimed) > 1 or (claimed and name in self.shipped):
            owners = [*(["groundlings itself"] if name in self.shipped else []), *claimed]
            raise ConfigError(
                f"{at}: {name!r} is claimed by {' and '.join(owners)}; write `module:Class`, or uninstall one"
            )
        if name not in self.shipped and name not in plugins:
            known = self.names()
            raise ConfigError(
                f"{at}: there is no {self.noun} {without_keys_as_names(repr(name))}{nearest(name, known)}. "
                f"Known: {', '.join(known)}; or {self.own}"
            )

    def _plugins(self) -> Mapping[str, list[EntryPoint]]:
        return _offered(self.group, tuple(map(_as_it_is, sys.path)))


@lru_cache(64)
def _offered(group: str, _places: tuple[object, ...]) -> Mapping[str, list[EntryPoint]]:
    """What installed packages offer in a group; read anew when a place where packages are looked for has changed."""
    plugins: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        plugins.setdefault(entry.name, []).append(entry)
    return plugins


def _as_it_is(place: str) -> tuple[str, int, int]:
    """A place where packages are looked for, with what changes when one is installed there or taken away."""
    try:
        found = Path(place).stat()
    except OSError:
        return place, 0, 0
    return place, found.st_ino, found.st_mtime_ns


def constructor_arguments(
    kind: Callable[..., Any],
    reference: str,
    options: Mapping[str, Any],
    *,
    reserved: Collection[str] = (),
    at: str,
    under: str,
    read: ReadOption | None = None,
) -> dict[str, Any]:
    """The options of a class as arguments of its constructor, each checked against the type in the signature.

    Args:
        kind: The class, or a function whose parameters are the options.
        reference: How the YAML calls it, for messages.
        options: As the YAML has them.
        reserved: Parameters that are filled by other means and cannot be set in the YAML.
        at: Key path of the reference ("arms[2].recommender").
        under: Key path of the options ("arms[2].options").
        read: How one option is read; `read_option` if absent.

    Raises:
        ConfigError: An option is not known, missing, or of another type.
    """
    parameters = inspect.signature(kind).parameters
    settable = [
        name
        for name, parameter in parameters.items()
        if name not in reserved and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    takes_any = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
    for key in options:
        if key not in settable and (key in reserved or not takes_any):
            has = f"it has: {', '.join(settable)}" if settable else "it has no options"
            raise ConfigError(f"{under}.{key}: {reference} has no such option{nearest(key, settable)}; {has}")
    for name in settable:
        if name not in options and parameters[name].default is inspect.Parameter.empty:
            raise ConfigError(f"{under}: {reference} needs the option {name!r}; found {sorted(options) or 'none'}")
    hints = _type_hints(kind, reference, at)
    read = read or read_option
    return {name: read(hints.get(name, Any), value, f"{under}.{name}") for name, value in options.items()}


def _type_hints(kind: Callable[..., Any], reference: str, at: str) -> dict[str, Any]:
    try:
        annotated = cast("Any", kind).__init__ if isinstance(kind, type) else kind
        return get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise ConfigError(
            f"{at}: a type in the signature of {reference} is not known at run time: {error}; "
            "import it outside `if TYPE_CHECKING`"
        ) from error


def read_option(hint: Any, value: Any, where: str) -> Any:
    """The value of one option, checked against the type in the constructor's signature.

    Raises:
        ConfigError: It is of another type, or holds a number that is none.
    """
    try:
        # By way of JSON, pydantic is strict (no "3" for 3, no yes for 1) and still reads a path from text.
        return TypeAdapter(hint).validate_json(as_json(value, where), strict=True)
    except PydanticSchemaGenerationError:
        return value  # a type of the plug-in's own, which only its constructor can judge
    except ValidationError as error:
        message = expectation(error.errors()[0]["msg"])
        raise ConfigError(f"{where}: found {shown(value)}; {message}{_as_yaml(value)}") from error


_SHORT_POWER = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?\d+)")


def _as_yaml(value: Any) -> str:
    """How a power of ten is written that YAML takes for text, as the end of a message; "" of anything else."""
    power = _SHORT_POWER.fullmatch(value) if isinstance(value, str) else None
    if power is None:
        return ""
    sign = "" if power[3][0] in "+-" else "+"
    return f" (YAML takes this for text; write {power[1]}{power[2] or '.0'}e{sign}{power[3]})"


def as_json(value: Any, where: str) -> str:
    """An option of an experiment file as JSON, dates as text.

    Raises:
        ConfigError: It holds a number that is none, or is larger than computers count, or a key that is neither text
            nor a number.
    """
    try:
        written = json.dumps(value, default=str, allow_nan=False)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: found {shown(value)}; expected finite numbers, and text as keys") from None
    if large := _larger_than_counted(value):
        raise ConfigError(f"{where}: found {shown(large)}; expected whole numbers of 64 bits")
    return written


def _larger_than_counted(value: Any) -> int:
    """The first whole number in a value that has more than 64 bits, 0 where none has."""
    if isinstance(value, int):
        return value if abs(value) >= 2**63 else 0
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((large for each in inner if (large := _larger_than_counted(each))), 0)


def nearest(word: str, words: Iterable[str]) -> str:
    """The name that may have been meant, as the end of a message; "" where none is near."""
    known = list(words)
    if told := same_letters(word, known):
        return f" ({told})"
    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _imported(path: str, at: str) -> object:
    """What `module:Class` names."""
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever happens on import, the YAML names a module that cannot be used
        raise ConfigError(
            f"{at}: {path} cannot be imported: {type(error).__name__}: {error}{earlier_names.hint(error)}. "
            f"Looked among the installed packages and in {Path.cwd()}"
        ) from error
    except SystemExit as end:  # a script without `if __name__ == "__main__"`
        raise ConfigError(
            f"{at}: {path} cannot be imported: {module_name} ends the program when it is imported "
            f"(exit status {shown(end.code)}); put what it runs under if __name__ == '__main__'"
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # one of its own, which no `except Exception` of anybody would catch
        raise ConfigError(f"{at}: {path} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, class_name):
        names = [name for name in vars(module) if not name.startswith("_")]
        raise ConfigError(f"{at}: module {module_name} has no {class_name!r}{nearest(class_name, names)}")
    found: object = getattr(module, class_name)
    return found
