"""What must be equal for a run to be resumed as the same experiment, and what differs.

`runs.identity` holds it, one name per part:

    data                          SHA-256 over users, items and interactions
    simulation.code               of the code that carries out sessions
    arms.NAME.code                of the recommender's source, and of those inside it
    arms.NAME.state               what an object that is used as it is has learnt
    arms.NAME.file.KEY            a file that an option names, in a directory KEY/FILE; likewise mind.file.KEY and
                                  environment.file.KEY
    arms.NAME.model               the language model that the recommender asks
    mind.code, mind.prompts, mind.calibration, mind.model
    interventions.N.ARM.code, interventions.N.file.KEY, interventions.N.prompts
                                  the same of recommenders and prompts that an arm gets on the way, N from 0
    environment.code, .actions, .interaction, .strength
    metrics.NAME.code             of metrics that do not come with Groundlings
    packages.NAME                 version of what that code imports and what can change a draw

The configuration is compared beside it, key by key, as `config.KEY.PATH`: what a file says that changes no result
(budgets, timeouts, concurrency) may differ, and so may the place where data lies whose content is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundlings.environments.chat import ChatModel, fingerprint_of
from groundlings.environments.environment import Environment
from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.environments.social_turns import site_alone
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.registry import BUILT_IN
from groundlings.experiments.archive.provenance import PACKAGES
from groundlings.experiments.config.places import may_name_file
from groundlings.experiments.config.schema import ArmConfig, ExperimentConfig, PluginMindConfig
from groundlings.experiments.running.source_code import Source, simulation_source, source_of, versions_of
from groundlings.personas.mind import Mind
from groundlings.recommenders.base import AsyncRecommender, state_of
from groundlings.recommenders.registry import parts_of

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_DRAW = frozenset({"numpy", "scipy", "mesa"})
_MOST_FILES = 1000
_FILES_OF_MINDS: Any = {"agent_notes": True, "social": {"ties"}, "search": {"fitted"}, "language": {"agent_notes"}}
"""Options of shipped minds whose files decide, as they are and in the section of a hybrid mind's sample."""
_DRAW_NOTHING = frozenset({"groundlings", "pydantic", "pandas", "pyarrow", "threadpoolctl", "typing_extensions"})


def identity_of(plan: Plan, recommenders: Sequence[AsyncRecommender], minds: Sequence[Mind]) -> dict[str, str]:
    """What must be equal for a run of this plan to be resumed."""
    found = {"data": plan.dataset.fingerprint}
    found |= code_identity(
        plan.config, recommenders, minds[0] if minds else None, plan.environment, plan.metrics, plan.supplied.mind
    )
    asked = {"mind": plan.minds.model} | {f"arms.{name}": model for name, model in plan.models.items()}
    found |= {f"{who}.model": model_identity(model) for who, model in asked.items() if model is not None}
    if plan.minds.language_term is not None:
        found["mind.calibration"] = plan.minds.language_term.calibration.sha256
        if plan.minds.model is None:
            found["mind.student"] = plan.minds.language_term.scorer.fingerprint
    exposures = minds[0].describe().get("exposures") if minds else None
    if isinstance(exposures, str):
        found["mind.exposures"] = exposures
    if plan.returns is not None and plan.returns.exposures_hash:
        found["simulation.returns.exposures"] = plan.returns.exposures_hash
    return found


def code_identity(
    config: ExperimentConfig,
    recommenders: Sequence[AsyncRecommender],
    mind: Mind | None,
    environment: Environment[Any],
    metrics: Sequence[Metric],
    maker: Callable[..., Mind] | None = None,
) -> dict[str, str]:
    """The parts that are code, files beside it, and the versions of packages.

    Args:
        config: Of the run.
        recommenders: One per arm, as they were built, in the order of the arms.
        mind: That of the first arm; None where there are no arms.
        environment: Where agents browse.
        metrics: Of the run.
        maker: What makes minds, where Python code handed that over.
    """
    found: dict[str, str] = {}
    packages = set(_DRAW)
    versions: dict[str, str] = {}

    def note(name: str, sources: Iterable[Source]) -> None:
        sources = list(sources)
        known = [source.sha256 for source in sources if source.sha256 is not None]
        if known:
            found[name] = known[0] if len(known) == 1 else _hash("".join(known))
        for source in sources:
            versions.update(source.packages)

    note("simulation.code", [simulation_source()])
    for arm, recommender in zip(config.arms, recommenders, strict=True):
        note(f"arms.{arm.name}.code", [source_of(part) for part in parts_of(recommender)])
        state = _state(arm, recommender)
        if state:
            found[f"arms.{arm.name}.state"] = state
    found |= files_of(config)
    if mind is not None:
        note("mind.code", [source_of(mind), *(source_of(made) for made in [maker] if made is not None)])
        if prompts := prompts_hash(mind):
            found["mind.prompts"] = prompts
    note("environment.code", [source_of(site_alone(environment))])
    found |= actions_of(environment)
    for metric in metrics:
        if BUILT_IN.get(metric.name) != metric:
            note(f"metrics.{metric.name}.code", [_of_metric(metric)])
    versions |= versions_of(packages)
    return found | {
        f"{PACKAGES}{name}": version for name, version in sorted(versions.items()) if name not in _DRAW_NOTHING
    }


