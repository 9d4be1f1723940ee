"""The `mind` part of an experiment file: who decides, and how such a mind is built.

Each kind of section says which model its minds ask (`asked`) and builds a mind from a `MindContext` (`build`). Its
other keys are the options of the mind; `options` gives them as the mind takes them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from groundlings.environments.errors import ConfigError
from groundlings.environments.paths import NamedPath
from groundlings.experiments.config.hybrid import SampleOptions
from groundlings.personas.mind import FEED_ACTIONS, SEARCH_ACTIONS, SHOP_ACTIONS, TURN_ACTIONS, Mind
from groundlings.personas.minds.behavioural import BehaviouralOptions
from groundlings.personas.minds.calibrated import CalibratedOptions
from groundlings.personas.minds.conversing import CONVERSATION_ACTIONS, ConversingOptions, TalkOptions
from groundlings.personas.minds.conversing_language import WordedOptions
from groundlings.personas.minds.language.config import LanguageOptions
from groundlings.personas.minds.scripted import ScriptedOptions
from groundlings.personas.registry import MINDS, MindContext, build_mind, find_mind, mind_arguments
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.lost_pages import MAX_UNREADABLE

Options = TypeVar("Options", bound=BaseModel)


def _language(section: Any) -> Any:
    """A section of which nobody has to say that it is one of a language mind."""
    return {"kind": "language", **section} if isinstance(section, dict) else section


class BehaviouralSection(BehaviouralOptions):
    """Everybody decides by a choice model estimated on real histories, whoever else is asked."""

    @property
    def asked(self) -> ModelConfig | None:
        """No model."""
        return None

    @property
    def actions(self) -> frozenset[str]:
        """What its minds can do."""
        return FEED_ACTIONS | SHOP_ACTIONS | SEARCH_ACTIONS

    @property
    def options(self) -> BehaviouralOptions:
        """What the mind takes."""
        return _options(BehaviouralOptions, self)

    def build(self, context: MindContext) -> Mind:
        """A new mind for one arm."""
        from groundlings.personas.minds.behavioural import BehaviouralMind

        grounding = context.grounding if self.grounded else None
        return BehaviouralMind(
            context.population,
            context.taste,
            self.options,
            grounding,
            context.base_directory,
            context.repeats,
            context.offers,
            context.schema,
        )


class BehaviouralMindConfig(BehaviouralSection):
    """No language model: a choice model estimated on real histories."""

    kind: Literal["behavioural"]
    """`behavioural`."""


class ScriptedMindConfig(ScriptedOptions):
    """A fixed rule, for tests and examples."""

    kind: Literal["scripted"]
    """`scripted`."""
    max_unreadable: float = Field(default=1.0, ge=0, le=1)
    """Share of the pages that may be lost; above it the run stops with status 1. A script loses pages on purpose, so
    any by default."""

    @property
    def asked(self) -> ModelConfig | None:
        """No model."""
        return None

    @property
    def actions(self) -> frozenset[str]:
        """What its minds can do."""
        return FEED_ACTIONS | SHOP_ACTIONS

    @property
    def options(self) -> ScriptedOptions:
        """What the mind takes."""
        return _options(ScriptedOptions, self)

    def build(self, context: MindContext) -> Mind:  # noqa: ARG002 - as all kinds have it
        """A new mind for one arm."""
        from groundlings.personas.minds.scripted import ScriptedMind

        return ScriptedMind(self.options)


class LanguageMindConfig(LanguageOptions):
    """A language model decides, one checked call a page."""

    kind: Literal["language"]
    """`language`."""
    model: ModelConfig = ModelConfig()
    """Which model answers."""
    max_unreadable: float = Field(default=MAX_UNREADABLE, ge=0, le=1)
    """Share of the pages that may be lost, because no reply came that could be read; above it the run stops with status
    1, and can be resumed. The same share holds of each arm's thoughts, and of its interviews. 1 allows any."""
    cohort_size: Annotated[int, Field(ge=1, le=4096)] = 1
    """Sessions that go from page to page together, which takes less CPU and changes no question (docs/scaling.md): the
    next page comes when all of them have decided, and what is logged is whole cohorts."""

    @property
    def asked(self) -> ModelConfig | None:
        """The model that decides."""
        return self.model

    @property
    def actions(self) -> frozenset[str]:
        """What its minds can do."""
        able = FEED_ACTIONS | SHOP_ACTIONS | SEARCH_ACTIONS if self.decision == "verdict" else FEED_ACTIONS
        return able | TURN_ACTIONS if self.social is not None and self.social.turns is not None else able

    @property
    def options(self) -> LanguageOptions:
        """What the mind takes."""
        return _options(LanguageOptions, self)

    def build(self, context: MindContext) -> Mind:
        """A new mind for one arm; what it remembers of that arm's days is its own."""
        from groundlings.personas.minds.language.mind import LanguageMind

        if context.model is None:
            raise ValueError("a language mind needs a model to ask")
        return LanguageMind(
            context.population,
            context.model,
            self.options,
            self.model.sampling,
            context.base_directory,
            self.cohort_size,
        )


