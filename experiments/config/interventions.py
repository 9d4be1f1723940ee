"""The `interventions` part of an experiment file: what changes in arms at the beginning of a day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BeforeValidator, Field, model_validator

from groundlings.environments.errors import shown
from groundlings.environments.feed import RankEach
from groundlings.environments.words import plural
from groundlings.experiments.config.designs import InterleavingDesign
from groundlings.experiments.config.layout import RowsLayoutConfig
from groundlings.experiments.config.minds import LanguageMindConfig
from groundlings.experiments.config.section import Section
from groundlings.personas.minds.language.config import Wording
from groundlings.recommenders.rule_options import ItemId
from groundlings.simulator.interventions import Kind

if TYPE_CHECKING:
    from groundlings.experiments.config.schema import ArmConfig, ExperimentConfig

KINDS: tuple[Kind, ...] = get_args(Kind)
"""What an intervention can change, as its keys are called."""


class NewRecommender(Section):
    """The recommender that makes the lists from then on."""

    recommender: str
    """As `arms[].recommender`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What its constructor takes."""


class NewSite(Section):
    """Settings of the site that may change within a run; each stays as it is if absent."""

    page_size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Slots per page, at most `site.page_size`."""
    max_pages: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Largest number of pages per session, at most `site.max_pages`."""
    rank_each: RankEach | None = None
    """As `site.rank_each`."""
    friends: bool | None = None
    """As `site.friends`."""

    @model_validator(mode="before")
    @classmethod
    def _others_stay(cls, site: Any) -> Any:
        from groundlings.experiments.config.environment import SiteConfig

        if isinstance(site, dict):
            fixed = [name for name in site if name in SiteConfig.model_fields and name not in cls.model_fields]
            if fixed:
                raise ValueError(
                    f"{', '.join(map(str, fixed))}: cannot change within a run, whose log has one set of actions, "
                    f"places and repeats; {', '.join(cls.model_fields)} can. Compare two runs instead"
                )
        return site

    @model_validator(mode="after")
    def _something_changes(self) -> NewSite:
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"nothing is changed here; give one of {', '.join(type(self).model_fields)}")
        return self


def _spelled_out(recommender: Any) -> Any:
    return {"recommender": recommender} if isinstance(recommender, str) else recommender


Items = Annotated[tuple[ItemId, ...], Field(min_length=1)]


class InterventionConfig(Section):
    """A change of some arms at the beginning of a day, before recommenders are fitted and anybody has a session."""

    day: Annotated[int, Field(ge=1, le=1_000_000)]
    """From which day on, 1 for the first."""
    arms: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Names of the arms that change; all if absent."""
    recommender: Annotated[NewRecommender, BeforeValidator(_spelled_out)] | None = None
    """Another recommender, fitted on the arm's history at that moment: a name, or a mapping with `recommender` and
    `options`. The rules, random slots and model of the arm stay around it."""
    site: NewSite | None = None
    """Other settings of the site."""
    withdraw: Items | None = None
    """Ids of items that nobody is shown any more."""
    restore: Items | None = None
    """Ids of items that may be shown again."""
    prompt: Wording | None = None
    """Another `mind.wording` of a language mind."""

    @model_validator(mode="after")
    def _one_change(self) -> InterventionConfig:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(
                f"state exactly one of {', '.join(KINDS)}, found {found}; give each change an entry of its own"
            )
        return self

    @property
    def kind(self) -> Kind:
        """What is changed."""
        return next(name for name in KINDS if getattr(self, name) is not None)

    @property
    def detail(self) -> dict[str, Any]:
        """To what, as the log keeps it."""
        match self.kind:
            case "recommender":
                assert self.recommender is not None
                return self.recommender.model_dump(mode="json")
            case "site":
                assert self.site is not None
                return self.site.model_dump(mode="json", exclude_none=True)
            case "prompt":
                return {"wording": self.prompt}
            case kind:
                return {"items": list(getattr(self, kind))}


def check_intervention(change: InterventionConfig, config: ExperimentConfig, where: str) -> None:
    """Raise `ValueError` where a change does not suit an experiment; what only the data can tell is not asked.

    Args:
        change: The change.
        config: The experiment.
        where: Key path of the change, for the message.
    """
    names, days = [arm.name for arm in config.arms], config.simulation.days
    if change.day > days:
        raise ValueError(f"{where}.day: found {change.day}, and the run has {plural(days, 'day')} (simulation.days)")
    unknown = [name for name in change.arms or () if name not in names]
    if unknown:
        raise ValueError(
            f"{where}.arms: no arm is called {', '.join(map(shown, unknown))}; there are {', '.join(names)}"
        )
    if isinstance(config.design, InterleavingDesign):
        if change.arms is not None:
            raise ValueError(
                f"{where}.arms: interleaved arms draft each list together and change together; take it out"
            )
        if change.recommender is not None:
            raise ValueError(
                f"{where}.recommender: interleaving compares the two recommenders that it began with; choose the "
                "design parallel or split"
            )
    if change.recommender is not None and change.day == 1:
        raise ValueError(
            f"{where}.day: another recommender from the first day on is another arm; state it in `arms`, or begin later"
        )
    if change.prompt is not None and not isinstance(config.mind, LanguageMindConfig):
        raise ValueError(f"{where}.prompt: only a language mind can be given other words, found {config.mind.kind}")
    if change.site is not None:
        _check_site(change.site, config, f"{where}.site")


def _check_site(site: NewSite, config: ExperimentConfig, where: str) -> None:
    if config.environment is not None:
        raise ValueError(f"{where}: it belongs to the paginated feed, and `environment` names another one; take it out")
    if site.friends and getattr(config.mind, "social", None) is None:
        raise ValueError(f"{where}.friends: agents without ties have no friends; give mind.social, or take it out")
    if isinstance(config.site.layout, RowsLayoutConfig) and site.page_size is not None:
        raise ValueError(f"{where}.page_size: the rows of the layout say how many slots a page has; take it out")
    for name in ("page_size", "max_pages"):
        wanted, most = getattr(site, name), getattr(config.site, name)
        if wanted is not None and wanted > most:
            raise ValueError(
                f"{where}.{name}: found {wanted}, expected at most site.{name} ({most}), which the log and its exports "
                "take for the largest; raise that, and set the smaller number from day 1 on"
            )
    if site.page_size is not None and any(_counts_by_page(arm, config) for arm in config.arms):
        raise ValueError(
            f"{where}.page_size: rules and random slots count by pages of site.page_size ({config.site.page_size}); "
            "take them out, or leave the page as it is"
        )
    if site.rank_each == "visit" and isinstance(config.site.layout, RowsLayoutConfig) and config.site.layout.filtered:
        raise ValueError(f"{where}.rank_each: rows with a filter are asked for one by one on every page; take it out")


def _counts_by_page(arm: ArmConfig, config: ExperimentConfig) -> bool:
    slots = config.site.slots if arm.slots is None else arm.slots
    return bool(arm.rules) or slots not in (None, "none")


def check_interventions(changes: Sequence[InterventionConfig], config: ExperimentConfig) -> None:
    """Raise `ValueError` where one of an experiment's interventions does not suit it."""
    for number, change in enumerate(changes):
        check_intervention(change, config, f"interventions[{number}]")
