"""What a language model adds to the agents' judgement of new items, on a sample, and what it costs.

For each sampled item a shortlist is selected among the users who clicked it. The model is asked about each pair. A
logistic model, fitted on pairs with hidden items for which the truth is known, gives its score a weight beside the
agents' own log-odds: near zero for a model without signal. The likeliest users of the same shortlist are then selected
once by the agents' judgement and once by both. All other new items keep the audience's selection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest, fingerprint_of
from groundlings.environments.errors import DataError
from groundlings.environments.words import plural
from groundlings.experiments.labs.unreadable_answers import refuse_unreadable
from groundlings.experiments.labs.warmup.config import LanguageConfig
from groundlings.experiments.labs.warmup.replicate import AUDIENCE, Bench, Trial
from groundlings.experiments.labs.warmup.selection_quality import measure_selection
from groundlings.experiments.labs.warmup.user_selection import select_users
from groundlings.experiments.running.events import SILENT, Note, Progress, on_download, on_note
from groundlings.personas.minds.calibrated_question import LanguageScorer, refusals_of
from groundlings.personas.population import build_population
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic
from groundlings.simulator.language.build import build_chat_model

SHORTLIST, BOTH = "audience_shortlist", "audience_language"
"""Arms of the first seed: the likeliest of the shortlists by the agents' judgement alone, and by both."""

_RIDGE = 1.0


@dataclass(frozen=True)
class LanguageFindings:
    """The selections and their description.

    Attributes:
        chosen: Arm -> the selected users of each new item, rows of the panel, shape (n_new, volume).
        about: Model, weights, tokens and AUC, plain JSON values.
        tokens: Prompt and completion tokens of all questions.
    """

    chosen: Mapping[str, IntArray]
    about: Mapping[str, Any]
    tokens: int


