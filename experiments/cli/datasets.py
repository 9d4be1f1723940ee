"""The commands `groundlings datasets list | fetch | show`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.environments.cleaning import printable
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from groundlings.environments.dataset import Dataset

app = typer.Typer(name="datasets", help="Data sets: list, fetch, show.", no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A data set, as `groundlings datasets list` has it, or module:NAME.")
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        metavar="DIR",
        help="Where downloads are kept, instead of the user's cache; coat's folder.",
    ),
]

_EXAMPLES = 5
_BAR_WIDTH = 40


@app.command("list")
def list_datasets() -> None:
    """List the data sets with size and terms of use."""
    from groundlings.environments.datasets import available_datasets

    table = _table("name", "what", "size", "licence")
    for entry in available_datasets().values():
        table.add_row(*map(escape, (entry.name, entry.description, entry.size, entry.licence)))
    Terminal().print(table)


@app.command("fetch")
def fetch_dataset(name: NameArgument, directory: DirectoryOption = None) -> None:
    """Download a data set, check its hashes and parse it."""
    console = Terminal()
    dataset = _load(name, directory, console)
    console.print(f"{escape(dataset.name)}: ready, {_size(dataset)}", highlight=False)


@app.command("show")
def show_dataset(name: NameArgument, directory: DirectoryOption = None) -> None:
    """Print what a data set holds: sizes, ratings, terms and a few rows."""
    import numpy as np

    console = Terminal()
    dataset = _load(name, directory, console)
    console.print(_facts(dataset))
    if not np.isnan(dataset.interactions.ratings).all():
        console.print(_histogram(dataset))
    if dataset.interactions.kinds is not None:
        console.print(_kinds(dataset))
    console.print(_people(dataset))
    console.print(_items(dataset))
    console.print(_history(dataset))


def _load(name: str, directory: Path | None, console: Console) -> Dataset:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from groundlings.environments.datasets import DatasetConfig, load_dataset

    config = DatasetConfig.model_validate({"name": name, "directory": directory})
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(printable(name), total=None, visible=False)

        def progress(what: str, done: int, total: int | None) -> None:
            bars.update(task, description=f"fetching {printable(what)}", completed=done, total=total, visible=True)

        return load_dataset(
            config, progress, notify=lambda terms: bars.console.print(f"[dim]{escape(terms, newlines=True)}")
        )


def _table(*headers: str, title: str | None = None) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _size(dataset: Dataset) -> str:
    from groundlings.environments.words import plural

    counts = ((dataset.people, "user"), (dataset.catalog, "item"), (dataset.interactions, "interaction"))
    return ", ".join(plural(len(each), name) for each, name in counts)


def _facts(dataset: Dataset) -> Table:
    from rich.table import Table

    from groundlings.environments.dataset import HELD_OUT, LEFT_OUT, TIMES_UNKNOWN, TRAINING

    history = dataset.interactions
    table = Table.grid(padding=(0, 2))  # without a frame a fingerprint fits on a line of 80
    table.add_row("name", escape(dataset.name))
    table.add_row("size", _size(dataset))
    if not dataset.times_known:
        table.add_row("time", TIMES_UNKNOWN)
    elif len(history):
        table.add_row("time", f"{_day(float(history.seconds.min()))} to {_day(float(history.seconds.max()))} (UTC)")
    if dataset.parts is not None:
        counts = [int((dataset.parts == part).sum()) for part in (TRAINING, HELD_OUT, LEFT_OUT)]
        words = "interactions: {:,} for training, {:,} held out, {:,} left out (split.kind: given)".format(*counts)
        table.add_row("split", words)
    table.add_row("genres", escape(", ".join(dataset.catalog.genre_names)) or "none given")
    table.add_row("licence", escape(dataset.licence))
    table.add_row("source", escape(dataset.source))
    for number, note in enumerate(dataset.notes):
        table.add_row("" if number else "notes", escape(note))
    table.add_row("fingerprint", dataset.fingerprint)
    return table


def _histogram(dataset: Dataset) -> Table:
    """Every star of the scale with its count; what was met without being rated has a line of its own."""
    import numpy as np

    likes = dataset.scale.likes
    table = _table("said", "", "", title="Likes") if likes else _table("stars", "ratings", "", title="Ratings")
    given = dataset.interactions.ratings
    places = np.rint((given[~np.isnan(given)] - dataset.scale.low) / dataset.scale.step).astype(np.int64)
    texts = ("dislike", "like") if likes else dataset.scale.texts
    counts = dict(zip(texts, np.bincount(places, minlength=len(texts)).tolist(), strict=True))
    counts["none"] = int(np.isnan(given).sum())
    largest = max(*counts.values(), 1)
    for stars, count in counts.items():
        if count or stars != "none":
            table.add_row(stars, f"{count:,}", "█" * round(_BAR_WIDTH * count / largest))
    return table


def _kinds(dataset: Dataset) -> Table:
    """Every kind that occurs with its rows, and whether they are interactions."""
    import numpy as np

    from groundlings.environments.feedback import occurring_kinds
    from groundlings.environments.interactions import KINDS

    history = dataset.interactions
    assert history.kinds is not None
    table = _table("kind", "rows", "interactions", title="Kinds")
    for kind in occurring_kinds(history):
        rows = history.kinds == KINDS.index(kind)
        counted = "yes" if dataset.is_counted[rows].any() else "no"
        table.add_row(kind, f"{np.count_nonzero(rows):,}", counted)
    return table


def _people(dataset: Dataset) -> Table:

    table = _table("user", "what is known", title="The first people")
    people = dataset.people
    for user_id, known in zip(people.user_ids[:_EXAMPLES], people.attributes[:_EXAMPLES], strict=True):
        said = ", ".join(f"{name} {value}" for name, value in known.items())
        table.add_row(escape(user_id), escape(said) or "nothing")
    return table


def _items(dataset: Dataset) -> Table:

    table = _table("item", "title", "year", "genres", title="The first items")
    for index in range(min(_EXAMPLES, len(dataset.catalog))):
        item = dataset.catalog[index]
        year = "" if item.year is None else str(item.year)
        table.add_row(escape(item.item_id), escape(item.title), year, escape(", ".join(item.genres)))
    return table


def _history(dataset: Dataset) -> Table:
    import math

    from groundlings.environments.interactions import KINDS

    history = dataset.interactions
    said = "stars" if dataset.opinions == "ratings" else "kind"
    headers = ("when (UTC)", "user", "item") + ((said,) if history.kinds is not None or said == "stars" else ())
    table = _table(*headers, title="The first interactions")
    for row in range(min(_EXAMPLES, len(history))):
        stars = float(history.ratings[row])
        moment = datetime.fromtimestamp(int(history.seconds[row]), UTC) if dataset.times_known else None
        kind = None if history.kinds is None else KINDS[int(history.kinds[row])]
        last = ("" if math.isnan(stars) else f"{stars:g}") if said == "stars" else kind
        table.add_row(
            "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}",
            escape(dataset.people.user_ids[history.users[row]]),
            escape(dataset.catalog.titles[history.items[row]]),
            *(() if last is None else (last,)),
        )
    return table


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