class HybridMindConfig(BehaviouralSection, SampleOptions):
    """Everybody decides by the behavioural mind, and a sample lives through the same days by the language mind, too."""

    kind: Literal["hybrid"]
    """`hybrid`."""
    language: Annotated[LanguageMindConfig, BeforeValidator(_language)] = LanguageMindConfig(kind="language")
    """The mind of the sample, with the keys of a language mind."""

    @property
    def actions(self) -> frozenset[str]:
        """What both minds can do."""
        return super().actions & self.language.actions


class CalibratedMindConfig(CalibratedOptions):
    """Evidence from real histories and a language model's score, weighed by what validation people really did."""

    kind: Literal["calibrated"]
    """`calibrated`."""
    model: ModelConfig = ModelConfig()
    """Which model answers; it must give log probabilities."""
    student: NamedPath | None = None
    """A `student.json` of `groundlings distil`, of the same data: it answers in the place of the model, which is not
    asked. Each pair of person and item has one answer, drawn from the student's distribution."""
    max_unreadable: float = Field(default=MAX_UNREADABLE, ge=0, le=1)
    """Share of the pages that may be lost, because no reply came that could be read; above it the run stops with status
    1, and can be resumed. It is as well the share of the answers that its weights may miss; above it nothing is fitted.
    1 allows any."""

    @property
    def asked(self) -> ModelConfig | None:
        """The model whose score is weighed; none where the choice is made of the evidence alone."""
        return self.model if self.asks and self.student is None else None

    @model_validator(mode="after")
    def _a_student_has_a_term(self) -> CalibratedMindConfig:
        if self.student is not None and not self.asks:
            raise ValueError("student: it answers for the language term; add `language` to terms, or leave it out")
        return self

    @property
    def actions(self) -> frozenset[str]:
        """What its minds can do."""
        return FEED_ACTIONS | SHOP_ACTIONS

    @property
    def options(self) -> CalibratedOptions:
        """What the mind takes."""
        return _options(CalibratedOptions, self)

    def build(self, context: MindContext) -> Mind:
        """A new mind for one arm."""
        from groundlings.personas.minds.calibrated import CalibratedMind

        grounding = context.grounding if self.grounded else None
        term = context.language_term
        scorer, weights = (None, None) if term is None else (term.scorer, term.calibration)
        return CalibratedMind(
            context.population,
            context.taste,
            self.options,
            scorer,
            weights,
            grounding,
            context.base_directory,
            context.repeats,
            context.offers,
        )


class ConversingSection(TalkOptions):
    """People who converse, whoever words what they say."""

    @property
    def actions(self) -> frozenset[str]:
        """What its minds can do."""
        return CONVERSATION_ACTIONS


class ConversingMindConfig(ConversingSection, ConversingOptions):
    """People who converse, by rule; for `environment: conversation`."""

    kind: Literal["conversing"]
    """`conversing`."""

    @property
    def asked(self) -> ModelConfig | None:
        """No model."""
        return None

    @property
    def options(self) -> ConversingOptions:
        """What the mind takes."""
        return _options(ConversingOptions, self)

    def build(self, context: MindContext) -> Mind:
        """A new mind for one arm."""
        from groundlings.personas.minds.conversing import ConversingMind

        return ConversingMind(context.population, context.taste, self.options)


