"""Options of the language mind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from groundlings.environments.patterns import NOUN
from groundlings.personas.agent_notes import AgentNotesOptions
from groundlings.personas.memory import MemoryOptions
from groundlings.personas.social.turn_options import LanguageTies

Wording = Literal["standard", "plain", "story"]
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class MoodOptions(BaseModel):
    """What moves the mood of an agent; settings, not estimates. Everybody arrives rested and curious about anything."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weight: float = Field(default=0.5, gt=0, le=1)
    """How much the last page counts in the satisfaction with the session so far."""
    tiring: float = Field(default=0.2, ge=0, le=1)
    """Share of the strength left that a page takes."""
    boring: float = Field(default=0.6, ge=0, le=1)
    """Share of the way to full boredom with a topic that a page full of it goes when nothing of it is opened."""
    relief: float = Field(default=0.5, ge=0, le=1)
    """Share of the boredom with a topic that goes when all that a page shows of it is opened."""
    recovery: float = Field(default=0.2, ge=0, le=1)
    """Share of the boredom with a topic that a page without it takes away."""


class ReflectionOptions(BaseModel):
    """When an agent makes one thought of its last sessions: one more call to the model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every: int = Field(default=5, ge=0, le=1_000_000)
    """At the end of every so many sessions of an agent; 0 for never."""
    characters: int = Field(default=160, ge=40, le=400)
    """Longest thought."""


class InterviewOptions(BaseModel):
    """What an agent is asked when a session is over: one more call to the model, for all questions together."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    questions: tuple[Question, ...] = ()
    """Free questions, such as "What was missing?"; none for no interview."""
    characters: int = Field(default=240, ge=20, le=2000)
    """Longest answer to one question."""


class GradedOptions(BaseModel):
    """From the log-odds that a model gives to what the platform draws from: P = logistic(slope * log-odds + intercept).

    Models say yes to almost everything, so their log-odds order items better than they tell how many are opened;
    fit slope and intercept on held-out people before reading levels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float = Field(default=1.0, ge=0)
    """Of opening a slot."""
    intercept: float = 0.0
    """Of opening a slot."""


class LanguageOptions(BaseModel):
    """How a language agent is asked; which model is asked is said elsewhere (`model`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    decision: Literal["verdict", "graded"] = "verdict"
    """`verdict` reads one compact reply a page; `graded` asks a yes-or-no question a slot, reads probabilities from the
    log-odds of the answer's first token, and draws with the platform's own common random numbers."""
    wording: Wording = "standard"
    """In which words an agent is told who it is and what to do: `standard`, or `plain` and `story`, which mean the
    same. An effect that turns with the words is not about recommenders; `variants.prompts` runs several."""
    graded: GradedOptions = GradedOptions()
    """How log-odds become probabilities; `graded` only."""
    things: Annotated[str, Field(pattern=NOUN)] | None = None
    """What the site shows, in the plural; goes into the prompt. If absent, as the data set calls its items."""
    feelings: tuple[str, ...] = Field(
        default=("delighted", "curious", "content", "indifferent", "bored", "annoyed"), min_length=2
    )
    """Words to choose a feeling from."""
    stars_optional: bool = False
    """Whether an opened item may be left without stars; `verdict` only."""
    reasons: bool = False
    """Whether the agent may say in a few words why it opens or skips a slot, which costs tokens; `verdict` only."""
    rotate_slots: bool = False
    """Whether the slots of a page are shown to the model from another one on in each session, to measure and cancel a
    model's liking for the first in a list; the log keeps where each slot stood."""
    social: LanguageTies | None = None
    """Ties between agents (docs/social.md): a page says of its items which of them ties have mentioned, or agents say
    in social turns what they tell (`turns`). Agents have no contact if absent."""
    agent_notes: AgentNotesOptions | None = None
    """Agents and items that learnt from each other in an arm of `agentcf` (docs/recommenders/agentcf.md): an agent is
    told its own note in the place of a portrait, and pages describe items by theirs. Portraits come from profiles if
    absent."""
    memory: MemoryOptions = MemoryOptions()
    """What is remembered."""
    mood: MoodOptions = MoodOptions()
    """What moves the mood."""
    reflection: ReflectionOptions = ReflectionOptions()
    """When sessions become a thought."""
    interview: InterviewOptions = InterviewOptions()
    """What is asked after a session."""
    person_examples: int = Field(default=3, ge=0, le=20)
    """Liked titles, disliked titles, preferred and avoided genres a prompt names, of each at most so many."""
    demographics: bool = False
    """Whether a prompt says age, gender and the like; models answer those with stereotypes."""
    title_characters: int = Field(default=80, ge=8, le=100_000)
    """Longest title in a prompt."""
    text_characters: int = Field(default=120, ge=0, le=100_000)
    """Longest item description in a prompt; 0 for none."""
    reasks: int = Field(default=1, ge=0, le=3)
    """How often an unreadable reply is asked for again; then the page is logged as unreadable."""

    def calls_at_most(self, sessions: int, pages: int, slots: int) -> int:
        """Calls that sessions can take, all replies being readable.

        Args:
            sessions: How many.
            pages: Of all of them together, the one of a social turn included.
            slots: Of a page; graded, each is asked about, rated, and the page closed and turned.
        """
        turns = sessions if self.social is not None and self.social.turns is not None else 0
        pages -= turns
        deciding = pages if self.decision == "verdict" else pages * (2 * slots + 2)
        thoughts = sessions // self.reflection.every if self.reflection.every else 0
        return deciding + 2 * turns + thoughts + (sessions if self.interview.questions else 0)
