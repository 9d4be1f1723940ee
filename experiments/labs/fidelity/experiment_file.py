"""An experiment file as the lab reads it: the same data, split, pages and recommenders, the lab's own options default.

groundlings fidelity my_test.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.fidelity.config import DEFAULT_ARMS, FidelityConfig
from groundlings.recommenders.registry import find_recommender

_NOT_TAKEN = ("population",)
"""Of an experiment, because it means something else here: agents there, users of the test third here."""


def is_experiment(content: Mapping[str, Any]) -> bool:
    """Whether a file describes an experiment: it has arms, and no recommenders to be ordered."""
    return "arms" in content and "recommenders" not in content


def as_fidelity(content: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """The content of a fidelity file; what is no experiment file comes back as it is.

    Keys that only an experiment has are left out, and a key that nobody knows stays, to be complained of.

    Args:
        content: Of a YAML file.
        say: Is told what of it is not used, and why.
    """
    if not is_experiment(content):
        return dict(content)
    known = set(FidelityConfig.model_fields) - {*_NOT_TAKEN, "mind"}
    of_experiments = set(ExperimentConfig.model_fields) - known - {"base", "arms", "mind"}
    kept = {key: value for key, value in content.items() if key not in of_experiments | {"arms", "mind"}}
    unused = [key for key in content if key in of_experiments]
    if unused:
        say(f"this is an experiment file; not needed here and not read: {', '.join(unused)}")
    if isinstance(content.get("name"), str):
        kept["name"] = f"{content['name']}-fidelity"
    population = content.get("population")
    if isinstance(population, Mapping) and population.get("synthetic") is not None:
        kept["synthetic_users"] = [population["synthetic"]]
    kept |= _mind(content.get("mind"), say)
    arms = content["arms"]
    if isinstance(arms, list) and all(isinstance(arm, Mapping) and isinstance(arm.get("name"), str) for arm in arms):
        kept["recommenders"] = list(_recommenders(arms, say))
    else:
        kept["recommenders"] = arms  # to be complained of
    return kept


def _mind(mind: object, say: Callable[[str], None]) -> dict[str, Any]:
    """The mind, where it is a behavioural one; else nothing."""
    section = {"kind": mind} if isinstance(mind, str) else dict(mind) if isinstance(mind, Mapping) else {}
    if section.get("kind") != "behavioural":
        say(
            f"mind: found {section.get('kind', 'none')}; the lab examines the behavioural mind with its defaults (a "
            "language model is examined beside it with a section `language`)"
        )
        return {}
    if section.pop("grounded", False):
        say("mind.grounded: not used here, because it decides by the behaviour that every figure is measured against")
    return {"mind": section}


def _recommenders(arms: list[Mapping[str, Any]], say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The arms that can be ordered here, and the lab's own recommenders that are not among them."""
    taken: list[tuple[Any, Any]] = []
    names = {arm["name"] for arm in arms}
    for number, arm in enumerate(arms):
        content = (arm.get("recommender"), arm.get("options") or {})
        why = _unfit(arm, f"arms[{number}]")
        if why is None and content in taken:
            why = "it is a copy of an earlier arm, and no order can tell the two apart"
        if why is not None:
            say(f"arm {arm['name']}: left out; {why}")
            continue
        taken.append(content)
        yield {key: value for key, value in arm.items() if key != "history"}
    added = [own for own in DEFAULT_ARMS if (own.recommender, own.options) not in taken]
    if added:
        say(f"recommenders: {len(taken)} arms of the file, and {len(added)} of the lab's own to be ordered with them")
    for own in added:
        name = own.name if own.name not in names else f"{own.name} (lab)"
        yield {"name": name, "recommender": own.recommender, "options": own.options}


def _unfit(arm: Mapping[str, Any], where: str) -> str | None:
    """Why an arm cannot be ordered here, None where it can."""
    if arm.get("model") is not None:
        return "it asks a language model, and the lab asks none for recommenders"
    if arm.get("history") == "none":
        return "it learns from simulated interactions only, and there are none here"
    for spec in _specs(arm):
        if spec.startswith(PYTHON_OBJECT):
            return "it is a Python object, which no file can hold"
        if getattr(find_recommender(spec, where=where), "sees_hidden_preference", False):
            return "it sees hidden preferences, which no real recommender does"
    return None


def _specs(section: object) -> Iterator[str]:
    """Names of recommenders in an arm, those inside of others included."""
    if isinstance(section, Mapping):
        for key, value in section.items():
            if key == "recommender" and isinstance(value, str):
                yield value
            else:
                yield from _specs(value)
    elif isinstance(section, list):
        for value in section:
            yield from _specs(value)
