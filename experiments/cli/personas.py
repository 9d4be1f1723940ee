"""The command `groundlings personas show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.options import SetOption
from groundlings.experiments.terminal import Terminal, escape, plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from groundlings.personas.acts import Act
    from groundlings.personas.persona import Persona, Trait
    from groundlings.personas.population import Population

app = typer.Typer(name="personas", help="The personas of an experiment.", no_args_is_help=True)

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file.")]
UserOption = Annotated[str | None, typer.Option("--user", metavar="ID", help="The data set's id; default: the first.")]

_SHOWN = 10
_BAR_WIDTH = 30


@app.callback()
def _group() -> None:
    """Keep `show` a subcommand: with one command only, typer would drop its name."""


@app.command("show")
def show_persona(config: ConfigArgument, user: UserOption = None, changes: SetOption = None) -> None:
    """Print one persona of an experiment, as measured on the user's training history."""
    from groundlings.environments.datasets import load_dataset
    from groundlings.experiments.archive.directory import existing_config
    from groundlings.experiments.config.loading import load_config
    from groundlings.personas.population import build_population

    loaded = load_config(existing_config(config) if config.is_dir() else config, changes or ())
    console = Terminal()
    dataset = load_dataset(
        loaded.dataset, base=loaded.base, notify=lambda terms: console.print(f"[dim]{escape(terms, newlines=True)}")
    )
    dataset, split = loaded.population.of(dataset, loaded.split.of(dataset), loaded.seed)
    population = build_population(
        dataset, split.train, size=loaded.population.size, seed=loaded.seed, beside=split.beside
    )
    row = 0 if user is None else population.row_of(user)
    if config.is_dir() and (other := _other_data(config, dataset.fingerprint)):
        console.print(f"[yellow]{escape(other)}")
    console.print(render_persona(population.persona(row), population))


def _other_data(run: Path, fingerprint: str) -> str | None:
    """A line where the data are not those that a run began with, None where they are or no run has begun."""
    from groundlings.simulator.log.reader import LogReader
    from groundlings.simulator.log.store import LOG_NAME

    if not (run / LOG_NAME).is_file():
        return None
    with LogReader(run) as log:
        before = str(log.run()["dataset_hash"])
    if before == fingerprint:
        return None
    return (
        f"the data have changed since this run began ({before[:8]} then, {fingerprint[:8]} now): this persona is not "
        "the one that its agent had; restore the data"
    )


def render_persona(persona: Persona, population: Population) -> RenderableType:
    """A persona as a panel: measurements, ratings, tastes, examples and the description."""
    from rich.console import Group
    from rich.panel import Panel

    rates = persona.acts is None or persona.style.ratings > 0
    parts: list[RenderableType] = [_facts(persona, rates=rates, likes=population.says_likes), ""]
    if persona.style.shares and not population.says_likes:
        parts += [_stars(persona), ""]
    if persona.acts:
        parts += [_acts(persona.acts, population), ""]
    if persona.liked or persona.disliked:
        parts += [_examples(persona, population), ""]
    parts.append(plain(persona.description, newlines=True))
    return Panel(Group(*parts), title=plain(f"user {persona.user_id}"), title_align="left", expand=False)


def _facts(persona: Persona, *, rates: bool, likes: bool) -> Table:
    from groundlings.environments.words import plural

    table = _columns()
    for name, value in persona.demographics.items():
        table.add_row(escape(name), escape(value))
    style, traits = persona.style, persona.traits
    told = persona.acts is not None
    table.add_row("activity", f"{plural(round(traits.activity.value), 'item')}{_level(traits.activity, told)}")
    if rates and not likes:
        table.add_row("conformity", _conformity(traits.conformity))
    if persona.genre_lifts or not told:
        table.add_row("diversity", f"{plural(round(traits.diversity.value), 'genre')}{_level(traits.diversity, told)}")
    if likes:
        table.add_row("likes", f"{persona.style.shares.get(1.0, 0.0):.0%} of {style.ratings} likes and dislikes")
    elif style.mean is not None:
        spread = "" if style.spread is None else f", standard deviation {style.spread:.2f}"
        table.add_row("ratings", f"{style.ratings}, mean {style.mean:.2f}{spread}")
    if persona.genre_lifts:
        lifts = persona.genre_lifts
        named = lifts if len(lifts) <= _SHOWN else (*lifts[: _SHOWN // 2], *lifts[-_SHOWN // 2 :])
        table.add_row("genre lifts", ", ".join(f"{escape(genre)} {lift:.2f}" for genre, lift in named))
    return table


def _level(trait: Trait, told: bool) -> str:
    """The third, where personas that tell acts may compare."""
    return f", {trait.level}" if trait.compares or not told else ""


def _conformity(trait: Trait | None) -> str:
    if trait is None:
        return "unknown: no ratings"
    return f"mean squared distance from other people's stars {trait.value:.2f}, {trait.level}"


def _stars(persona: Persona) -> Table:
    table = _columns()
    top = max(persona.style.shares.values())
    for stars, share in sorted(persona.style.shares.items(), reverse=True):
        table.add_row(f"{stars:g} stars", f"{'█' * round(_BAR_WIDTH * share / top)} {100 * share:.0f} %")
    return table


def _acts(acts: tuple[Act, ...], population: Population) -> Table:
    from rich.table import Table

    table = Table("what", population.catalog.words.one, "times", "last, days before", "in all")
    for act in acts[:_SHOWN]:
        table.add_row(
            escape(population.catalog.words.did(act.kind)),
            _title((act.item,), 0, population),
            f"{act.count:,}",
            "unknown" if act.days is None else f"{act.days:,}",
            "" if act.amount is None else f"{act.amount:,.6g}" if act.amount < 1e6 else f"{act.amount:,.0f}",
        )
    return table


def _examples(persona: Persona, population: Population) -> Table:
    from rich.table import Table

    table = Table("liked, most telling first", "disliked, most telling first")
    for place in range(min(_SHOWN, max(len(persona.liked), len(persona.disliked)))):
        table.add_row(*(_title(items, place, population) for items in (persona.liked, persona.disliked)))
    return table


def _title(items: tuple[int, ...], place: int, population: Population) -> str:

    if place >= len(items):
        return ""
    item = population.catalog[items[place]]
    return escape(item.title if item.year is None else f"{item.title} ({item.year})")


def _columns() -> Table:
    from rich.table import Table

    return Table(show_header=False, box=None, pad_edge=False)
