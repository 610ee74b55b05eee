"""What the first pass keeps of single crossings: of those that some seed of the study may accept, on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l1emu.arraytypes import Bools, Floats, Hashes, Ints
from l1emu.study.part_files import PartWriter, part_reader
from l1emu.trigger.crossing_weights import CrossingWeights
from l1emu.trigger.replicas import half_by_identity

_ROWS = 1 << 16
_COLUMNS = ("identity", "stratum", "reach", "accepted", "counted", "collisions", "weight", "slice_of")
_SMALL = ("stratum", "counted", "collisions", "slice_of")


@dataclass(frozen=True, eq=False)
class CrossingRecords:
    """Some crossings of a sample.

    Attributes
    ----------
    identity, stratum
        As in `l1emu.trigger.Crossings`, uint64 and int64 (n,).
    reach
        Of the seeds with a reach, float64 (n, seeds).
    accepted
        By the fixed seeds, bool (n, seeds).
    counted
        Objects of the stream's collection, int64 (n,); 0 without a stream.
    collisions
        Number of collisions, int64 (n,), where the study asks for other pile-ups; else 0.
    weight, slice_of
        As in `l1emu.trigger.crossing_weights.CrossingWeights`, int64 (n,), where crossings have them; else 0.
    """

    identity: Hashes
    stratum: Ints
    reach: Floats
    accepted: Bools
    counted: Ints
    collisions: Ints
    weight: Ints
    slice_of: Ints

    def __len__(self) -> int:
        return int(self.identity.size)

    @classmethod
    def none(cls, with_reach: int, fixed: int) -> CrossingRecords:
        """No crossings, for so many seeds with a reach and fixed ones."""
        none = np.zeros(0, np.int64)
        reach, accepted = np.zeros((0, with_reach)), np.zeros((0, fixed), np.bool_)
        return cls(none.astype(np.uint64), none, reach, accepted, none, none, none, none)

    @classmethod
    def joined(cls, parts: Sequence[CrossingRecords]) -> CrossingRecords:
        """Those of several, in their order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))

    def weights(self, slices: int) -> CrossingWeights | None:
        """Of crossings that were mixed in so many slices; None where these are none."""
        return CrossingWeights(self.weight, self.slice_of, slices) if slices else None

    def halves(self, slices: int) -> Ints:
        """The half, 0 or 1, that each crossing is of, whole slices where there are any."""
        weights = self.weights(slices)
        return half_by_identity(self.identity) if weights is None else weights.half

    def select(self, mask: Bools) -> CrossingRecords:
        """Those of a mask."""
        return CrossingRecords(*(getattr(self, name)[mask] for name in _COLUMNS))


class RecordWriter:
    """Gathers crossings until there are enough for arrays of their own."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self._held: list[CrossingRecords] = []
        self._pieces = 0

    def add(self, records: CrossingRecords) -> None:
        """Some more crossings."""
        self._held.append(records)
        if sum(map(len, self._held)) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        held, self._held = CrossingRecords.joined(self._held) if self._held else None, []
        if held is None or not len(held):
            return
        for name in _COLUMNS:
            values = getattr(held, name)
            if name == "accepted":
                values = np.packbits(values, axis=1)
            elif name in _SMALL:
                values = values.astype(np.int32)
            self._writer.array(f"records/{self._pieces}/{name}", values)
        self._pieces += 1


def read_records(paths: Iterable[Path], fixed: int) -> Iterator[CrossingRecords]:
    """The crossings of part files, a piece at a time.

    Parameters
    ----------
    paths
        Of one sample, in order.
    fixed
        Number of fixed seeds.

    Raises
    ------
    L1emuError
        if a file is damaged.
    """
    for path in paths:
        with part_reader(path) as reader:
            piece = 0
            while f"records/{piece}/identity" in reader:
                columns = {name: reader.array(f"records/{piece}/{name}") for name in _COLUMNS}
                columns["accepted"] = np.unpackbits(columns["accepted"], axis=1, count=fixed).view(np.bool_)
                for name in _SMALL:
                    columns[name] = columns[name].astype(np.int64)
                yield CrossingRecords(**columns)
                piece += 1
