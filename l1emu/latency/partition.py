"""A partition of a network: which board has which layers, and the links between the boards, as YAML holds them."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from l1emu.config import Config, load_config
from l1emu.latency.budget import Sourced
from l1emu.latency.limits import MOST_BUFFERED, MOST_CYCLES

MOST_BOARDS = 64
"""Boards of one network: a crate has a dozen of them."""

MOST_LANES = 100
"""Lanes of one link: a board has more than 100 at 25 Gb/s (indico.global, 6805/58400)."""

_PAYLOAD = {"64b/66b": 64 / 66, "8b/10b": 0.8, "none": 1.0}
_ROUNDING = 1e-9

BoardName = Annotated[str, Field(min_length=1, max_length=80)]


class NetworkBoard(Config):
    """A board: its name, its part where it is another than the project's, and the layers on it."""

    name: BoardName
    part: str | None = Field(default=None, min_length=1)
    layers: list[str] = Field(min_length=1)


class BoardLink(Sourced):
    """A link from one board to another, one for each copy of the network.

    Attributes
    ----------
    sender, receiver
        The boards, `from` and `to` in the file.
    gbps
        The rate of a lane on the fibre in Gb/s; `infinite` for a link that takes no time.
    lanes
        Lanes side by side, for each copy of the network.
    encoding
        What of the rate is left for words: 64/66, 8/10, or all of it.
    word_bits
        A lane takes one word of so many bits a cycle of the boards' clock, or as fast as its rate allows.
    latency_ns
        From the first bit at the sender to the word at the receiver: serialisation, fibre, alignment.
    buffer_words
        Words that wait at the sender, all lanes together; without a number as many as come.
    """

    sender: BoardName = Field(alias="from")
    receiver: BoardName = Field(alias="to")
    gbps: Annotated[float, Field(ge=0.001, le=10_000)] | Literal["infinite"]
    lanes: int = Field(default=1, ge=1, le=MOST_LANES)
    encoding: Literal["64b/66b", "8b/10b", "none"] = "64b/66b"
    word_bits: int = Field(default=64, ge=1, le=4096)
    latency_ns: float = Field(ge=0, le=1e6)
    buffer_words: int | None = Field(default=None, ge=1, le=MOST_BUFFERED)

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.sender} to {self.receiver}"

    def words(self, bits: int) -> int:
        """Words of a tensor of so many bits, its numbers one after the other without gaps."""
        return -(-bits // self.word_bits)

    def cycles(self, words: int, period_ns: float) -> int:
        """Whole cycles of a clock for which so many words take the link."""
        if self.gbps == "infinite":
            return 0
        word_ns = max(period_ns, self.word_bits / (self.gbps * _PAYLOAD[self.encoding]))
        return math.ceil(-(-words // self.lanes) * word_ns / period_ns - _ROUNDING)

    def latency_cycles(self, period_ns: float) -> int:
        """Its latency in whole cycles of a clock."""
        return math.ceil(self.latency_ns / period_ns - _ROUNDING)


class Partition(Config):
    """A network over several boards.

    Attributes
    ----------
    boards
        The first of them has the network's inputs.
    links
        A tensor that is used on a board without a link from where it is made is passed on by the boards between.
    interval_cycles
        Cycles from one input to the next; absent, as few as the boards take.
    """

    name: str = Field(min_length=1)
    interval_cycles: int | None = Field(default=None, ge=1, le=MOST_CYCLES)
    boards: list[NetworkBoard] = Field(min_length=1, max_length=MOST_BOARDS)
    links: list[BoardLink] = Field(default_factory=list)

    @model_validator(mode="after")
    def _named(self) -> Partition:
        names = [board.name for board in self.boards]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"boards: two are named {twice!r}; expected names that differ")
        seen: set[tuple[str, str]] = set()
        for place, link in enumerate(self.links):
            for key, name in (("from", link.sender), ("to", link.receiver)):
                if name not in names:
                    raise ValueError(
                        f"links.{place}.{key}: unknown board {name!r}; expected one of {', '.join(map(repr, names))}"
                    )
            if link.sender == link.receiver:
                raise ValueError(f"links.{place}: from {link.sender!r} to itself; expected two boards")
            if (link.sender, link.receiver) in seen:
                raise ValueError(f"links.{place}: a second link from {link.name}; expected one with more lanes")
            seen.add((link.sender, link.receiver))
        return self


def read_partition(path: str | os.PathLike[str]) -> Partition:
    """Read a partition from YAML.

    Raises
    ------
    L1emuError
        if the file is absent, a key is wrong, or a link names a board that is not there.
    """
    return load_config(Path(path), Partition)


class _OnOneLine(list[str]):
    """What is written between brackets."""


class _Dumper(yaml.SafeDumper):
    """Writes lists of names between brackets and all else line by line."""


_Dumper.add_representer(
    _OnOneLine, lambda dumper, names: dumper.represent_sequence("tag:yaml.org,2002:seq", names, flow_style=True)
)


def partition_text(partition: Partition) -> str:
    """The YAML that `read_partition` reads."""
    kept = partition.model_dump(by_alias=True, exclude_none=True)
    for board in kept["boards"]:
        board["layers"] = _OnOneLine(board["layers"])
    sourced = ("source", "status")
    kept["links"] = [
        {key: link[key] for key in (*(key for key in link if key not in sourced), *sourced)} for link in kept["links"]
    ]
    text: str = yaml.dump(kept, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
