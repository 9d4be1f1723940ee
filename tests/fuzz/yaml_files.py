"""Spoilt experiment and fidelity files: loaded, planned, estimated and, where they are small enough, played."""

from __future__ import annotations

import inspect
import io
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import mutation
import yaml
from pydantic import BaseModel
from rich.console import Console
from world import EARLIER, TOY, Campaign, Work, World

from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.experiments.config.loading import load_as, load_config
from groundlings.experiments.config.schema import ExperimentConfig, HybridMindConfig, LanguageMindConfig
from groundlings.experiments.labs.distil.config import DistilConfig
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.train_mind.config import TrainMindConfig
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.labs.warmup.config import WarmupConfig
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.running.sizes import sessions_at_most
from groundlings.recommenders.registry import SHIPPED, find_recommender

LARGEST_RUN = 20_000
"""Impressions and ratings of a run that is played; a larger one is only planned and estimated."""
REAL_DATA_EVERY = 50
"""The last of so many rounds over all files keeps their real data, of which groceries take eight seconds to load."""
REAL_DATA = re.compile(r"^dataset:(?: ml-100k| ml-1m|(?P<shop>\n  name: complete-journey)(?:\n  .*)*)$", re.MULTILINE)
DRAWN_EVERY = 40

# Files of other commands, whose runs take too long to be played here: they are read, and their data loaded.
_OTHER_KINDS: dict[str, type[Any]] = {
    "distil": DistilConfig, "fidelity": FidelityConfig, "train_mind": TrainMindConfig, "truth": TruthConfig,
    "warmup": WarmupConfig,
}  # fmt: skip

# What the shipped files leave out, so that it is spoilt, too.
MORE_FILES = {
    "everything.yaml": EARLIER | {"name": "everything"},
    "explored.yaml": {
        "name": "explored",
        "seed": 1,
        "dataset": TOY,
        "split": {"kind": "global_temporal", "test_fraction": 0.3, "salt": "s"},
        "simulation": {"days": 2, "refit_every": 2, "visit_probability": 0.5, "concurrency": 3},
        "site": {"page_size": 5, "max_pages": 2},
        "mind": {"kind": "scripted", "click": [0, 2], "stars": 4, "pages": 2, "misdeeds": ["none", "illegal"]},
        "arms": [
            {"name": name, "recommender": name, "options": options}
            for name, options in {
                "random_order": {},
                "als": {"factors": 4, "iterations": 2},
                "bpr": {"factors": 4, "iterations": 2},
                "ease": {"regularisation": 10},
                "plackett_luce": {"of": {"recommender": "item_knn", "options": {"neighbours": 3}}, "temperature": 0.5},
                "degraded": {"of": {"recommender": "ease"}, "share": 0.5},
                "external": {"path": "rankings.csv"},
            }.items()
        ],
    },
}


