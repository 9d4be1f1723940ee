"""Ways to spoil a file, each with a name; everything they do depends on the `Random` they are given."""

# ruff: noqa: RUF001 - letters chosen for looking like others

from __future__ import annotations

import copy
import datetime
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

Path = tuple[Any, ...]
Fields = Sequence[tuple[Path, str, tuple[Any, ...]]]
"""Key path, the kind that its section must have ("" for any), and values of the right kind."""

# Values that fit nowhere, or only just.
ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        "",
        " ",
        "all",
        "yes",
        "~",
        "\0",
        "\u202e",
        "a" * 5000,
        "line\nbreak",
        "🎭",
        "[bold]x[/]",
        "{}",
    ),
    *(0, 1, 2, 3, -1, 7, 10**3, 10**6, 10**9, 2**31, 2**63 - 1, 2**63, 10**30, 10**400, -(10**18)),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")),
    *([], [[]], {}, [None], {"": None}, {"name": "x"}, {1: 2}, [1, "a", None], datetime.date(2024, 2, 29), b"\xff\0"),
)
ODD_PATHS = ("..", ".", "/", "/dev/null", "~", "~nobody-of-that-name/x", "own_data", "no/such/file.csv", "x" * 300)
CONFUSABLE = str.maketrans(
    {"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "x": "х", ":": "：", " ": "\u00a0", "-": "‐"}
)

# Lines that mean something special to a YAML reader.
YAML_LINES = (
    *("%YAML 3.0", "---", "...", "&a [*a]", "*nowhere", "<<: *nowhere", "? [1, 2]\n: 3", "{[1]: 2}", "? {a: 1}\n: b"),
    *('x: !!python/object/apply:os.system ["true"]', "x: !!python/name:os.system", "x: !!int five", "x: !!binary ä"),
    *("x: !!timestamp 2024-13-45", "x: 2024-13-45", "x: !!set {a, b}", "x: !!omap [1]", "x: !unknown 1", "=: 1"),
    *("x: 0x", "x: 0b2", "x: 1_0_0", "x: 12:30:45", "x: .nan", "x: 1e400", "x: |", "x: >-\n y", "\tx: 1", "@x: 1", "`"),
    *("null: 1", "true: 1", "1: 2", "1.5: 2", "2024-01-01: 2", "x: &a {b: &b [*a, *b]}", "seed: 8", "name: twice", "["),
    *("{", '"', "'", "- x", "x", ": x", "x: y: z", "#", "\ufeff", "\u2028", "\x85", "\x07", "<<: {seed: 9}", "<<: [1]"),
    *("x: " + "9" * 5000, "x: " + "[" * 3000, "[" * 3000 + "]" * 3000, "x: " + "{a: " * 900 + "}" * 900),
)
BILLION_LAUGHS = "\n".join(
    ["laugh0: &laugh0 [ha, ha]"] + [f"laugh{n}: &laugh{n} [{', '.join([f'*laugh{n - 1}'] * 10)}]" for n in range(1, 12)]
)


def spoil_bytes(content: bytes, luck: random.Random) -> tuple[str, bytes]:
    """A change that knows nothing of the format."""
    name, change = luck.choice(_BYTE_CHANGES)
    return name, change(content, luck)


def spoil_lines(text: str, luck: random.Random) -> tuple[str, bytes]:
    """A change to the lines of a text."""
    name, change = luck.choice(_LINE_CHANGES)
    lines = text.splitlines()
    change(lines, luck)
    return name, ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def spoil_yaml(text: str, luck: random.Random, fields: Fields) -> tuple[str, bytes]:
    """A change to what a YAML file says.

    Args:
        text: A file that can be read.
        luck: Decides.
        fields: What else such a file may say.
    """
    tree = yaml.safe_load(text)
    name, change = luck.choice(_TREE_CHANGES)
    for _ in range(luck.choice((1, 1, 1, 2, 3))):
        change(tree, luck, fields)
    return name, yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def _flip(content: bytes, luck: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(luck.choice((1, 1, 3, 20))):
        changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
    return bytes(changed)


def _cut(content: bytes, luck: random.Random) -> bytes:
    first, last = sorted((luck.randrange(len(content) + 1), luck.randrange(len(content) + 1)))
    return luck.choice((content[:first], content[last:], content[:first] + content[last:]))


def _insert(content: bytes, luck: random.Random) -> bytes:
    odd = luck.choice(
        (
            b"\0",
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\t",
            b"\r",
            b"\n",
            b'"',
            b"\x1a",
            bytes(range(256)),
            b"\xef\xbb\xbf",
        )
    )
    place = luck.randrange(len(content) + 1)
    return content[:place] + odd + content[place:]


def _repeat(content: bytes, luck: random.Random) -> bytes:
    first = luck.randrange(len(content))
    piece = content[first : first + luck.randrange(1, 200)]
    place = luck.randrange(len(content) + 1)
    return content[:place] + piece * luck.choice((1, 2, 50)) + content[place:]


def _recode(content: bytes, luck: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(luck.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-16-be")), "replace")


_BYTE_CHANGES: tuple[tuple[str, Callable[[bytes, random.Random], bytes]], ...] = (
    ("bytes flipped", _flip),
    ("bytes cut", _cut),
    ("bytes inserted", _insert),
    ("bytes repeated", _repeat),
    ("bytes recoded", _recode),
    ("line ends", lambda content, luck: content.replace(b"\n", luck.choice((b"\r\n", b"\r", b"\n\n", b"\n\r")))),
    ("nothing left", lambda _, luck: luck.choice((b"", b"\n", b" ", b"\0", b"\xef\xbb\xbf"))),
)


def _swap_lines(lines: list[str], luck: random.Random) -> None:
    first, second = luck.randrange(len(lines)), luck.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]


def _swap_values(lines: list[str], luck: random.Random) -> None:
    """Two keys exchange what stands behind their colons or commas."""
    first, second = luck.randrange(len(lines)), luck.randrange(len(lines))
    mark = luck.choice((":", ","))
    (a, ma, b), (c, mc, d) = lines[first].partition(mark), lines[second].partition(mark)
    lines[first], lines[second] = a + ma + d, c + mc + b


def _twice(lines: list[str], luck: random.Random) -> None:
    lines.insert(luck.randrange(len(lines) + 1), luck.choice(lines))


def _without(lines: list[str], luck: random.Random) -> None:
    del lines[luck.randrange(len(lines))]


def _shift(lines: list[str], luck: random.Random) -> None:
    place = luck.randrange(len(lines))
    lines[place] = luck.choice((" ", "  ", "\t", "- ", "")) + lines[place].lstrip(luck.choice((" ", "")))


def _special(lines: list[str], luck: random.Random) -> None:
    place = luck.randrange(len(lines) + 1)
    lines.insert(place, luck.choice(("", "", "  ", "    ")) + luck.choice(YAML_LINES))


def _laughs(lines: list[str], luck: random.Random) -> None:
    lines.insert(0, BILLION_LAUGHS)
    place = luck.randrange(1, len(lines))
    lines[place] = lines[place].partition(":")[0] + ": *laugh11"


def _alike(lines: list[str], luck: random.Random) -> None:
    place = luck.randrange(len(lines))
    lines[place] = "".join(each.translate(CONFUSABLE) if luck.random() < 0.3 else each for each in lines[place])


def _odd_value(lines: list[str], luck: random.Random) -> None:
    place = luck.randrange(len(lines))
    mark = luck.choice((":", ","))
    value = luck.choice((*(each for each in ODD_VALUES if isinstance(each, str | int | float)), *ODD_PATHS))
    lines[place] = lines[place].partition(mark)[0] + mark + " " + str(value) if value != 10**400 else "9" * 400


_LINE_CHANGES: tuple[tuple[str, Callable[[list[str], random.Random], None]], ...] = (
    ("lines swapped", _swap_lines),
    ("values swapped", _swap_values),
    ("line twice", _twice),
    ("line gone", _without),
    ("line shifted", _shift),
    ("special line", _special),
    ("special line", _special),
    ("billion laughs", _laughs),
    ("confusable letters", _alike),
    ("odd value", _odd_value),
)


def paths_in(tree: Any, above: Path = ()) -> Iterator[Path]:
    """Every place in nested mappings and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*above, key)
        yield from paths_in(value, (*above, key))


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _some_path(tree: Any, luck: random.Random) -> Path:
    return luck.choice(list(paths_in(tree)) or [()])


def _borrow(tree: Any, luck: random.Random, _fields: Fields) -> None:
    to, source = _some_path(tree, luck), _some_path(tree, luck)
    if to:
        _at(tree, to[:-1])[to[-1]] = copy.deepcopy(_at(tree, source))


def _drop(tree: Any, luck: random.Random, _fields: Fields) -> None:
    path = _some_path(tree, luck)
    if path:
        del _at(tree, path[:-1])[path[-1]]


def _make_odd(tree: Any, luck: random.Random, _fields: Fields) -> None:
    path = _some_path(tree, luck)
    if path:
        _at(tree, path[:-1])[path[-1]] = copy.deepcopy(luck.choice((*ODD_VALUES, *ODD_PATHS)))


def _misspell(tree: Any, luck: random.Random, _fields: Fields) -> None:
    path = _some_path(tree, luck)
    section = _at(tree, path[:-1]) if path else None
    if isinstance(section, dict):
        section[near_miss(str(path[-1]), luck)] = section.pop(path[-1])
    elif isinstance(section, list) and isinstance(section[path[-1]], str):
        section[path[-1]] = near_miss(section[path[-1]], luck)


def _misname(tree: Any, luck: random.Random, _fields: Fields) -> None:
    path = _some_path(tree, luck)
    if path and isinstance(_at(tree, path), str):
        _at(tree, path[:-1])[path[-1]] = near_miss(_at(tree, path), luck)


def _grow(tree: Any, luck: random.Random, fields: Fields) -> None:
    """Set a key that such a file may have, mostly where it belongs and to something of its kind."""
    path, kind, values = luck.choice(fields)
    while luck.random() < 0.95 and not _belongs(tree, path, kind):
        path, kind, values = luck.choice(fields)
    section = tree
    for key in path[:-1]:
        if isinstance(section, list) and section and isinstance(key, int):
            section = section[key % len(section)]
        elif isinstance(section, dict):
            if not isinstance(section.get(key), dict | list):
                section[key] = {"kind": section[key]} if isinstance(section.get(key), str) else {}
            section = section[key]
    odd = (*ODD_VALUES, *ODD_PATHS, _at(tree, _some_path(tree, luck)))
    value = copy.deepcopy(luck.choice(values if values and luck.random() < 0.8 else odd))
    if isinstance(section, dict):
        section[path[-1]] = value
    elif isinstance(section, list) and section and isinstance(path[-1], int):
        section[path[-1] % len(section)] = value


def _belongs(tree: Any, path: Path, kind: str) -> bool:
    """Whether the section that a key goes to is there, of the kind that has such a key."""
    section = tree
    for key in path[:-1]:
        try:
            section = section[key]
        except (LookupError, TypeError):
            return not kind and key not in ("own", "toy", "store", "plan")
    found = section.get("kind") if isinstance(section, dict) else section
    return not kind or found == kind


_TREE_CHANGES: tuple[tuple[str, Callable[[Any, random.Random, Sequence[Path]], None]], ...] = (
    ("another key's value", _borrow),
    ("key gone", _drop),
    ("odd value of a key", _make_odd),
    ("key misspelt", _misspell),
    ("name misspelt", _misname),
    *[("key added", _grow)] * 6,
)


def near_miss(word: str, luck: random.Random) -> str:
    """A word that somebody might type instead."""
    place = luck.randrange(len(word) + 1)
    return luck.choice(
        (
            word[:place] + word[place + 1 :],
            word[:place] + "e" + word[place:],
            word.upper(),
            word.replace("_", "-"),
            word + "s",
            word.translate(CONFUSABLE),
            word[::-1],
            "",
        )
    )
