"""What is a token of a language model worth? Each way of asking, on the same real choices, in one table.

    python -m benchmarks.token_worth [--people 60] [--trained FILE.gguf] [--student NAME=FILE]... [--store FILE]

People of the test third choose among five (the strict version of `fidelity`); as many people of the validation third
set all weights. The embedded model is asked as a run asks it: one verdict about the five as a page, graded answers
about the same page, the question of the calibrated mind. With `--trained` a trained model is asked the question of its
training, `question` of the file. A student (`student.json` of `groundlings distil`) asks nobody. The table has what
each adds to nothing, to popularity and to the evidence of the behavioural mind, in nats a choice and per 1,000 tokens,
with 95 % intervals over people (`experiments/labs/token_worth/weighing.py`). Nothing is compared with a bar.

With `--store` replies are kept in a file, and a second start asks what is not in it; tokens are those of the first
asking, processor seconds those of this start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError, GroundlingsError, shown
from groundlings.experiments.archive.directory import write_json
from groundlings.experiments.archive.tables import check_place
from groundlings.experiments.cli.intervals import ends
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.distil.student_file import StudentFile, read_student
from groundlings.experiments.labs.token_worth.asking import Asked
from groundlings.experiments.labs.token_worth.weighing import BESIDE, Line, TokenWorth, weigh_tokens
from groundlings.experiments.labs.train_mind.config import TrainMindConfig
from groundlings.experiments.labs.train_mind.scenes import Ground
from groundlings.personas.minds.calibrated_question import QuestionOptions
from groundlings.simulator.language.config import EmbeddedOptions, ModelConfig, StoreConfig

CONFIG = Path(__file__).parents[1] / "experiments" / "configs" / "train_mind.yaml"
_TELL_EVERY = 20


def main() -> int:
    """Ask, weigh and print; the exit status."""
    arguments = _arguments()
    try:
        if arguments.out is not None:
            check_place(arguments.out, "--out")
        config = load_as(TrainMindConfig, arguments.config, [f"population.size={arguments.people}", *arguments.set])
        minds, students = _minds(config, arguments), _students(arguments.student)
        ground = Ground(config, load_dataset(config.dataset, base=config.base))
        found = weigh_tokens(ground, minds, students, _tell)
    except GroundlingsError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.out is not None:
        write_json(arguments.out, found.as_dict())
    _print(found, ground.dataset.name)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIG, help="data, salt and question: a file of train-mind")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the file")
    parser.add_argument("--people", type=int, default=60, help="of the test third, and of the validation third")
    parser.add_argument("--mind", action="append", metavar="NAME", help="ask only these; all if absent")
    parser.add_argument("--trained", type=Path, help="the GGUF file of a training")
    parser.add_argument("--student", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--store", type=Path, help="keep replies there, and ask nothing twice")
    parser.add_argument("--out", type=Path, help="write all figures there, as JSON")
    return parser.parse_args()


def _minds(config: TrainMindConfig, arguments: argparse.Namespace) -> list[Asked]:
    kept = arguments.store and StoreConfig(path=arguments.store.absolute(), mode="cache")
    model = ModelConfig(store=kept)
    minds = [
        Asked("verdict", model, "verdict"),
        Asked("graded", model, "graded"),
        Asked("calibrated", model, QuestionOptions()),
    ]
    if arguments.trained is not None:
        trained = ModelConfig(embedded=EmbeddedOptions(path=arguments.trained.absolute()), store=kept)
        minds.append(Asked("calibrated, trained", trained, config.question))
    names = [each.name for each in minds]
    for name in arguments.mind or ():
        if name not in names:
            raise ConfigError(f"--mind: found {shown(name)}; expected {'; '.join(names)} (one more with --trained)")
    return [each for each in minds if arguments.mind is None or each.name in arguments.mind]


def _students(told: Sequence[str]) -> dict[str, StudentFile]:
    found: dict[str, StudentFile] = {}
    for each in told:
        name, _, path = each.rpartition("=")
        name = name or "student"
        if name in found:
            raise ConfigError(f"--student: found {shown(name)} twice; expected a name of its own for each")
        found[name] = read_student(Path(path))
    return found


def _tell(mind: str, done: int, total: int) -> None:
    if done % _TELL_EVERY == 0 or done == total:
        print(f"{mind}: {done} of {total} choices", file=sys.stderr)


def _print(found: TokenWorth, dataset: str) -> None:
    asked = f"{found.choices:,} choices among five of {found.people:,} people of {dataset}"
    title = f"{asked}; nats a choice, and per 1,000 tokens"
    table = Table(title=title, title_justify="left", show_lines=True)
    for column in ("mind", "left out", "tokens per item", "in the cache", "CPU seconds per item"):
        table.add_column(column, justify="left" if column == "mind" else "right")
    for rival in BESIDE:
        table.add_column(f"adds to {rival}")
    for line in found.lines:
        bill, items = line.bill, max(line.bill.decisions, 1)
        cost = (f"{bill.tokens / items:,.0f}", f"{bill.cached / items:,.0f}", f"{bill.seconds / items:.2f}")
        table.add_row(line.mind, f"{line.left_out:,}", *cost, *(_cell(line, rival) for rival in BESIDE))
    Console(width=180).print(table)


def _cell(line: Line, rival: str) -> str:
    gain = next((each for each in line.gains if each.beside == rival), None)
    if gain is None:
        return ""
    each = line.per_1000(gain)
    per_token = "no tokens" if each is None else f"per 1,000: {ends(*each)}"
    return f"{ends(gain.saved, gain.saved_low, gain.saved_high)}\n{per_token}"


if __name__ == "__main__":
    sys.exit(main())
