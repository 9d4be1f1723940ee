"""Whether a run that is resumed is the experiment that it began as, and what differs where it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from groundlings.environments.errors import ConfigError
from groundlings.experiments.archive.provenance import is_in_directory, same_release, unlike
from groundlings.experiments.config.loading import config_hash, leaves, with_effect
from groundlings.experiments.config.minds import models_of_minds
from groundlings.experiments.config.places import PLACES
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.simulator.log.begun import Begun, Change
from groundlings.simulator.log.store import Store

ACCEPT = "--accept-changes"
"""The option that goes on all the same; in Python `accept_changes=True`."""

CONFIG = "config."
"""Begins the names of keys of the experiment file among what has changed."""

_MAY_CHANGE = re.compile(r"config\.(mind|arms\.\d+)\.model\..+")
"""Keys of the file that may change when changes are accepted: how a language model is asked."""

_FIXED = frozenset({"data", "environment.interaction", "environment.strength"})
"""What a log cannot hold two of."""

UNKNOWN = (
    "this log is of an earlier version and does not say what it depended on: configuration and data are those that it "
    "began with; code, packages, prompts and models are not compared"
)


def changes_since(begun: Begun, config: ExperimentConfig, identity: Mapping[str, str]) -> list[Change]:
    """What is not as it was when the run began, or when changes were last accepted.

    Args:
        begun: What the log says.
        config: Of the run, as its directory has it now.
        identity: What is now; it holds "data" at least.
    """
    last = {change.what: change.after for change in begun.accepted}
    found = [*_config_changes(begun, config, identity, last)]
    before = {"data": begun.dataset_hash} if begun.identity is None else {**begun.identity, "data": begun.dataset_hash}
    names = ["data"] if begun.identity is None else dict.fromkeys((*before, *identity))
    for what in names:
        was, now = last.get(what, before.get(what)), identity.get(what)
        if was != now:
            found.append(Change(what, was, now))
    return found


def check_same(
    place: Path | Store,
    begun: Begun,
    config: ExperimentConfig,
    identity: Mapping[str, str],
    *,
    accept: bool = False,
) -> tuple[list[Change], list[str]]:
    """The changes that are to be written down, and lines about what need not be.

    Args:
        place: The log.
        begun: What it says of the run.
        config, identity: What is now, as in `changes_since`.
        accept: Whether changes are accepted.

    Raises:
        ConfigError: Going on would mix two experiments in one log.
    """
    found = changes_since(begun, config, identity)
    patches = [change for change in found if _is_patch(change)]
    lost = [change for change in found if change.after is None and _is_out_of_sight(change.what, identity)]
    new = [change for change in found if change.before is None and is_in_directory(change.what)]
    real = [change for change in found if change not in patches and change not in lost and change not in new]
    notes = [f"{line(change)}; another patch release draws the same" for change in patches]
    notes += [f"{change.what}: the file cannot be found from here, so it was not compared" for change in lost]
    notes += [f"{change.what}: the file was not there when the run began" for change in new]
    if begun.identity is None and not begun.done:
        notes.append(UNKNOWN)
    if begun.done:
        fixed = [change for change in real if _never(change)]
        if fixed:
            raise ConfigError(_refusal(place, fixed))
        later = [f"{line(change)}; the run was finished before, and its log is as it was" for change in real]
        return [], notes + later
    refused = [change for change in real if not accept or _never(change)]
    if refused:
        raise ConfigError(_refusal(place, refused))
    return real, notes


def check_sibling(
    place: Path, begun: Begun, config: ExperimentConfig, identity: Mapping[str, str], *, accept: bool
) -> None:
    """Raise `ConfigError` where a replicate that begins now is of another experiment than one that began before.

    Args:
        place: The directory of the earlier one.
        begun: What its log says.
        config: Of the earlier one, as the experiment's file has it now.
        identity: What the one that begins depends on.
        accept: Whether another identity is accepted; a comparison of the two will say so in any case. It would not of
            another configuration.
    """
    before = begun.identity or {}
    differing = [] if accept else unlike(begun.identity, identity)
    last = {change.what: change.after for change in begun.accepted}
    found = [Change(what, before.get(what), identity.get(what)) for what in differing]
    configured = list(_config_changes(begun, config, identity, last))
    if found or configured:
        raise ConfigError(_refusal(place, [*found, *configured], fixed=configured))


def line(change: Change) -> str:
    """A change in words."""
    return f"{change.what}: {_short(change.before)} when it began, {_short(change.after)} now"


def _refusal(place: Path | Store, changes: Sequence[Change], fixed: Sequence[Change] = ()) -> str:
    """What to say of changes, of which `fixed` cannot be accepted whatever they are."""
    kinds = list(dict.fromkeys(_kind(change) for change in changes))
    never = [change for change in changes if change in fixed or _never(change)]
    told = "\n".join(f"    {line(change)}" for change in changes)
    parts = " and another ".join(dict.fromkeys(map(_kind, never)))
    way = (
        f"no log can go on with another {parts}: put it back as it was, or start a new run"
        if never
        else "put it back as it was, or start a new run; to go on all the same, as two experiments in one log, add "
        f"{ACCEPT} (accept_changes=True in Python), which the log, its manifest and every comparison will say"
    )
    moved = (
        "; data that lies elsewhere now, with the same content: run --resume RUN --data PATH"
        if any(change.what == "data" for change in never)
        else ""
    )
    head = f"{place}: the run began with another {' and another '.join(kinds)}:"
    return f"{head}\n{told}\n{way}{moved}"


_KINDS = (
    (re.compile(r"config\."), "configuration"),
    (re.compile(r"data$"), "data set"),
    (re.compile(r"((arms|interventions)\..*|mind|environment)\.file\."), "file"),
    (re.compile(r".*\.model$"), "language model"),
    (re.compile(r"mind\.calibration$"), "calibration"),
    (re.compile(r"mind\.student$"), "student"),
    (re.compile(r"(mind|simulation\.returns)\.exposures$"), "calibration of exposures"),
    (re.compile(r"(mind|interventions\..*)\.prompts$"), "prompt"),
    (re.compile(r"packages\."), "version of a package"),
    (re.compile(r".*\.code$"), "code"),
    (re.compile(r".*\.state$"), "trained recommender"),
)


def _kind(change: Change) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.match(change.what)), "environment")


def _never(change: Change) -> bool:
    """Whether nobody can accept a change."""
    if change.what in _FIXED:
        return True
    return change.what.startswith(CONFIG) and not _MAY_CHANGE.fullmatch(change.what)


def _is_patch(change: Change) -> bool:
    """Whether nothing but the last part of a package's version differs."""
    return change.before != change.after and same_release(change.what, change.before, change.after)


