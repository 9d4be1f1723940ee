"""From a YAML file to an `ExperimentConfig`, or to an error that says where and what to do."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import ConfigError, RunWarning, in_words, shown
from groundlings.environments.key_words import without_keys, without_keys_as_names, without_secrets
from groundlings.environments.missing_files import meant_among
from groundlings.experiments.config import yaml_reading
from groundlings.experiments.config.complaints import Config, Key, checked, key_path
from groundlings.experiments.config.file_kinds import meant_for_another
from groundlings.experiments.config.keys_in_options import refuse_keys_in_options
from groundlings.experiments.config.places import anchor
from groundlings.experiments.config.schema import (
    ArmConfig,
    ExperimentConfig,
    HybridMindConfig,
    LanguageMindConfig,
    PluginMindConfig,
)
from groundlings.personas.search.options import REFORMULATION_RATE
from groundlings.simulator.language.config import ModelConfig


def load_config(path: Path, overrides: Sequence[str] = (), seed: int | None = None) -> ExperimentConfig:
    """The checked configuration of one experiment; see `load_as`."""
    return load_as(ExperimentConfig, path, overrides, seed)


def keys_of(path: Path) -> frozenset[str]:
    """The keys at the top of a YAML file.

    Raises:
        ConfigError: It cannot be read.
    """
    return frozenset(map(str, _read(path)[1]))


def load_as(
    kind: type[Config],
    path: Path,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    read_as: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    within: str = "",
) -> Config:
    """A checked configuration.

    Args:
        kind: What the file describes; it has the fields `seed` and `base`.
        path: A YAML file.
        overrides: `key.path=value` each; the value is read as YAML, list elements go by number.
        seed: Takes the place of the file's seed.
        read_as: Turns the content of another kind of file into that of this one, before it is changed.
        within: The field of `kind` that the whole file is; all of it if empty.

    Raises:
        ConfigError: The file cannot be read, or says something that does not fit.
    """
    node, content = _read(path)
    content = {within: content} if within else read_as(content)
    for override in overrides:
        _override(content, override)
    if seed is not None:
        content["seed"] = seed
    changed = [_key_path(override.partition("=")[0]) for override in overrides]
    if "base" in content:
        where = "--set" if any(keys[0] == "base" for keys in changed) else str(path)
        raise ConfigError(f"{where}: base: this key does not exist")

    def worded(where: Sequence[Key], what: str) -> str:
        return _explain(path, node, where[1:] if within else where, what, changed)

    try:
        config = checked(kind, {**content, "base": path.resolve().parent}, worded)
    except ConfigError:
        if elsewhere := meant_for_another(kind, content, path):
            raise ConfigError(f"{path}: {elsewhere}") from None
        raise
    if kind is not ExperimentConfig:  # a run refuses them when it begins: begun ones are read here, too
        refuse_keys_in_options(config)
    return config


def dump_config(config: BaseModel) -> dict[str, Any]:
    """The configuration as plain values that mean the same wherever they are read: relative paths are made absolute."""
    content: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    own = deepcopy(content["dataset"]["own"]) if content.get("copy_data") else None
    anchor(content, getattr(config, "base", Path()))
    if own is not None:
        content["dataset"]["own"] = own  # a run's copies lie in its directory, wherever that lies
    return content


def as_yaml(config: BaseModel) -> str:
    """The configuration as a file; loading it gives the same one."""
    return yaml.safe_dump(dump_config(config), sort_keys=False, allow_unicode=True)


def config_hash(config: BaseModel) -> str:
    """SHA-256 over every value of the configuration that can change a result, in hexadecimal; see `with_effect`."""
    return hashlib.sha256(json.dumps(with_effect(config), sort_keys=True).encode()).hexdigest()


def with_effect(config: BaseModel) -> dict[str, Any]:
    """The values of a configuration that can change a result.

    Budgets, limits, timeouts and concurrency stay out: whoever resumes a run may change them. So does the place of the
    log, because a run is the same wherever it is written down, and `execution`, because it is wherever it is simulated;
    `held_out`, which measures arms and changes no session, and `question`, which is a title.
    """
    content = dump_config(config)
    content.pop("log", None)
    content.pop("execution", None)
    content.pop("exposures", None)  # only `groundlings calibrate` reads it
    content.pop("held_out", None)
    content.pop("groups", None)  # reports alone read it
    if isinstance(content.get("question"), str):  # a title; in a training file it is what the model is shown
        del content["question"]
    if content.pop("copy_data", False):
        del content["dataset"]["own"]  # the hash of the data set tells all about it
    elif isinstance(own := content.get("dataset", {}).get("own"), dict):
        own.setdefault("scale", _USUAL_SCALE)
    # What every file meant before these keys existed: the runs of then keep their hash.
    if content.get("design") == {"kind": "parallel"}:
        del content["design"]
    configured: Sequence[ArmConfig] = getattr(config, "arms", ())
    for arm, arm_config in zip(content.get("arms", ()), configured, strict=True):
        arm.pop("max_unreadable", None)
        if arm.get("history") == "all":
            del arm["history"]
        if arm_config.model is not None:
            arm["model"] = _with_effect(arm_config.model, config)
    mind = getattr(config, "mind", None)
    if isinstance(content.get("mind"), dict) and not isinstance(mind, PluginMindConfig):
        for key, value in (("grounded", False), ("wording", "standard")):
            if content["mind"].get(key) == value:
                del content["mind"][key]
        worded = content["mind"] if isinstance(mind, LanguageMindConfig) else content["mind"].get("language")
        if isinstance(worded, dict) and worded.get("cohort_size") == 1:
            del worded["cohort_size"]
        searches = content["mind"].get("search")
        if isinstance(searches, dict) and "fitted" not in searches:
            searches.setdefault("reformulation_rate", REFORMULATION_RATE)
        asked = content["mind"].get("question") if content["mind"].get("kind") == "calibrated" else content["mind"]
        if isinstance(asked, dict) and content["mind"].get("kind") in ("calibrated", "language"):
            asked.setdefault("things", _USUAL_THINGS)
    if isinstance(content.get("plan"), dict) and content["plan"].get("take_out_luck") is False:
        del content["plan"]["take_out_luck"]
    for section, idle in (("simulation", {"concurrency"}), ("mind", {"model", "max_unreadable"}), _LAB):
        if isinstance(content.get(section), dict):
            content[section] = {key: value for key, value in content[section].items() if key not in idle}
    model = getattr(mind, "model", None)
    if isinstance(model, ModelConfig):
        content["mind"]["model"] = _with_effect(model, config)
    if isinstance(mind, HybridMindConfig):
        content["mind"]["language"].pop("max_unreadable", None)
        content["mind"]["language"]["model"] = _with_effect(mind.language.model, config)
    return content


_USUAL_SCALE = {"low": 1.0, "high": 5.0, "step": 1.0}
"""What `dataset.own.scale` is if absent; it stood in every file before it could be absent."""

_USUAL_THINGS = "films"
"""What `things` was if absent, before data sets said what their items are called."""

_LAB = ("language", {"max_unreadable"})
"""The same of a lab's language model."""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested values by their key path, as `--set` takes it."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, inner in children:
        found = True
        yield from leaves(inner, f"{path}.{key}" if path else str(key))
    if not found:
        yield path, value