class ConversingLanguageMindConfig(ConversingSection, WordedOptions):
    """People who converse in a language model's words, one checked call a turn; for `environment: conversation`."""

    kind: Literal["conversing_language"]
    """`conversing_language`."""
    model: ModelConfig = ModelConfig()
    """Which model words what they say."""
    max_unreadable: float = Field(default=MAX_UNREADABLE, ge=0, le=1)
    """Share of the pages that may be lost, because no reply came that could be read; above it the run stops with status
    1, and can be resumed. 1 allows any."""

    @property
    def asked(self) -> ModelConfig | None:
        """The model that words it."""
        return self.model

    @property
    def options(self) -> WordedOptions:
        """What the mind takes."""
        return _options(WordedOptions, self)

    def build(self, context: MindContext) -> Mind:
        """A new mind for one arm."""
        from groundlings.personas.minds.conversing_language import ConversingLanguageMind

        if context.model is None:
            raise ValueError("a language mind needs a model to ask")
        return ConversingLanguageMind(
            context.population, context.taste, self.options, context.model, self.model.sampling
        )


class PluginMindConfig(BaseModel):
    """A mind of your own, or of another package; all keys but `kind`, `model` and `max_unreadable` are its options."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, allow_inf_nan=False)

    kind: str
    """The name of a plug-in, or `module:Class`."""
    model: ModelConfig | None = None
    """Which model answers; only for a mind that asks one."""
    max_unreadable: float = Field(default=MAX_UNREADABLE, ge=0, le=1)
    """Share of the pages that may be lost, because no reply came that could be read; above it the run stops with status
    1, and can be resumed. 1 allows any."""

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if ":" not in kind:
            try:
                MINDS.check_name(kind, at="")
            except ConfigError as error:
                raise ValueError(str(error).removeprefix(": ")) from None
        return kind

    @property
    def asked(self) -> ModelConfig | None:
        """The model that the file names."""
        return self.model

    @property
    def actions(self) -> frozenset[str] | None:
        """What its minds can do, None where only a mind that has been built can tell."""
        declared = getattr(find_mind(self.kind), "actions", None)
        return declared if isinstance(declared, frozenset) else None

    @property
    def options(self) -> dict[str, Any]:
        """What the mind takes, as the file has it."""
        return dict(self.model_extra or {})

    def check(self) -> None:
        """Raise `ConfigError` where there is no such mind, or it has no such options; nothing is built."""
        mind_arguments(self.kind, self.options, asks=self.model is not None)

    def build(self, context: MindContext) -> Mind:
        """A new mind for one arm."""
        return build_mind(self.kind, self.options, context)


def models_of_minds(mind: Any) -> dict[str, ModelConfig]:
    """Key path -> each language model that the minds of a checked section ask; {} where none is asked."""
    if isinstance(mind, HybridMindConfig):
        return {"mind.language.model": mind.language.model} if mind.sample else {}
    return {} if mind.asked is None else {"mind.model": mind.asked}


def _options(kind: type[Options], section: BaseModel) -> Options:
    """The keys of a checked section that are a mind's own."""
    return kind.model_construct(**{name: getattr(section, name) for name in kind.model_fields})


def _spelled_out(mind: Any) -> Any:
    return {"kind": mind} if isinstance(mind, str) else mind


def _tag(mind: Any) -> str | None:
    kind = mind.get("kind") if isinstance(mind, dict) else getattr(mind, "kind", None)
    if not isinstance(kind, str):
        return None
    return kind if kind in MINDS.shipped else "plugin"


MindConfig = Annotated[
    Annotated[
        Annotated[BehaviouralMindConfig, Tag("behavioural")]
        | Annotated[ScriptedMindConfig, Tag("scripted")]
        | Annotated[LanguageMindConfig, Tag("language")]
        | Annotated[HybridMindConfig, Tag("hybrid")]
        | Annotated[CalibratedMindConfig, Tag("calibrated")]
        | Annotated[ConversingMindConfig, Tag("conversing")]
        | Annotated[ConversingLanguageMindConfig, Tag("conversing_language")]
        | Annotated[PluginMindConfig, Tag("plugin")],
        Discriminator(
            _tag,
            custom_error_type="mind_kind",
            custom_error_message="expected `kind`, the name of a mind, among the keys of the mind",
        ),
    ],
    BeforeValidator(_spelled_out),
]
"""Open to minds of other packages: what is not shipped is looked for among the plug-ins."""
