"""From `mind.kind` in the YAML to a mind: shipped ones, plug-ins, and your own `module:Class`.

A mind of your own is a class with `cohort_size`, `decide` and `describe` (see `groundlings.personas.mind.Mind`). It
asks for what it needs by the names of its constructor's parameters: those that a `MindContext` has are filled from
there, all others are options, checked against their types. So this file `impatient.py`

    from groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions

    class Impatient(ScriptedMind):
        def __init__(self, population, clicks: int = 1):
            super().__init__(ScriptedOptions(click=tuple(range(clicks)), pages=1))

is the mind of an experiment that says

    mind: {kind: "impatient:Impatient", clicks: 2}

Instead of parameters, a class may have a pydantic model called `Options`; it is then handed one as `options`. Every arm
gets a mind of its own. `groundlings.personas.contract.MindContract` checks what a mind has to keep.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from groundlings.environments.actions import ActionSchema
from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.errors import ConfigError, expectation, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.offers import Offers
from groundlings.environments.plugins import ExtensionPoint, as_json, constructor_arguments, nearest
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.language_term import LanguageTerm
from groundlings.personas.mind import Mind
from groundlings.personas.population import Population

if TYPE_CHECKING:
    from groundlings.personas.repeats.model import RepeatModel
    from groundlings.personas.taste.model import Taste

MINDS = ExtensionPoint(
    "mind",
    "groundlings.minds",
    {
        "behavioural": "groundlings.personas.minds.behavioural:BehaviouralMind",
        "calibrated": "groundlings.personas.minds.calibrated:CalibratedMind",
        "conversing": "groundlings.personas.minds.conversing:ConversingMind",
        "conversing_language": "groundlings.personas.minds.conversing_language:ConversingLanguageMind",
        "hybrid": "groundlings.personas.minds.behavioural:BehaviouralMind",
        "language": "groundlings.personas.minds.language.mind:LanguageMind",
        "scripted": "groundlings.personas.minds.scripted:ScriptedMind",
    },
)

_REQUIRED = ("actions", "cohort_size", "decide", "describe")


@dataclass(frozen=True)
class MindContext:
    """All that a mind may be built from; one context serves the minds of all arms.

    Attributes:
        population: Who the agents are.
        fit_taste: Estimates what people like from the known history; called once, by whoever first asks for `taste`.
        later: What people really did after the experiment begins.
        fit_repeats: Estimates how people take up again what they know; None where no item is shown again.
        base_directory: Where relative paths of the experiment file start.
        model: The language model that agents ask, None where the configuration names none.
        sampling: How its replies are to be drawn, as the configuration has it; None likewise.
        language_term: What a calibrated mind asks and weighs; None for all others.
        offers: Prices, stock and promotions by day; None where the data set has none.
        schema: What may be done in the environment of the run; None where nobody says.
    """

    population: Population
    fit_taste: Callable[[], Taste]
    later: Interactions
    base_directory: Path
    model: ChatModel | None = None
    sampling: Sampling | None = None
    language_term: LanguageTerm | None = None
    offers: Offers | None = None
    schema: ActionSchema | None = None
    fit_repeats: Callable[[], RepeatModel] | None = None

    @cached_property
    def taste(self) -> Taste:
        """What people like, estimated when it is first asked for."""
        return self.fit_taste()

    @cached_property
    def repeats(self) -> RepeatModel | None:
        """How people take up again what they know, estimated when it is first asked for."""
        return None if self.fit_repeats is None else self.fit_repeats()

    @cached_property
    def grounding(self) -> Grounding:
        """Real held-out interactions, for grounded replay; recommenders never see them."""
        return Grounding.of(self.later)


GIVEN = ("population", "taste", "grounding", "base_directory", "model", "sampling", "repeats", "offers", "schema")
"""Parameters of a mind's constructor that are filled from the context."""


def missing_in_mind(found: object) -> list[str]:
    """What an object, or a class, lacks to be a mind."""
    return [name for name in _REQUIRED if not hasattr(found, name)]