def actions_of(environment: Environment[Any]) -> dict[str, str]:
    """What can be done there, and what of it recommenders learn from; a log without it is read as that of a feed."""
    schema = environment.schema
    return {
        "environment.actions": ",".join(schema.names),
        "environment.interaction": schema.interaction,
        "environment.strength": schema.strength or "",
    }


def files_of(config: ExperimentConfig) -> dict[str, str]:
    """The parts that are files which the options of arms, mind and environment name."""
    if isinstance(config.mind, PluginMindConfig):
        found = file_hashes("mind", config.mind.options, config.base)
    else:
        found = file_hashes("mind", config.mind.model_dump(mode="json", include=_FILES_OF_MINDS), config.base)
    for arm in config.arms:
        found |= file_hashes(f"arms.{arm.name}", arm.options, config.base)
    if config.environment is not None:
        found |= file_hashes("environment", config.environment.options, config.base)
    return found


def code_hash(recommender: AsyncRecommender) -> str:
    """SHA-256 over the source of a recommender and those inside it; "" where none of it can be read."""
    known = [source_of(part).sha256 for part in parts_of(recommender)]
    found = [each for each in known if each is not None]
    return found[0] if len(found) == 1 else _hash("".join(found)) if found else ""


def prompts_hash(mind: Mind) -> str:
    """SHA-256 over what a mind says of its prompts; "" where it has none."""
    prompts = mind.describe().get("prompts")
    return _hash(json.dumps(dict(prompts), sort_keys=True, default=str)) if isinstance(prompts, Mapping) else ""


def model_identity(model: ChatModel) -> str:
    """A language model's name and fingerprint as one value."""
    fingerprint = fingerprint_of(model)
    return model.name if fingerprint == model.name else f"{model.name} {fingerprint}"


def files_named(options: Mapping[str, Any], base: Path, above: str = "") -> Iterator[tuple[str, Path]]:
    """Files that options name, with the key path of each, and of a directory the files in it as `KEY/NAME`.

    Left out is a directory in which this run may write: one around the current directory or that of the experiment
    file; so is one of more than 1,000 files.

    Args:
        options: Of a recommender, as the YAML has them.
        base: Where relative paths start; what is not there may lie in the current directory.
        above: Key path of the options.
    """
    for key, value in options.items():
        here = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from files_named(value, base, f"{here}.")
        elif isinstance(value, list | tuple):
            yield from files_named({str(place): each for place, each in enumerate(value)}, base, f"{here}.")
        elif isinstance(value, str) and may_name_file(key, value):
            try:
                named = Path(value).expanduser()
                places = [base / named, named]
                path = next((each for each in places if each.is_file() or each.is_dir()), None)
                if path is not None:
                    yield from _files_at(here, path, base)
            except (OSError, RuntimeError, ValueError):
                continue


def _files_at(here: str, path: Path, base: Path) -> list[tuple[str, Path]]:
    """The file at a place, or those in the directory there."""
    if path.is_file():
        return [(here, path)]
    home = path.resolve()
    if any(each.resolve().is_relative_to(home) for each in (Path(), base)):
        return []
    walked = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    found = list(islice((each for each in walked if each.is_file()), _MOST_FILES + 1))
    if len(found) > _MOST_FILES:
        return []
    return sorted((f"{here}/{each.relative_to(path).as_posix()}", each) for each in found)


def file_hashes(where: str, options: Mapping[str, Any], base: Path) -> dict[str, str]:
    """The parts that are files which options name: `WHERE.file.KEY` -> SHA-256; see `files_named`."""
    return {f"{where}.file.{key}": _file_hash(path) for key, path in files_named(options, base)}


def _state(arm: ArmConfig, recommender: AsyncRecommender) -> str:
    """What an object that is used as it is has learnt; "" of one that the run fits, or that does not say."""
    ready = arm.recommender.startswith(PYTHON_OBJECT) and arm.options.get("fit") == "never"
    return state_of(recommender) if ready else ""


def _of_metric(metric: Metric) -> Source:
    if metric.function is not None:
        return source_of(metric.function)
    return Source(_hash(json.dumps(metric.as_dict(), sort_keys=True, default=str)), {})


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
