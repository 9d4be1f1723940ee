"""From a name in the YAML to a recommender: shipped ones, plug-ins, and your own `module:Class`.

A recommender's options are the parameters of its constructor: name, type, default and meaning are written there and
nowhere else. Three kinds of parameter are treated apart:

- one annotated with `Recommender` or a subclass takes `{recommender: NAME, options: {...}}` and is handed what that
  builds; one annotated with `tuple[Recommender, ...]` takes a list of these;
- one named like a field of `RecommenderContext` is filled from the context and cannot be set in the YAML;
- of these, `preference` is given only to a class that declares `sees_hidden_preference = True`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError
from groundlings.environments.people import People
from groundlings.environments.plugins import PYTHON_OBJECT, ExtensionPoint, constructor_arguments, nearest, read_option
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.conversation.over_http import PostJson
from groundlings.recommenders.oracle import Preference
from groundlings.recommenders.supplied import AsyncFunctionRecommender, FunctionRecommender

ENTRY_POINT_GROUP = "groundlings.recommenders"

SHIPPED = {
    "agentcf": "groundlings.recommenders.language.agentcf:AgentCf",
    "als": "groundlings.recommenders.als:AlsRecommender",
    "anti_oracle": "groundlings.recommenders.oracle:AntiOracleRecommender",
    "bert4rec": "groundlings.recommenders.neural.bert4rec:Bert4Recommender",
    "bias_svd": "groundlings.recommenders.bias_svd:BiasSvdRecommender",
    "billp": "groundlings.recommenders.language.billp:BiLlp",
    "blend": "groundlings.recommenders.blend:BlendRecommender",
    "bm25": "groundlings.recommenders.search.bm25:Bm25",
    "bpr": "groundlings.recommenders.bpr:BprRecommender",
    "buy_again": "groundlings.recommenders.buy_again:BuyAgainRecommender",
    "chat": "groundlings.recommenders.conversation.chat:ChatRecommender",
    "chat_http": "groundlings.recommenders.conversation.over_http:HttpChat",
    "contextual_bandit": "groundlings.recommenders.policies.contextual_bandit:ContextualBandit",
    "content_knn": "groundlings.recommenders.content_knn:ContentKnnRecommender",
    "degraded": "groundlings.recommenders.degraded:DegradedRecommender",
    "ease": "groundlings.recommenders.ease:EaseRecommender",
    "epsilon_slots": "groundlings.recommenders.exploration:EpsilonSlots",
    "external": "groundlings.recommenders.external:ExternalRecommender",
    "feature_regression": "groundlings.recommenders.feature_regression:FeatureRegressionRecommender",
    "feed_and_search": "groundlings.recommenders.search.feed_and_search:FeedAndSearch",
    "group_popular": "groundlings.recommenders.group_popular:GroupPopularRecommender",
    "interec_agent": "groundlings.recommenders.language.interec_agent:InteRecAgent",
    "item_knn": "groundlings.recommenders.item_knn:ItemKnnRecommender",
    "item_mean": "groundlings.recommenders.item_mean:ItemMeanRecommender",
    "liked_knn": "groundlings.recommenders.liked_knn:LikedKnnRecommender",
    "llm_chat": "groundlings.recommenders.language.llm_chat:LlmChat",
    "llm_ranker": "groundlings.recommenders.language.llm_ranker:LlmRanker",
    "macrec": "groundlings.recommenders.language.macrec:MacRec",
    "mmr": "groundlings.recommenders.mmr:MmrRecommender",
    "oracle": "groundlings.recommenders.oracle:OracleRecommender",
    "plackett_luce": "groundlings.recommenders.exploration:PlackettLuce",
    "policy": "groundlings.recommenders.policies.policy:PolicyRecommender",
    "popular": "groundlings.recommenders.popular:PopularRecommender",
    "presenter": "groundlings.recommenders.language.presenter:Presenter",
    "puma": "groundlings.recommenders.language.puma:Puma",
    "rah": "groundlings.recommenders.language.rah:Rah",
    "random_order": "groundlings.recommenders.random_order:RandomOrderRecommender",
    "recmind": "groundlings.recommenders.language.recmind:RecMind",
    "ruled": "groundlings.recommenders.rules:RuledRecommender",
    "sasrec": "groundlings.recommenders.neural.sasrec:SasRecommender",
    "semantic_ids": "groundlings.recommenders.neural.semantic_ids:SemanticIds",
    "text_embedding": "groundlings.recommenders.text_embedding:TextEmbeddingRecommender",
    "text_graph": "groundlings.recommenders.neural.text_graph:TextGraphRecommender",
    "text_search": "groundlings.recommenders.search.text_search:TextSearch",
    "title_generation": "groundlings.recommenders.language.title_generation:TitleGeneration",
}

RECOMMENDERS = ExtensionPoint("recommender", ENTRY_POINT_GROUP, SHIPPED)


@dataclass(frozen=True, slots=True)
class RecommenderContext:
    """What a constructor may ask for by the name of a parameter.

    Attributes:
        catalog: The items.
        user_ids: The data set's own ids, in the order of user numbers.
        base_directory: Where relative paths of the experiment file start.
        preference: What the audience secretly likes, None where nobody can tell (a language model decides).
        model: The language model that this arm may ask, None where its configuration names none.
        sampling: How that model's replies are to be drawn, as the configuration has it; None likewise.
        demographics: What users said of themselves, as a real system may know it; None where nothing is known.
        rating_scale: The ratings in use, None where nobody says.
        site_page_size: Slots of a page of the site, None where nobody says.
        post: Sends requests to a recommender's own server; None where nobody does.
    """

    catalog: Catalog
    user_ids: tuple[str, ...]
    base_directory: Path
    preference: Preference | None = None
    model: ChatModel | None = None
    sampling: Sampling | None = None
    demographics: People | None = None
    rating_scale: RatingScale | None = None
    site_page_size: int | None = None
    post: PostJson | None = None


def build_recommender(
    spec: str, options: Mapping[str, Any], context: RecommenderContext, *, where: str = "arm"
) -> AsyncRecommender:
    """A new, unfitted recommender.

    Args:
        spec: A shipped name, the name of a plug-in, or `module:Class`.
        options: Arguments of its constructor, as the YAML has them.
        context: What constructors may ask for besides.
        where: Key path of the mapping that holds `recommender` and `options`, for messages ("arms[2]").

    Raises:
        ConfigError: The name, an option or its value is not known or not allowed.
    """
    return build_from_class(find_recommender(spec, where=where), spec, options, context, where=where)


def build_from_class(
    recommender_class: type[AsyncRecommender],
    spec: str,
    options: Mapping[str, Any],
    context: RecommenderContext,
    *,
    where: str = "arm",
) -> AsyncRecommender:
    """As `build_recommender`, of a class that was found already; `spec` is what messages call it."""
    arguments = _arguments(recommender_class, spec, options, context, where)
    try:
        return recommender_class(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def parts_of(recommender: AsyncRecommender) -> list[object]:
    """What an arm's lists come from: a recommender, those inside of it, and functions that were handed over."""
    parts: list[object] = []
    waiting = [recommender]
    while waiting:
        each = waiting.pop(0)
        if any(each is part for part in parts):
            continue
        parts.append(each)
        held = [
            inner if isinstance(inner, (tuple, list)) else (inner,) for inner in getattr(each, "__dict__", {}).values()
        ]
        waiting += [inner for some in held for inner in some if isinstance(inner, AsyncRecommender)]
        if isinstance(each, (FunctionRecommender, AsyncFunctionRecommender)):
            parts.append(each.answer)
    return parts