def sound_mind(found: object, name: str, *, where: str = "mind") -> Mind:
    """The mind itself, where what it says of itself can be used.

    Args:
        found: What was made.
        name: What made it, for messages.
        where: Key path, for messages.

    Raises:
        ConfigError: It lacks something, its cohorts have no size, or it does not describe itself.
    """
    if missing := missing_in_mind(found):
        raise ConfigError(f"{where}: {name} made {type(found).__name__}, which lacks {', '.join(missing)}")
    mind = cast("Mind", found)
    size: object = mind.cohort_size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ConfigError(f"{where}: {name}.cohort_size is {shown(size)}; expected a whole number from 1")
    described: object = mind.describe()
    if not isinstance(described, Mapping):
        raise ConfigError(f"{where}: {name}.describe() gives {shown(described)}; expected a mapping")
    return mind


def find_mind(kind: str, *, where: str = "mind") -> type[Any]:
    """The class behind a name or `module:Class`.

    Raises:
        ConfigError: There is none, or it is no mind.
    """
    found = MINDS.load(kind, at=f"{where}.kind")
    if not isinstance(found, type):
        raise ConfigError(f"{where}.kind: {kind} is not a class")
    if missing := missing_in_mind(found):
        raise ConfigError(
            f"{where}.kind: {kind} is not a mind: it lacks {', '.join(missing)} (see groundlings.personas.mind.Mind)"
        )
    return found


def mind_arguments(kind: str, options: Mapping[str, Any], *, asks: bool, where: str = "mind") -> dict[str, Any]:
    """The options of a plug-in mind as arguments of its constructor, checked; nothing is built.

    Args:
        kind: The name of a plug-in, or `module:Class`.
        options: As the YAML has them.
        asks: Whether the YAML names a model.
        where: Key path of the mapping that holds them, for messages.

    Raises:
        ConfigError: There is no such mind, or an option is not known, missing, or of another type.
    """
    mind_class = find_mind(kind, where=where)
    parameters = inspect.signature(mind_class).parameters
    if "model" in parameters:
        if not asks and parameters["model"].default is inspect.Parameter.empty:
            raise ConfigError(f"{where}: {kind} asks a language model, and none is named; add the key `model`")
    elif asks:
        raise ConfigError(f"{where}.model: {kind} asks no language model; take the key out")
    schema = getattr(mind_class, "Options", None)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return {"options": _validated(schema, kind, options, where)}
    return constructor_arguments(mind_class, kind, options, reserved=GIVEN, at=f"{where}.kind", under=where)


def build_mind(kind: str, options: Mapping[str, Any], context: MindContext, *, where: str = "mind") -> Mind:
    """A new mind of a plug-in's class, for one arm.

    Args:
        kind: The name of a plug-in, or `module:Class`.
        options: As the YAML has them.
        context: What its constructor may ask for besides.
        where: Key path of the mapping that holds them, for messages.

    Raises:
        ConfigError: As `mind_arguments`, or what its constructor complains of.
    """
    mind_class = find_mind(kind, where=where)
    arguments = mind_arguments(kind, options, asks=context.model is not None, where=where)
    for name in GIVEN:
        if name in inspect.signature(mind_class).parameters:
            arguments[name] = getattr(context, name)
    try:
        made = mind_class(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return sound_mind(made, kind, where=where)


def _validated(schema: type[BaseModel], kind: str, options: Mapping[str, Any], where: str) -> BaseModel:
    known = list(schema.model_fields)
    if schema.model_config.get("extra") != "allow":
        for key in options:
            if key not in known:  # pydantic would drop it without a word
                has = f"it has: {', '.join(known)}" if known else "it has no options"
                raise ConfigError(f"{where}.{key}: {kind} has no such option{nearest(key, known)}; {has}")
    try:
        # As options of a constructor are read: strict, so that no yes is a 1.
        return schema.model_validate_json(as_json(dict(options), where), strict=True)
    except ValidationError as fault:
        error = fault.errors()[0]
        place = ".".join([where, *map(str, error["loc"])])
        if error["type"] == "missing":
            raise ConfigError(f"{place}: {kind} needs this option; found {sorted(options) or 'none'}") from None
        raise ConfigError(f"{place}: found {shown(error['input'])}; {expectation(error['msg'])}") from None