class CountingModel:
    """Forwards questions to a model and counts the tokens."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.tokens = 0
        self.questions = 0
        self.estimated = 0
        """Questions whose tokens are estimates, because the server gave no believable counts."""

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._model.name

    @property
    def fingerprint(self) -> str:
        """See `Fingerprinted.fingerprint`."""
        return fingerprint_of(self._model)

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        reply = await self._model.ask(request)
        self.tokens += reply.prompt_tokens + reply.completion_tokens
        self.questions += 1
        self.estimated += reply.tokens_estimated
        return reply

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self._model.close()


def ask_language_model(trial: Trial, options: LanguageConfig, progress: Progress = SILENT) -> LanguageFindings:
    """Ask about a sample, and select with and without the answers.

    Raises:
        UserError: The model cannot be asked, or gives no log probabilities.
        TooMuchUnreadable: More answers cannot be read than `max_unreadable` allows.
    """

    async def asked() -> LanguageFindings:
        built = await build_chat_model(
            options.model,
            on_download(progress),
            base=trial.config.base,
            key="language.model",
            tell=on_note(progress),
        )
        model = CountingModel(built)
        try:
            return await _ask(trial, options, model, progress)
        finally:
            await model.close()

    return asyncio.run(asked())


async def _ask(trial: Trial, options: LanguageConfig, model: CountingModel, progress: Progress) -> LanguageFindings:
    split, volume = trial.split, trial.config.headline
    population = build_population(trial.dataset, split.train, size="all", seed=trial.config.seed)
    scorer = LanguageScorer(population, model, options.question)
    chance = trial.chance_of("language")
    size = max(options.shortlist, volume)
    sampled = np.sort(chance.choice(len(split.new), min(options.items, len(split.new)), replace=False))
    shortlists = select_users(trial.user_vectors, trial.chance[:, sampled], trial.interested[:, sampled], size)

    users, items, answers = _known_pairs(trial, options.known_pairs, chance)
    hidden, new = len(users), shortlists.size
    progress.event(
        Note(f"language model: {plural(hidden, 'pair')} with hidden items and {new} with new ones, {model.name}")
    )
    said = await scorer.ask_pairs(users, items)
    unreadable = int(np.isnan(said).sum())
    refuse_unreadable(unreadable, hidden, options.max_unreadable, whole=False, scorers=[scorer])
    fit = _weigh(trial, users, items, answers, said)
    before = model.tokens
    rows, columns = shortlists.ravel(), np.repeat(sampled, size)
    said = await scorer.ask_pairs(split.panel[rows], split.new[columns])
    unreadable += int(np.isnan(said).sum())
    refuse_unreadable(unreadable, hidden + new, options.max_unreadable, scorers=[scorer])
    if unreadable:
        share = 100 * unreadable / (hidden + new)
        progress.event(
            Note(
                f"language model: {unreadable:,} of {hidden + new:,} answers unreadable ({share:.1f} %)"
                f"{refusals_of(scorer)}"
            )
        )
    own = np.log(trial.chance / (1 - trial.chance))[rows, columns] + np.where(np.isnan(said), np.nan, 0.0)
    both = fit.combine(own, said)
    # What is not known of a pair is no reason for or against it: neither arm can select it.
    complete = (~np.isnan(said)).reshape(shortlists.shape).sum(axis=1) >= volume

    chosen = {arm: trial.choose(AUDIENCE, volume) for arm in (SHORTLIST, BOTH)}
    for arm, score in ((SHORTLIST, own), (BOTH, both)):
        order = np.argsort(-score.reshape(shortlists.shape), axis=1, kind="stable")[:, :volume]
        chosen[arm][sampled[complete]] = np.take_along_axis(shortlists, order, axis=1)[complete]
    about = {
        "model": model.name,
        "fingerprint": model.fingerprint,
        "items": len(sampled),
        "questions": model.questions,
        "answers": hidden + new,
        "unreadable": unreadable,
        "items_not_selected": int((~complete).sum()),
        "tokens": model.tokens,
        "questions_with_estimated_tokens": model.estimated,
        "tokens_per_item": (model.tokens - before) / len(sampled),
        "weights": {"audience": float(fit.weights[1]), "language": float(fit.weights[2])},
        "auc_audience": _auc(trial, sampled, shortlists, own),
        "auc_both": _auc(trial, sampled, shortlists, both),
    }
    return LanguageFindings(chosen, about, model.tokens)


def language_gain(bench: Bench, found: LanguageFindings) -> dict[str, Any]:
    """The gain in NDCG on new items by the answers, in all and per 1,000 tokens; None where no token was counted."""
    with_it, without = (bench.fold_in(found.chosen[arm]).value("cold", "ndcg") for arm in (BOTH, SHORTLIST))
    gain = with_it - without
    return {"gain": gain, "gain_per_1000_tokens": gain / (found.tokens / 1000) if found.tokens else None}


@dataclass(frozen=True)
class _Fit:
    """A logistic model of both scores, standardised."""

    weights: FloatArray
    centre: FloatArray
    scale: FloatArray

    def combine(self, own: FloatArray, said: FloatArray) -> FloatArray:
        """Log-odds of both, NaN where the answer is."""
        values = np.column_stack([own, said])
        return np.asarray(self.weights[0] + (values - self.centre) / self.scale @ self.weights[1:])


def _known_pairs(trial: Trial, count: int, chance: np.random.Generator) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of the panel and hidden items, about half of them interactions, and whether each is one."""
    split = trial.split
    positives = np.argwhere(split.labels.matrix[split.panel][:, split.hidden].toarray() > 0)
    if not len(positives):
        raise DataError("language model: no user interacted with the hidden items, so its weight cannot be fitted")
    half = min(count // 2, len(positives))
    positives = positives[np.sort(chance.choice(len(positives), half, replace=False))]
    # Negatives are sampled for the same users, so that activity does not separate the classes.
    rows = positives[:, 0]
    sampled = np.column_stack([rows, chance.integers(0, len(split.hidden), half)])
    known = np.asarray(split.labels.matrix[split.panel[sampled[:, 0]], split.hidden[sampled[:, 1]]]).ravel() > 0
    pairs = np.concatenate([positives, sampled[~known]])
    answers = np.concatenate([np.ones(half), np.zeros(int((~known).sum()))])
    return split.panel[pairs[:, 0]], split.hidden[pairs[:, 1]], answers


def _weigh(trial: Trial, users: IntArray, items: IntArray, answers: FloatArray, said: FloatArray) -> _Fit:
    people, rows = np.unique(users, return_inverse=True)
    named, columns = np.unique(items, return_inverse=True)
    own = trial.taste.log_odds(people, named)[rows, columns]
    readable = ~np.isnan(said)
    values = np.column_stack([own, said])[readable]
    if len(values) < 2:
        raise DataError(
            f"language model: {int(readable.sum())} of {len(said)} answers could be read; choose another one"
        )
    centre, scale = centre_and_scale(values)
    weights = fit_logistic((values - centre) / scale, answers[readable], np.ones(len(values)), ridge=_RIDGE)
    return _Fit(weights, centre, scale)


def _auc(trial: Trial, sampled: IntArray, shortlists: IntArray, score: FloatArray) -> float | None:
    """Mean over the sampled items, within what is known of their shortlists."""
    inside = np.zeros((len(trial.split.panel), len(sampled)), dtype=np.bool_)
    order = np.zeros(inside.shape)
    listed = score.reshape(shortlists.shape).T
    np.put_along_axis(inside, shortlists.T, ~np.isnan(listed), axis=0)
    np.put_along_axis(order, shortlists.T, listed, axis=0)
    return measure_selection(shortlists[:, :1], trial.interacted[:, sampled], inside, order).auc
