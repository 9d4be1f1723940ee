"""The table of what a teacher answered: a line is added with each answer, and no question is asked twice.

An answer is found again by the SHA-256 of the words that were sent, so it holds for whatever else changes: another
seed, more pairs, another rule. A table holds the answers of one model.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from groundlings.environments.chat import ParseStatus
from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.experiments.archive.tables import LineFeeds
from groundlings.simulator.language.budget import Spent

TABLE_NAME = "teacher.csv"


@dataclass(frozen=True, slots=True)
class Answer:
    """One line.

    Attributes:
        prompt_sha256: Over the words that were sent.
        template, template_sha256: The prompt file they were made from.
        model, fingerprint: Who answered.
        third: "learned", "validation" or "test".
        user_id, item_id: The pair, by the data set's own ids.
        chosen_by: The rule that chose the pair first, or "choice among five".
        status: As in the log of a run.
        first_token: JSON: tokens and natural log probabilities, likeliest first.
        log_odds: Of yes, "" where the answer could not be read.
        prompt_tokens, cached_tokens, completion_tokens: As counted by the server.
        tokens_estimated: True where the server gave no believable counts: those before are then estimates.
    """

    prompt_sha256: str
    template: str
    template_sha256: str
    model: str
    fingerprint: str
    third: str
    user_id: str
    item_id: str
    chosen_by: str
    status: ParseStatus
    first_token: str
    log_odds: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    tokens_estimated: bool

    @property
    def score(self) -> float:
        """Log-odds of yes, NaN where the answer could not be read."""
        return float(self.log_odds) if self.log_odds else math.nan


_COLUMNS = tuple(field.name for field in fields(Answer))
_COUNTS = ("prompt_tokens", "cached_tokens", "completion_tokens")
_ESTIMATED = {"True": True, "False": False}
_LONGEST_CELL = 1 << 30
"""Characters; a server may list as many tokens as it likes, and the module's own limit is 131,072."""


class TeacherTable:
    """The lines of one file, added one at a time.

    Args:
        path: The file; it is made with the first answer.
        tell: Is told of a line that was being written when the process ended: it is taken out, and asked again.

    Raises:
        DataError: It is no such table, or damaged.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = lambda _line: None) -> None:
        self._path = path
        found = read_answers(path, tell) if path.is_file() else []
        self._answers = {each.prompt_sha256: each for each in found}
        self._has_head = path.is_file() and path.stat().st_size > 0

    def refuse_other_than(self, fingerprint: str) -> None:
        """Return if all answers are of this model.

        Raises:
            ConfigError: They are of another.
        """
        for each in self._answers.values():
            if each.fingerprint != fingerprint:
                raise ConfigError(
                    f"{self._path}: holds answers of {each.fingerprint}, and teacher.model is {fingerprint}; "
                    "name that model again, or choose another --out"
                )

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def spent(self) -> Spent:
        """What the answers have taken."""
        answers = self._answers.values()
        prompt, cached, completion = (sum(getattr(each, name) for each in answers) for name in _COUNTS)
        return Spent(len(answers), prompt, cached, completion, sum(each.tokens_estimated for each in answers))

    def find(self, prompt_sha256: str) -> Answer | None:
        """The answer to a question, None where it was never asked."""
        return self._answers.get(prompt_sha256)

    def add(self, answer: Answer) -> None:
        """Write a line, at once.

        Raises:
            RunDirectoryError: The disk is full, or may not be written.
        """
        line = io.StringIO(newline="")
        writer = csv.writer(LineFeeds(line))
        if not self._has_head:
            writer.writerow(_COLUMNS)
        writer.writerow(asdict(answer).values())
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write(line.getvalue())
        except OSError as fault:
            raise RunDirectoryError(f"{self._path}: cannot be written ({fault.strerror}); free some space") from None
        self._has_head = True
        self._answers[answer.prompt_sha256] = answer


def prompt_hash(shared: str, told: str) -> str:
    """SHA-256 over the words of a question, what all are told and what is told of the pair, in hexadecimal."""
    return hashlib.sha256(json.dumps([shared, told]).encode()).hexdigest()


def read_answers(path: Path, tell: Callable[[str], None] = lambda _line: None) -> list[Answer]:
    """The lines of a table; the last one is taken out of the file where it was cut off.

    Raises:
        DataError: It is no such table, or damaged.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as fault:
        raise RunDirectoryError(f"{path}: cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a table of answers: not UTF-8 text; restore it from a copy") from None
    kept, end, cut = text.rpartition("\n")
    if cut:
        tell(f"{path.name}: the last line was cut off when the process ended; its pair is asked again")
        path.write_bytes((kept + end).encode("utf-8"))
    csv.field_size_limit(_LONGEST_CELL)
    try:
        rows = list(csv.reader(io.StringIO(kept + end, newline="")))
    except csv.Error as fault:
        raise DataError(f"{path}: not a table of answers ({fault}); restore it from a copy") from None
    if not rows:
        return []
    if tuple(rows[0]) != _COLUMNS:
        raise DataError(f"{path}: found the columns {', '.join(rows[0])}; expected {', '.join(_COLUMNS)}")
    return [_answer(path, number, row) for number, row in enumerate(rows[1:], start=2)]


def _answer(path: Path, line: int, row: list[str]) -> Answer:
    values: dict[str, object] = dict(zip(_COLUMNS, row, strict=False))
    try:
        if len(row) != len(_COLUMNS):
            raise ValueError(f"{len(row)} values, expected {len(_COLUMNS)}")
        values |= {name: int(str(values[name])) for name in _COUNTS}
        if values["tokens_estimated"] not in _ESTIMATED:
            raise ValueError(f"tokens_estimated {values['tokens_estimated']!r}, expected True or False")
        values["tokens_estimated"] = _ESTIMATED[str(values["tokens_estimated"])]
        answer = Answer(**values)  # type: ignore[arg-type]
        if (answer.status == "ok") != bool(answer.log_odds) or (answer.log_odds and not math.isfinite(answer.score)):
            raise ValueError(f"log_odds {answer.log_odds!r} of an answer that is {answer.status}")
    except ValueError as fault:
        raise DataError(f"{path}: line {line} is damaged ({fault}); restore the file from a copy") from None
    return answer