def _with_effect(model: ModelConfig, config: BaseModel) -> Any:
    """A model's keys that can change what comes out."""
    kept = model.model_dump(mode="json", exclude_none=True, exclude=model.without_effect)
    anchor(kept, getattr(config, "base", Path()))
    return kept


def _read(path: Path) -> tuple[yaml.Node, dict[str, Any]]:
    try:
        text = bounded_text(path, yaml_reading.MOST_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file{_nearby(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: this is a directory; expected a YAML file{_of_a_run(path)}") from None
    except (OSError, UnicodeDecodeError) as fault:
        advice = "; save it as UTF-8" if isinstance(fault, UnicodeDecodeError) else ""
        raise ConfigError(f"{path}: cannot be read: {in_words(fault)}{advice}") from None
    except ValueError as fault:
        raise ConfigError(f"{path}: {fault}") from None
    try:
        node = yaml_reading.compose(text)
        if isinstance(node, yaml.MappingNode):
            _refuse_twins(path, node, {})
        content = yaml_reading.parse(text)
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = without_keys(getattr(fault, "problem", None) or str(fault) or type(fault).__name__)
        raise ConfigError(f"{where}: this is not valid YAML: {problem}") from None
    if node is None or not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys such as `name`, `seed`, `dataset`, `mind`, `arms`")
    return node, content


def _of_a_run(path: Path) -> str:
    """How a run whose directory was named is gone on with; "" where it is no run's."""
    file = path / "config.yaml"
    if not file.is_file():
        return ""
    again = f"groundlings run --resume {shlex.quote(str(path))}"
    return f". It is a run's: `{again}` goes on with it, and its experiment file is {file}"


def _nearby(path: Path) -> str:
    shipped = Path(__file__).parents[1] / "configs"
    folders = [folder for folder in (path.parent, shipped) if folder.is_dir()]
    names = {file.name: file for folder in folders for file in folder.glob("*.yaml") if file != path}
    return meant_among(path, names)


def _refuse_twins(path: Path, node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node stands for, aliases written out; each node is looked at once.

    YAML readers keep the last of two equal keys without a word; here that is an error. So is a file whose aliases
    would grow it without bounds, because every reader after this one writes them out.

    Args:
        path: The file, for messages.
        node: Where to look.
        sizes: What is known already, by the identity of nodes; 0 for those that are being looked at.
    """
    if id(node) in sizes:
        if sizes[id(node)] == 0:
            raise ConfigError(f"{path}:{node.start_mark.line + 1}: an alias stands inside of what it stands for")
        return sizes[id(node)]
    sizes[id(node)], size = 0, 1
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{path}:{line}: a key must be one word, found a list or a mapping")
            if key.value in first:
                told = without_keys_as_names(repr(key.value))
                raise ConfigError(f"{path}:{line}: the key {told} stands already in line {first[key.value]}")
            first[key.value] = line
            size += _refuse_twins(path, value, sizes)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_refuse_twins(path, value, sizes) for value in node.value)
    if size > _MOST_VALUES:
        line = node.start_mark.line + 1
        raise ConfigError(f"{path}:{line}: with its aliases written out, this is more than {_MOST_VALUES:,} values")
    sizes[id(node)] = size
    return size


_MOST_VALUES = 100_000
"""In a file; the largest that make sense have a few hundred."""


def _key_path(text: str) -> list[Key]:
    """The keys of a path, entries of lists by `arms.0` or, as messages name them, `arms[0]`."""
    parts = re.sub(r"\[(\d+)\]", r".\1", text).strip().split(".")
    return [int(part) if part.isdecimal() and len(part) <= _MOST_DIGITS else part for part in parts]


_MOST_DIGITS = 9
"""Of the number of an entry in a list; Python refuses thousands of digits."""


_MOST_REPEATED = 500


def _shown(override: str) -> str:
    """A change from the command line as messages repeat it: on both sides may stand a key that belongs elsewhere."""
    told = without_keys_as_names(override)
    return told if len(told) <= _MOST_REPEATED else f"{told[:_MOST_REPEATED]}... ({len(told):,} characters)"


def _override(content: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals or "" in _key_path(name):
        raise ConfigError(f"--set {_shown(override)}: expected key.path=value, for instance site.page_size=5")
    try:
        value = yaml_reading.parse(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: an impossible date, too many digits
        raise ConfigError(f"--set {_shown(override)}: the value is not valid YAML") from None
    *parents, last = _key_path(name)
    place: Any = content
    for depth, key in enumerate(parents):
        if isinstance(place, dict) and isinstance(place.get(key), str):
            place[key] = {_SHORTHANDS.get(str(key), "name"): place[key]}
        place = _step(place, key, override, parents[:depth])
    if isinstance(place, list):
        _step(place, last, override, parents)
    elif not isinstance(place, dict):
        above = without_keys_as_names(key_path(parents))
        raise ConfigError(f"--set {_shown(override)}: {above} holds {_told(place)}, which has no keys")
    if not parents:
        _tell_what_goes(override, str(last), place.get(last), value)
    place[last] = value


def _tell_what_goes(override: str, name: str, section: Any, value: Any) -> None:
    """Warn where a word takes the place of a whole section: its other keys no longer count."""
    word = _SHORTHANDS.get(name)
    if word is None or not isinstance(value, str) or not isinstance(section, dict):
        return
    if gone := [str(key) for key in section if key != word]:
        lost, count = without_keys_as_names(", ".join(gone)), "counts" if len(gone) == 1 else "count"
        warnings.warn(
            f"--set {_shown(override)}: it takes the place of the whole section, so {lost} of the file no longer "
            f"{count}; --set {_shown(f'{name}.{word}={value}')} keeps the other keys",
            RunWarning,
            stacklevel=2,
        )


_SHORTHANDS = {"mind": "kind", "dataset": "name", "design": "kind"}
"""Sections that may be written as one word, and the key which that word stands for."""


def _step(place: Any, key: Key, override: str, above: Iterable[Key]) -> Any:
    where = without_keys_as_names(key_path(above)) or "the file"
    if isinstance(place, dict):
        return place.setdefault(key, {})
    if isinstance(place, list) and isinstance(key, int) and key < len(place):
        return place[key]
    told = without_keys_as_names(shown(key))
    if isinstance(place, list):
        raise ConfigError(
            f"--set {_shown(override)}: {where} is a list of {len(place)}; expected a number below that, found {told}"
        )
    raise ConfigError(f"--set {_shown(override)}: {where} holds {_told(place)}, which has no key {told}")


def _told(place: Any) -> str:
    return without_secrets(repr(place), place)


def _explain(path: Path, node: yaml.Node, location: Sequence[Key], message: str, changed: list[list[Key]]) -> str:
    line, sections = _line(node, location)
    # A section that the file does not hold came from whoever named something in it.
    new = list(location[: sections + 1]) if sections < len(location) else None
    by_hand = any(location[: len(keys)] == keys or keys[: sections + 1] == new for keys in changed)
    where = "--set" if by_hand else f"{path}:{line}"
    return f"{where}: {key_path(location) or 'the file'}: {message}"


def _read_as(key: yaml.Node) -> str:
    """What a key is called once it was read: `null:` is None, `yes:` is True."""
    try:
        return str(yaml_reading.parse(str(key.value)))
    except (yaml.YAMLError, ValueError, RecursionError):
        return str(key.value)


def _line(node: yaml.Node, location: Sequence[Key]) -> tuple[int, int]:
    """The line of a key, or of the innermost section that should hold it, and how many keys lead to sections there."""
    line = node.start_mark.line
    for depth, key in enumerate(location):
        if isinstance(node, yaml.MappingNode):
            found = [(name, value) for name, value in node.value if str(key) in (name.value, _read_as(name))]
            if not found:
                return line + 1, depth
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line
        else:
            return line + 1, depth - 1
    return line + 1, len(location) - isinstance(node, yaml.ScalarNode)
