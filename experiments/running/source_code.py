"""The source code behind a class or a function: a hash over it, and the packages that it imports.

A run that is resumed with other code is another experiment. Which code counts:

    a class of Groundlings    its module, and the modules of the same room that this one imports, and so on
    a class of somebody else  its module, and what it imports of its own package or from beside it, and so on
    a notebook's or script's  the lines of the class or function alone

Imports inside of functions count as well. Of packages that others maintain the version counts, not the code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions
from pathlib import Path
from typing import Any

from groundlings.environments.package_versions import version_of

_OURS = "groundlings"
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class Source:
    """What stands behind a class or a function.

    Attributes:
        sha256: Over its code, in hexadecimal; None where no source can be found.
        packages: Distributions that the code imports -> version.
    """

    sha256: str | None
    packages: Mapping[str, str]


def source_of(found: object) -> Source:
    """The code behind a class, a function, or an object's class, and behind the classes that it is built on.

    Args:
        found: A class, a function or another object.
    """
    if isinstance(found, functools.partial):
        return source_of(found.func)
    if inspect.ismethod(found):
        found = found.__self__
    root: Any = inspect.unwrap(found) if inspect.isroutine(found) else found if isinstance(found, type) else type(found)
    classes = [each for each in getattr(root, "__mro__", (root,)) if not _is_standard(each.__module__ or "builtins")]
    modules, packages = [], set()
    for each in classes:
        path, top = _file(each.__module__), each.__module__.partition(".")[0]
        if path is None and not _is_installed(sys.modules.get(each.__module__)):
            return Source(_lines(classes), {})
        if top not in (_OURS, (root.__module__ or "").partition(".")[0]) and (path is None or _installed(path)):
            packages.add(top)
        else:
            modules.append(each.__module__)
    return _source(modules, packages)


def _is_installed(module: object) -> bool:
    place = getattr(module, "__file__", None)
    return place is not None and _installed(Path(place))


def _installed(path: Path) -> bool:
    return any(part in _INSTALLED for part in path.parts)


def _lines(roots: Sequence[Any]) -> str | None:
    """Hash of what can be had of code that lies in no file: a notebook, a prompt, the script that is running."""
    texts = []
    for root in roots:
        try:
            texts.append(inspect.getsource(root))
        except (OSError, TypeError, SyntaxError, tokenize.TokenError):  # a text of that name need not be its source
            code = getattr(root, "__code__", None)
            if code is None:
                return None
            texts.append(repr((code.co_code, [each for each in code.co_consts if not inspect.iscode(each)])))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _source(modules: Sequence[str], packages: set[str]) -> Source:
    files: dict[str, bytes] = {}
    for module in modules:
        own, others = _reached(module)
        files |= {name: path.read_bytes() for name, path in own.items()}
        packages |= others
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return Source(digest.hexdigest(), versions_of(packages))


def versions_of(packages: set[str]) -> dict[str, str]:
    """Distribution -> version of what is imported by some names; those of no distribution are left out."""
    found = {}
    for name in sorted(packages):
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            for distribution in _distributions().get(name, ()):
                found[distribution] = version_of(distribution)
    return found


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _reached(start: str) -> tuple[dict[str, Path], set[str]]:
    """The modules that belong to a module's code, with their files, and the top-level names of all others."""
    own: dict[str, Path] = {}
    others: set[str] = set()
    waiting, met = [start], {start}
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None:
            continue
        if not _belongs(name, path, start):
            if not name.startswith(_OURS) and _installed(path):
                others.add(name.partition(".")[0])
            continue
        own[name] = path
        unmet = [
            each
            for each in _imports(name, path, path.stat().st_mtime_ns)
            if each not in met and not _is_no_module(each)
        ]
        waiting += unmet
        met.update(unmet)
    return own, others


def _belongs(name: str, path: Path, start: str) -> bool:
    """Whether a module's code counts as that of the module where one has started."""
    top = name.partition(".")[0]
    if start.startswith(f"{_OURS}."):
        return name.split(".")[:2] == start.split(".")[:2]
    if top == _OURS:
        return False
    return top == start.partition(".")[0] or not _installed(path)


_IMPORT = re.compile(
    r"(?:^|[;:])[ \t]*(?:from\s+([.\w]+)\s+import\s+(\((?:[^)#]|#[^\n]*)*\)|[^\n;#]*)|import\s+([^\n;#]*))",
    re.MULTILINE,
)
"""Found in text, because parsing every module of a mind takes longer than a small run is prepared in."""


_COMMENT = re.compile(r"#[^\n]*")


@functools.cache
def _imports(name: str, path: Path, _changed: int) -> tuple[str, ...]:
    """Every module that a module may import, at its top or in a function; names that are none among them."""
    if path.suffix != ".py":
        return ()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    return tuple(dict.fromkeys(_imported_names(text, package)))


def _imported_names(text: str, package: str) -> Iterator[str]:
    for origin, names, modules in _IMPORT.findall(text):
        named = _COMMENT.sub("", names or modules).strip("()")
        listed = [each.split()[0] for each in named.split(",") if each.strip()]
        if modules:
            for each in listed:
                yield from _with_parents(each)
            continue
        base = origin.lstrip(".")
        if level := len(origin) - len(base):
            above = package.split(".")[: package.count(".") + 2 - level]
            base = ".".join([*above, *([base] if base else [])])
        yield from _with_parents(base)
        yield from (f"{base}.{each}" for each in listed)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _file(name: str) -> Path | None:
    """Where the source of a module lies; None for what is built in, of the standard library, or no module."""
    if not name or name == "__main__" or _is_standard(name):
        return None
    found = sys.modules.get(name)
    place = getattr(found, "__file__", None)
    if found is None:
        parent = name.rpartition(".")[0]
        if parent and not hasattr(sys.modules.get(parent), "__path__"):
            return None  # a class or a function of its module, or of a package that nobody has imported
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return None
        place = spec.origin if spec is not None else None
    path = _path(place) if place else None
    return path if path is not None and path.is_file() else None


_path = functools.cache(Path)
"""Making one takes longer than asking whether it is there, and a run asks a thousand times."""

_no_modules: set[str] = set()
"""Names found to be none of a module: of the standard library, or of a class or a function in a module of ours."""


def _is_no_module(name: str) -> bool:
    """Whether a name that an import mentions will never be that of a module that counts."""
    if name in _no_modules:
        return True
    parent = sys.modules.get(name.rpartition(".")[0])
    inside = name.startswith(f"{_OURS}.") and parent is not None and not hasattr(parent, "__path__")
    if (inside and name not in sys.modules) or not name or _is_standard(name):
        _no_modules.add(name)
        return True
    return False


def _is_standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names or name in ("builtins", "__builtin__")


def simulation_source() -> Source:
    """The code that carries out sessions and days: of the simulator and of what environments are made of."""
    import groundlings.environments
    import groundlings.simulator

    files = [
        path
        for room in (groundlings.environments, groundlings.simulator)
        for path in sorted(Path(str(room.__file__)).parent.glob("*.py"))
    ]
    content = b"".join(f"{path.name}\n".encode() + path.read_bytes() for path in files)
    return Source(hashlib.sha256(content).hexdigest(), {})
