"""What a page of a language agent costs in calls and tokens, beside Agent4Rec's published figures.

    python -m benchmarks.tokens [--people 25] [--model embedded]

Agents of MovieLens-100K have sessions on five days, with four pages of four slots each. Counted are the
pages of the last two days, when memory, mood and thoughts are there: 25 people x 2 days x 4 pages = 200. Replies are
drawn by seed from all that the reply form allows (two of four items opened, as in Agent4Rec's log), because a
tokenizer, not a model, is what is measured: prompts go through the embedded model's own chat template and tokenizer,
and no reply is generated. Without the extra or its weights tokens are counted as four characters each, and it says so.

    calls        questions a page; thoughts (one every five sessions) are spread over the pages of those sessions
    prompt       tokens of a page's prompts, chat template included
    cached       of these, what a prefix cache in whole blocks of 128 tokens would find when agents come one by one
    completion   tokens of the replies
    total        prompt + completion

Agent4Rec: 2.5 chat calls, 2,140 tokens and about 5 embeddings a page of four items (Zhang et al. 2024 and the
published code and log). Exit status 1 when a page takes more than one call or more than 700 tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from rich.console import Console
from rich.table import Table

from groundlings.environments.chat import CallRecord, ChatRequest, Message
from groundlings.environments.errors import UserError
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.personas.mind import LooksBack
from groundlings.recommenders.random_order import RandomOrderRecommender
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.embedded import EmbeddedModel
from groundlings.simulator.language.scripted import ScriptedModel, count_tokens, legal_reply
from groundlings.simulator.session import browse

DAYS, COUNTED_DAYS, PAGES = 5, 2, 4
MOST_CALLS, MOST_TOKENS = 1.0, 700
BLOCK = 128
AGENT4REC_CALLS, AGENT4REC_TOKENS = 2.5, 2_140

Tokens = Sequence[object]
Asked = list[tuple[int, int, int, CallRecord]]
"""Day, agent, page (0 for what was asked after the session) and call, in the order of asking."""


class Tokenizer:
    """The embedded model's own, behind its server.

    Args:
        address: Of the server, without "/v1".
    """

    words = "tokens of the embedded model's tokenizer, chat template included"

    def __init__(self, address: str) -> None:
        self._address = address

    def prompt(self, messages: Sequence[Message]) -> Tokens:
        """A conversation as the model reads it."""
        listed = [{"role": message.role, "content": message.content} for message in messages]
        return self.text(self._post("/apply-template", {"messages": listed})["prompt"], special=True)

    def text(self, text: str, *, special: bool = False) -> Tokens:
        """Plain text, or with the control tokens of a chat template."""
        told = {"content": text, "add_special": special, "parse_special": special}
        return list(self._post("/tokenize", told)["tokens"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            self._address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return dict(json.load(answer))


class RuleOfThumb(Tokenizer):
    """Four characters a token, where the embedded model is not installed."""

    words = "tokens of four characters each, because the embedded model is not here"

    def __init__(self) -> None:
        super().__init__("")

    def prompt(self, messages: Sequence[Message]) -> Tokens:
        """See `Tokenizer.prompt`."""
        return [token for message in messages for token in self.text(message.content)]

    def text(self, text: str, *, special: bool = False) -> Tokens:  # noqa: ARG002 - there are no control tokens here
        """See `Tokenizer.text`."""
        return [text[4 * n : 4 * n + 4] for n in range(count_tokens(text))]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one page, on average; in tokens but for `calls`."""

    calls: float
    prompt: float
    cached: float
    completion: float

    @property
    def total(self) -> float:
        """Prompt and completion."""
        return self.prompt + self.completion


def main() -> int:
    """Count and print; the exit status."""
    arguments = _arguments()
    console = Console()
    played = {decision: _play(_plan(arguments.people, decision)) for decision in ("verdict", "graded")}
    costs: dict[str, tuple[Cost, Cost]] = {}
    with asyncio.Runner() as runner:
        model = runner.run(_open_embedded()) if arguments.model == "embedded" else None
        try:
            tokenizer = Tokenizer(model.base_url.removesuffix("/v1")) if model else RuleOfThumb()
            for decision, asked in played.items():
                costs[decision] = _cost(asked, tokenizer)
            opening = [call for day, _, page, call in played["verdict"] if (day, page) == (0, 1)]
            first = [len(tokenizer.prompt(call.request.messages)) for call in opening]
        finally:
            if model is not None:
                runner.run(model.close())
    _print(console, costs, _pages(played["verdict"]), tokenizer.words)
    console.print(f"prompt of the first page of a first session: {np.mean(first):.0f} tokens, at most {max(first)}")
    page, thought = costs["verdict"]
    total = page.total + thought.total
    met = page.calls <= MOST_CALLS and total <= MOST_TOKENS
    console.print(
        f"{'met' if met else 'MISSED'}: {page.calls:.2f} calls (bar {MOST_CALLS:g}) and {total:,.0f} tokens a page, "
        f"thoughts included (bar {MOST_TOKENS}); Agent4Rec {AGENT4REC_CALLS} calls and {AGENT4REC_TOKENS:,} tokens"
    )
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=25)
    parser.add_argument("--model", choices=("embedded", "none"), default="embedded", help="whose tokenizer")
    return parser.parse_args()


