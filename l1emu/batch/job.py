"""What an engine is given: which shards of a plan to make, by which command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BatchJob:
    """Shards to be made.

    Attributes
    ----------
    folder
        Of the plan.
    missing
        Numbers of the shards, in the plan's order.
    command
        What makes one: ``(*command, str(i))``.
    memory_mb, seconds
        To be asked for each shard: from measured ones, or the defaults.
    retries
        How often one that failed is tried again.
    """

    folder: Path
    missing: tuple[int, ...]
    command: tuple[str, ...]
    memory_mb: int
    seconds: int
    retries: int = 3
