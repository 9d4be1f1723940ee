"""The memorisation probe: models that know all, nothing, or only what was learned from, and a tokenizer of letters."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.experiments.labs.train_mind.examples import questions_of_training
from groundlings.experiments.labs.train_mind.probe import MemoryProbe, weigh_memory
from groundlings.experiments.labs.train_mind.token_trees import Prompts
from groundlings.personas.minds.calibrated_question import BETWEEN_TITLES


class Letters:
    def __call__(self, text, *, add_special_tokens, return_offsets_mapping=False):
        return {"input_ids": list(map(ord, text)), "offset_mapping": [(at, at + 1) for at in range(len(text))]}

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt):
        return "\n".join(message["content"] for message in messages)


class Model:
    """Goes on with what really comes next if it is a parrot, and finds what `known` knows likely."""

    def __init__(self, *, parrot, known=lambda text: False):
        self._parrot, self._known = parrot, known

    def loss(self, tokens):
        return 0.5 if self._known("".join(map(chr, tokens))) else 1.5

    def likeliest(self, tokens):
        return np.append(tokens[1:], 0) if self._parrot else np.zeros_like(tokens)


@pytest.fixture(scope="module")
def prompts(ground, material):
    return {name: Prompts(Letters(), each) for name, each in questions_of_training(ground, material).items()}


@pytest.fixture
def probe(material, prompts):
    return MemoryProbe(material, prompts, np.random.default_rng(0))


def weighed(probe, model):
    return weigh_memory(probe.ask(model), 100, np.random.default_rng(1))


def test_titles_lie_where_the_prompt_names_them(prompts, ground, material):
    tokens, places = prompts["learned"].latest(0)
    said = ["".join(map(chr, tokens[first:end])) for first, end in places]
    newest = material.learned.histories
    own = newest.items[newest.users == 0]
    assert len(said) == ground.config.question.latest
    assert set(said) <= {ground.dataset.catalog.titles[item] for item in own.tolist()}
    assert "".join(map(chr, tokens)).endswith(BETWEEN_TITLES.join(said))


def test_a_parrot_goes_on_with_every_title_and_a_blank_model_with_none(probe):
    for parrot in (True, False):
        found = weighed(probe, Model(parrot=parrot)).completions
        assert min(found.titles) > 0
        assert found.continued == (found.titles if parrot else (0, 0))


def test_a_model_that_knows_neither_separates_nothing(probe):
    found = weighed(probe, Model(parrot=False))
    assert found.histories.separated == found.titles.separated == pytest.approx(0.5)


def test_a_model_that_knows_the_titles_it_was_taught_gives_itself_away(probe, prompts, material, ground):
    words = prompts["learned"]
    learned = material.learned.lists
    taught = {*learned.items[learned.listed].tolist(), *words.named_in(range(len(material.learned))).tolist()}
    known = {f"\n{ground.dataset.catalog.titles[item]}" for item in taught}
    found = weighed(probe, Model(parrot=False, known=known.__contains__)).titles
    assert (found.learned, found.others, found.separated) == (0.5, 1.5, 1.0)
    assert min(found.sizes) > 0


def test_a_model_that_knows_histories_gives_itself_away(probe, prompts, material):
    people = {"".join(map(chr, prompts["learned"].about(user))) for user in range(len(material.learned))}
    assert weighed(probe, Model(parrot=False, known=people.__contains__)).histories.separated == pytest.approx(1.0)