def _plan(people: int, decision: str) -> Plan:
    return build_plan(
        ExperimentConfig.model_validate(
            {
                "name": "tokens",
                "seed": 1,
                "dataset": "ml-100k",
                "population": {"size": people},
                "site": {"page_size": 4, "max_pages": PAGES},
                "mind": {"kind": "language", "model": {"provider": "scripted"}, "decision": decision},
                "arms": [{"name": "random", "recommender": "random_order"}],
            }
        )
    )


async def _open_embedded() -> EmbeddedModel | None:
    """The embedded model, for its tokenizer; None where the extra or its weights are missing."""
    try:
        model = await build_chat_model(ModelConfig())
    except UserError as error:
        print(error, file=sys.stderr)
        return None
    assert isinstance(model, EmbeddedModel)
    return model


def _play(plan: Plan) -> Asked:
    """All that is asked while people come for `DAYS` days."""
    mind = plan.config.mind.build(replace(plan.minds, model=ScriptedModel(_eager)))
    assert isinstance(mind, LooksBack)
    recommender = RandomOrderRecommender()
    recommender.fit(plan.split.train, plan.dataset.catalog)
    asked: Asked = []
    for day in range(DAYS):
        for agent in range(len(plan.population)):
            agents = np.array([agent])
            users = plan.population.users[agents]
            sessions = Sessions(agents, users, day, Draws.for_sessions(plan.config.seed, users, day))
            seen = sp.csr_array(plan.split.train.matrix[users])
            record = asyncio.run(
                browse(sessions, seen, recommender=recommender, environment=plan.environment, mind=mind)
            )
            mind.remember(record.afterthoughts.memories)
            asked += [(day, agent, turn.turn.page.number, call) for turn in record.turns for call in turn.calls]
            asked += [(day, agent, 0, call) for call in record.afterthoughts.calls]
    return asked


def _eager(request: ChatRequest) -> str:
    """Any legal reply, but always on to the next page; thoughts and feelings of usual length."""
    if request.answers:
        return legal_reply(request)
    said = json.loads(legal_reply(request))
    if "next" in said:
        said["next"] = True
    if "thought" in said:
        said["thought"] = "The first page had a film I liked, the rest was not for me; I want more of that kind."
    return json.dumps(said, separators=(",", ":"))


def _pages(asked: Asked) -> int:
    """Pages seen on the counted days."""
    return len({each[:3] for each in asked if each[2] and each[0] >= DAYS - COUNTED_DAYS})


def _cost(asked: Asked, tokenizer: Tokenizer) -> tuple[Cost, Cost]:
    """What a page costs on the counted days, and what the thoughts of all days add to a page."""
    known: set[int] = set()
    of_pages, of_thoughts = [], []
    for day, _, page, call in asked:
        tokens = tokenizer.prompt(call.request.messages)
        counts = (len(tokens), _found(tokens, known), len(tokenizer.text(call.reply.text)))
        if not page:
            of_thoughts.append(counts)
        elif day >= DAYS - COUNTED_DAYS:
            of_pages.append(counts)
    all_pages = len({each[:3] for each in asked if each[2]})
    return _mean(of_pages, _pages(asked)), _mean(of_thoughts, all_pages)


def _mean(counts: Sequence[tuple[int, int, int]], n_pages: int) -> Cost:
    prompt, cached, completion = (sum(each[n] for each in counts) / n_pages for n in range(3))
    return Cost(len(counts) / n_pages, prompt, cached, completion)


def _found(tokens: Tokens, known: set[int]) -> int:
    """How many leading tokens a prefix cache of whole blocks holds already; it holds all of them afterwards."""
    found, whole = 0, True
    for end in range(BLOCK, len(tokens) + 1, BLOCK):
        block = hash(tuple(tokens[:end]))
        whole = whole and block in known
        found = end if whole else found
        known.add(block)
    return found


def _print(console: Console, costs: Mapping[str, tuple[Cost, Cost]], n_pages: int, words: str) -> None:
    console.print(f"{n_pages} persona-pages of 4 items, MovieLens-100K; {words}")
    table = Table(title="a page", title_justify="left")
    table.add_column("")
    for column in ("calls", "prompt", "cached", "completion", "total"):
        table.add_column(column, justify="right")
    for decision, parts in costs.items():
        for name, cost in zip((decision, "  its thoughts"), parts, strict=True):
            figures = (cost.prompt, cost.cached, cost.completion, cost.total)
            table.add_row(name, f"{cost.calls:.2f}", *(f"{figure:,.0f}" for figure in figures))
    table.add_row("Agent4Rec, published", f"{AGENT4REC_CALLS}", "", "", "", f"{AGENT4REC_TOKENS:,}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
