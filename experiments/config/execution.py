"""The `execution` part of an experiment file: where sessions are simulated. No result depends on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from groundlings.experiments.config.section import Section


class ExecutionConfig(Section):
    """Where sessions are simulated: it changes the speed, never the result, and a run may be resumed with another."""

    engine: Literal["auto", "process", "pool", "ray"] = "auto"
    """`process` simulates in one process, `pool` in worker processes on this machine's cores (from which language
    agents ask their model, too), `ray` on a Ray cluster (`groundlings[ray]`); `auto` takes `pool` where a run is large
    enough to gain by it and its arms can be simulated elsewhere, else `process` (docs/scaling.md). `check` says which
    it is, and why."""
    workers: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Worker processes of `pool`, tasks at a time of `ray`; as many as there are cores if absent."""
    address: Annotated[str, Field(min_length=1)] | None = None
    """Of the Ray cluster, as `ray.init` takes it (`auto`, `ray://HOST:10001`); one is started on this machine if
    absent."""

    @model_validator(mode="after")
    def _keys_are_read(self) -> ExecutionConfig:
        if self.engine == "process" and self.workers is not None:
            raise ValueError("workers: the engine `process` has none; take the key out, or choose `pool`")
        if self.engine != "ray" and self.address is not None:
            raise ValueError(f"address: only the engine `ray` has a cluster, found engine: {self.engine}")
        return self