def yaml_files(world: World, total: int) -> Campaign:
    """The campaign over all shipped files and some that hold more."""
    for name, content in MORE_FILES.items():
        (world.configs / name).write_text(yaml.safe_dump(content, sort_keys=False))
    shop = load_dataset(DatasetConfig.model_validate(TOY))
    rows = [f"{user},{item},{rank}" for user in shop.people.user_ids for rank, item in enumerate(shop.catalog.item_ids)]
    (world.configs / "rankings.csv").write_text("\n".join(["user_id,item_id,rank", *rows]) + "\n")
    texts = {path.name: path.read_text() for path in sorted(world.configs.glob("*.yaml"))}
    arms = list(_arms())
    fields = {kind: [*_fields(kind), *arms] for kind in (ExperimentConfig, *_OTHER_KINDS.values())}

    def spoil(number: int, luck: random.Random) -> tuple[str, Work]:
        name, text = list(texts.items())[number % len(texts)]
        kind = next((kind for start, kind in _OTHER_KINDS.items() if name.startswith(start)), ExperimentConfig)
        if (number // len(texts) + 1) % REAL_DATA_EVERY or kind is not ExperimentConfig:
            text = REAL_DATA.sub(_toy_data, text)
        how, spoilt = luck.choice((
            lambda: mutation.spoil_bytes(text.encode(), luck),
            lambda: mutation.spoil_lines(text, luck),
            lambda: mutation.spoil_yaml(text, luck, fields[kind]),
            lambda: mutation.spoil_yaml(text, luck, fields[kind]),
        ))()  # fmt: skip
        path = world.configs / f"spoilt-{name}"
        path.write_bytes(spoilt)
        drawn = luck.randrange(DRAWN_EVERY) == 0
        return how, lambda: _play(world, path, drawn) if kind is ExperimentConfig else _look_at(path, kind)

    return Campaign("yaml", total, spoil)


def _toy_data(found: re.Match[str]) -> str:
    """The section of toy data in place of one of real data; a shop has prices and promotions."""
    toy = TOY["toy"] | {"offers": True} if found["shop"] else TOY["toy"]
    return "dataset: " + yaml.safe_dump(TOY | {"toy": toy}, default_flow_style=True, width=1000).strip()


def _look_at(path: Path, kind: type[Any]) -> str:
    config = load_as(kind, path)
    load_dataset(config.dataset, base=config.base)
    return f"valid {kind.__name__}"


def _play(world: World, path: Path, drawn: bool) -> str:
    config = load_config(path)
    config = _without_a_model(config)
    plan = build_plan(config)
    print_plan(plan, Console(file=io.StringIO()))
    if not _small(plan):
        return "valid, too large to be played here"
    world.draw(drawn)
    try:
        run_experiment(config)
    finally:
        world.draw(True)
        world.tidy()
    return "valid run"


def _without_a_model(config: ExperimentConfig) -> ExperimentConfig:
    """The same, answered by the scripted model: what a real one would answer is not what is examined here."""

    def scripted(asks: Any) -> Any:
        return asks.model_copy(update={"model": asks.model.model_copy(update={"provider": "scripted"})})

    mind = config.mind
    if isinstance(mind, HybridMindConfig):
        mind = mind.model_copy(update={"language": scripted(mind.language)})
    elif getattr(mind, "model", None) is not None:
        mind = scripted(mind)
    arms = [scripted(arm) if arm.model is not None else arm for arm in config.arms]
    return config.model_copy(update={"mind": mind, "arms": type(config.arms)(arms)})


def _small(plan: Plan) -> bool:
    slots, pages = plan.environment.page_size, plan.environment.max_pages
    impressions = sessions_at_most(plan) * min(slots * pages, len(plan.dataset.catalog))
    cells = len(plan.dataset.people) * len(plan.dataset.catalog) * len(plan.config.arms)
    mind = plan.config.mind
    asked = 20 * slots if isinstance(mind, LanguageMindConfig) and mind.decision == "graded" else 10
    calls = sessions_at_most(plan) * pages * asked if isinstance(mind, LanguageMindConfig) else 0
    return max(impressions, calls) <= LARGEST_RUN and cells <= 10 * LARGEST_RUN and plan.schedule.days <= 60


def _fields(model: type[BaseModel], above: mutation.Path = ()) -> Iterator[tuple[mutation.Path, str, tuple[Any, ...]]]:
    """Every key path that a file may have, with values of its kind; elements of lists by the number 0."""
    tag = model.model_fields.get("kind")
    kind = str(get_args(tag.annotation)[0]) if tag and len(get_args(tag.annotation)) == 1 else ""
    for name, field in model.model_fields.items():
        if not field.exclude:
            listed = str(field.annotation).startswith(("tuple", "typing.Annotated[tuple"))
            values = tuple(_values(field.annotation))
            yield (*above, name), kind, tuple([value] for value in values) if listed else values
            for inner in _models_in(field.annotation):
                yield from _fields(inner, (*above, name, 0) if listed else (*above, name))


def _arms() -> Iterator[tuple[mutation.Path, str, tuple[Any, ...]]]:
    """Every shipped recommender as an arm, with each of its options."""
    for name in SHIPPED:
        kind = find_recommender(name)
        inner = {"recommender": "popular"}
        needed = {"of": inner, "retriever": inner, "path": "rankings.csv", "policy": "policy.zip"}
        for option in inspect.signature(kind).parameters:
            hint = get_type_hints(kind.__init__).get(option)
            given = {key: value for key, value in needed.items() if key in inspect.signature(kind).parameters}
            options = [given | {option: value} for value in _values(hint)] or [given]
            yield (
                ("arms", 0),
                "",
                tuple({"name": f"{name} {option}", "recommender": name, "options": each} for each in options),
            )


def _values(annotation: Any) -> Iterator[Any]:
    """Values of a type, some of them beyond all measure."""
    if annotation is bool:
        yield from (True, False)
    elif annotation is int:
        yield from (0, 1, 2, 3, 5, 50, 1000, 10**6, 10**9, 10**18)
    elif annotation is float:
        yield from (0, 1e-9, 0.1, 0.5, 0.99, 1, 3.5, 1e9, 1e300)
    elif annotation is str:
        yield from (
            "popular",
            "x",
            "🎭",
            "[red]",
            "groundlings.recommenders.popular:PopularRecommender",
            "http://127.0.0.1:9/v1",
        )
    elif annotation is Path:
        yield from (*mutation.ODD_PATHS, "own_data/items.csv", "../runs/quickstart/log.db", "../runs/quickstart")
    elif get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for argument in get_args(annotation):
            yield from _values(argument)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
