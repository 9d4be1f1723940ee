"""The file of a student, `student.json`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.environments.dataset import Dataset
from groundlings.environments.fitted_files import read_fitted
from groundlings.environments.ridge import Ridge
from groundlings.experiments.labs.distil.student import Scatter, Student
from groundlings.personas.minds.calibrated_question import QuestionOptions
from groundlings.personas.taste.features import version_of


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TeacherNamed(_Part):
    """Whose answers the student has learned."""

    model: str
    fingerprint: str
    prompt: str
    """Files and versions of the question."""
    prompt_sha256: str
    question: QuestionOptions


class Column(_Part):
    """One column of the features: its value times `scale`, less `centre`, times `slope` is added to the mean."""

    name: str
    scale: float
    centre: float
    slope: float


class StudentFile(_Part):
    """All that answers for everybody."""

    teacher: TeacherNamed
    dataset_hash: str
    """Of the data that items and people are of: text vectors and behavioural features are theirs."""
    evidence_version: int
    """Of the meaning of the behavioural features."""
    width: int = Field(ge=1)
    """Numbers of a text vector at most."""
    mean: float
    penalty: float
    columns: tuple[Column, ...]
    between: float = Field(ge=0)
    """Variance of people's own deviations; this and the next two are those of `Scatter`."""
    edges: tuple[float, ...]
    rests: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _fits_together(self) -> StudentFile:
        if len(self.rests) != len(self.edges) + 1 or {len(each) for each in self.rests} == {0}:
            raise ValueError(f"found {len(self.rests)} groups of rests, expected one more than {len(self.edges)} edges")
        if len({len(each) for each in self.rests}) > 1 or len(self.rests[0]) < 2:
            raise ValueError("groups of rests differ in length, or hold fewer than two quantiles")
        return self

    def is_of(self, dataset: Dataset) -> bool:
        """Whether it has learned from these data, by behavioural features of the same meaning."""
        return (self.dataset_hash, self.evidence_version) == (dataset.fingerprint, version_of(len(dataset.people)))

    @property
    def sha256(self) -> str:
        """Over the content, in hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def student(self) -> Student:
        """The regression."""
        scale, centre, slopes = (
            np.array([getattr(each, name) for each in self.columns]) for name in ("scale", "centre", "slope")
        )
        return Student(scale, Ridge(centre, np.array(self.mean), slopes), self.penalty)

    @property
    def scatter(self) -> Scatter:
        """How answers scatter."""
        return Scatter(self.between, np.array(self.edges), np.array(self.rests))


def read_student(path: Path) -> StudentFile:
    """The student in a file.

    Raises:
        ConfigError: There is no such file.
        DataError: It is none of ours, or damaged.
    """
    return read_fitted(
        path,
        StudentFile,
        what="the student",
        file="the file of a student",
        command="groundlings distil",
    )
