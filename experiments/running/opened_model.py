"""The language models of a run, open until the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from groundlings.environments.chat import ChatModel
from groundlings.experiments.config.schema import CalibratedMindConfig, ExperimentConfig
from groundlings.experiments.running.calibration import CalibrationGround, calibrated
from groundlings.experiments.running.events import Progress, on_download, on_note
from groundlings.personas.registry import MindContext
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.replies_so_far import NONE_SO_FAR, RepliesSoFar
from groundlings.simulator.log.spending import AGENT, Spending


async def opened_model(
    asked: ModelConfig,
    key: str,
    base: Path,
    stack: AsyncExitStack,
    progress: Progress,
    spent: Spent,
    so_far: RepliesSoFar,
) -> ChatModel:
    """An opened language model; closing the stack closes it.

    Args:
        asked: Its configuration.
        key: Where that stands in the experiment file, for messages.
        base: Directory that its paths start from.
        stack: Whoever closes it.
        progress: Told of downloads, and of what the model's server does not take.
        spent: What an interrupted run has spent already.
        so_far: What is known of the replies that an interrupted run got.
    """
    from groundlings.simulator.language.build import build_chat_model

    model = await build_chat_model(
        asked,
        on_download(progress),
        base=base,
        spent=spent,
        key=key,
        so_far=so_far,
        tell=on_note(progress),
    )
    stack.push_async_callback(model.close)
    return model


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens the models of a run.

    Attributes:
        config: The run's.
        ground: The data that weights of a model's answers are fitted on.
        stack: Closes models when it is closed.
        progress: Gets notes.
        spent: What the run, and others that share its budget, have used.
        resumed: The directory of a run that is resumed.
        so_far: Who asks -> what is known of the replies that came so far in a run that is resumed.
    """

    config: ExperimentConfig
    ground: CalibrationGround
    stack: AsyncExitStack
    progress: Progress
    spent: Spending
    resumed: Path | None
    so_far: Mapping[str, RepliesSoFar]

    async def of_arm(self, name: str, wanted: ModelConfig, key: str) -> ChatModel:
        """The model of an arm's recommender; `key` is where it stands in the experiment file."""
        before = self.spent.by(name), self.so_far.get(f"arm {name}", NONE_SO_FAR)
        return await opened_model(wanted, key, self.config.base, self.stack, self.progress, *before)

    async def of_agents(self, context: MindContext, wanted: ModelConfig) -> MindContext:
        """What minds are made of, with the agents' model and, where the mind weighs its answers, their weights."""
        before = self.spent.agents, self.so_far.get(AGENT, NONE_SO_FAR)
        model = await opened_model(wanted, "mind.model", self.config.base, self.stack, self.progress, *before)
        context, mind = replace(context, model=model, sampling=wanted.sampling), self.config.mind
        return await self.weighed(context, mind) if isinstance(mind, CalibratedMindConfig) else context

    async def weighed(self, context: MindContext, mind: CalibratedMindConfig) -> MindContext:
        """What minds are made of, with the weights of a calibrated one."""
        seed = self.config.seed
        return await calibrated(context, mind, self.ground, seed=seed, run=self.resumed, progress=self.progress)
