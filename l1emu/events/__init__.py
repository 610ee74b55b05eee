"""Crossings, Level-1 candidates, jets and their features."""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.events.jets import Jets, build_jets
    from l1emu.events.sample import Batch, Sample, Stratum, read_sample, write_sample

__all__ = ["Batch", "Jets", "Sample", "Stratum", "build_jets", "read_sample", "write_sample"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "jets": ("Jets", "build_jets"),
        "sample": ("Batch", "Sample", "Stratum", "read_sample", "write_sample"),
    },
)