def _is_out_of_sight(what: str, now: Mapping[str, str]) -> bool:
    """Whether a file is not found any more; one of a directory that is still there was removed."""
    folder = what.partition("/")[0]
    return ".file." in what and not (is_in_directory(what) and any(name.startswith(f"{folder}/") for name in now))


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1...", value)


def _config_changes(
    begun: Begun, config: ExperimentConfig, identity: Mapping[str, str], last: Mapping[str, str | None]
) -> Iterator[Change]:
    accepted = {what: after for what, after in last.items() if what.startswith(CONFIG)}
    if not accepted and begun.config_hash == config_hash(config):
        return
    try:
        # The same code reads both, so that a key which did not exist then has the same default on both sides.
        first = ExperimentConfig.model_validate({**begun.config, "base": config.base})
    except ValidationError:
        yield Change("config", begun.config_hash, config_hash(config))
        return
    before, after = _compared(first, begun, identity), _compared(config, begun, identity)
    before |= {what: after for what, after in accepted.items() if after is not None}
    before = {what: value for what, value in before.items() if accepted.get(what, value) is not None}
    for what in dict.fromkeys((*before, *after)):
        if before.get(what) != after.get(what):
            yield Change(what, before.get(what), after.get(what))


def _compared(config: ExperimentConfig, begun: Begun, identity: Mapping[str, str]) -> dict[str, str]:
    """Values that count, as JSON by their name; places do not, where the content is compared."""
    kept = {}
    for path, value in leaves(with_effect(config)):
        if not _is_place(path, config, begun.identity or {}, identity):
            kept[f"{CONFIG}{path}"] = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return kept


def _is_place(path: str, config: ExperimentConfig, then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a key only says where something lies whose content is compared, then and now."""
    parts: list[Any] = path.split(".")
    key = parts[-1]
    match parts:
        case ["dataset", *_]:
            return key in PLACES or (key.isdigit() and parts[-2] in PLACES)
        case ["arms", number, "options", *rest]:
            what = f"arms.{config.arms[int(number)].name}.file.{'.'.join(rest)}"
            return _is_compared(what, then) and _is_compared(what, now)
        case ["mind" | "environment" as part, *rest] if _is_compared(f"{part}.file.{'.'.join(rest)}", now):
            return _is_compared(f"{part}.file.{'.'.join(rest)}", then)
        case [*_, "model", "embedded", "path" | "adapter"]:
            return bool(then)  # the weights' hash is part of the model's fingerprint, where that is known
        case [*above, "model", "store", "path"]:
            of_minds = models_of_minds(config.mind)
            model = (
                of_minds.get(".".join([*above, "model"])) if above[0] == "mind" else config.arms[int(above[1])].model
            )
            return model is not None and model.store is not None and model.store.mode != "replay"
    return False


def _is_compared(what: str, identity: Mapping[str, str]) -> bool:
    """Whether the content of a file, or of a directory's files, is part of an identity."""
    return what in identity or any(name.startswith(f"{what}/") for name in identity)
