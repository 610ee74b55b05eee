"""What a link between two boards of a network carries for one input of one copy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """A tensor in a link.

    Attributes
    ----------
    tensor, words
        What it is, and how many words of the link.
    offset_cycles
        From when a copy takes an input to when the tensor is there to be sent.
    cycles
        For which it takes the link.
    """

    tensor: str
    words: int
    offset_cycles: int
    cycles: int


@dataclass(frozen=True)
class LinkTraffic:
    """What one link carries for each input of one copy.

    Attributes
    ----------
    turn_cycles
        For which all messages together take the link: no longer does a message need, wherever it falls, while inputs
        are no closer than that. It is what every message is given.
    latency_cycles
        Of the link itself.
    buffer_words
        What waits at the sender at most; None for as many as come.
    """

    name: str
    messages: tuple[Message, ...]
    turn_cycles: int
    latency_cycles: int
    buffer_words: int | None