def check_presenting(recommender: AsyncRecommender, where: str) -> AsyncRecommender:
    """The same recommender; `ConfigError` where the notes or the words of one inside of it would be lost.

    Args:
        recommender: What makes the lists of an arm, its rules and random slots included.
        where: Key path of the arm, for messages.
    """
    for part in parts_of(recommender)[1:]:
        if isinstance(part, AsyncRecommender) and part.converses:
            raise ConfigError(
                f"{where}: found {type(part).__name__} inside of {type(recommender).__name__}, which changes lists and "
                "would lose what it says; take the rules, random slots or recommender around it out"
            )
        if isinstance(part, AsyncRecommender) and part.presents:
            raise ConfigError(
                f"{where}: found {type(part).__name__} inside of {type(recommender).__name__}, which changes lists and "
                "would lose what it says of items; put it outermost: name the other one under its `of`, and rules as "
                "`of: {recommender: ruled, ...}`"
            )
    return recommender


def available_recommenders() -> dict[str, str]:
    """Every name that can be written in the YAML, sorted, with the first line of its documentation."""
    lines = {}
    for name in RECOMMENDERS.names():
        try:
            lines[name] = (inspect.getdoc(find_recommender(name)) or "(no description)").splitlines()[0]
        except ConfigError as error:
            lines[name] = f"cannot be used: {error}"
    return lines


def takes_a_model(spec: str, options: Mapping[str, Any], *, where: str = "arm") -> bool:
    """Whether a recommender, or one inside it, can ask a language model; raises `ConfigError` as `find_recommender`."""
    held = [each for value in options.values() for each in (value if isinstance(value, list | tuple) else [value])]
    inner = [value for value in held if isinstance(value, Mapping) and "recommender" in value]
    return "model" in inspect.signature(find_recommender(spec, where=where)).parameters or any(
        takes_a_model(str(value["recommender"]), value.get("options") or {}, where=where) for value in inner
    )


def find_recommender(spec: str, *, where: str = "arm") -> type[AsyncRecommender]:
    """The class behind a name or `module:Class`; raises `ConfigError` where there is none."""
    here = f"{where}.recommender"
    if spec.startswith(PYTHON_OBJECT):
        arm = spec.removeprefix(PYTHON_OBJECT)
        raise ConfigError(
            f"{here}: arm {arm!r} is a Python object, which no file can hold; resume it with "
            f"groundlings.resume(directory, arms={{{arm!r}: ...}}), or run it anew with groundlings.Experiment"
        )
    found = RECOMMENDERS.load(spec, at=here)
    if not (isinstance(found, type) and issubclass(found, AsyncRecommender)):
        raise ConfigError(f"{here}: {spec} is not a subclass of groundlings.recommenders.base.Recommender")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise ConfigError(f"{here}: {spec} does not yet have the required methods: {missing}")
    return found


def _arguments(
    recommender_class: type[AsyncRecommender],
    spec: str,
    options: Mapping[str, Any],
    context: RecommenderContext,
    where: str,
) -> dict[str, Any]:
    def read(hint: Any, value: Any, here: str) -> Any:
        if isinstance(hint, type) and issubclass(hint, AsyncRecommender):
            return _inner(hint, value, context, here)
        several = _several(hint)
        if several is not None:
            return _inner_ones(several, value, context, here)
        return read_option(hint, value, here)

    from_context = {field.name for field in fields(RecommenderContext)}
    arguments = constructor_arguments(
        recommender_class,
        spec,
        options,
        reserved=from_context,
        at=f"{where}.recommender",
        under=f"{where}.options",
        read=read,
    )
    parameters = inspect.signature(recommender_class).parameters
    for name in from_context & set(parameters):
        arguments[name] = getattr(context, name)
    if "preference" in arguments:
        _guard_preference(recommender_class, spec, context, where)
    if "model" in arguments and context.model is None and parameters["model"].default is inspect.Parameter.empty:
        raise ConfigError(
            f"{where}.recommender: {spec} asks a language model, and the arm names none; "
            "add `model` to the arm, with the keys of `mind.model`"
        )
    return arguments


def _several(hint: Any) -> type[AsyncRecommender] | None:
    """The kind of recommender that a parameter takes a list of, None where it takes none."""
    kinds = get_args(hint)
    if get_origin(hint) is not tuple or len(kinds) != 2 or kinds[1] is not Ellipsis:
        return None
    return kinds[0] if isinstance(kinds[0], type) and issubclass(kinds[0], AsyncRecommender) else None


def _inner_ones(
    kind: type[AsyncRecommender], value: Any, context: RecommenderContext, where: str
) -> tuple[AsyncRecommender, ...]:
    """The recommenders inside another one, of a list."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: found {value!r}; expected a list of {{recommender: NAME, options: {{...}}}}")
    return tuple(_inner(kind, each, context, f"{where}[{number}]") for number, each in enumerate(value))


def _inner(kind: type[AsyncRecommender], value: Any, context: RecommenderContext, where: str) -> AsyncRecommender:
    """The recommender inside another one."""
    if not isinstance(value, Mapping) or not isinstance(value.get("recommender"), str):
        raise ConfigError(f"{where}: found {value!r}; expected a recommender, {{recommender: NAME, options: {{...}}}}")
    for key in value:
        if key not in ("recommender", "options"):
            raise ConfigError(
                f"{where}.{key}: unknown key{nearest(str(key), ('recommender', 'options'))}; "
                "expected recommender and options"
            )
    options = value.get("options") or {}
    if not isinstance(options, Mapping):
        raise ConfigError(f"{where}.options: found {options!r}; expected a mapping of option names to values")
    inner = build_recommender(value["recommender"], options, context, where=where)
    if not isinstance(inner, kind):
        raise ConfigError(f"{where}: {value['recommender']} is no {kind.__name__}; choose one that is, such as popular")
    return inner


def _guard_preference(
    recommender_class: type[AsyncRecommender], spec: str, context: RecommenderContext, where: str
) -> None:
    if not recommender_class.sees_hidden_preference:
        raise ConfigError(
            f"{where}.recommender: {spec} asks for the hidden preference of the audience without saying so; "
            "a class that does must declare sees_hidden_preference = True, so that reports can mark it"
        )
    if context.preference is None:
        raise ConfigError(
            f"{where}.recommender: {spec} ranks by the hidden preference of simulated users, and none is known here: "
            "in an experiment only a behavioural mind has one, and a lab that judges by real people has none; name "
            "another recommender"
        )
