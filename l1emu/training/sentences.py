"""A registered generator of text: sentences about a trigger menu, drawn from a small grammar."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError

_Arrays = dict[str, npt.NDArray[Any]]

CHARACTERS = " abcdefghijklmnopqrstuvwxyz"
"""A character's class is its place here."""

_RULES: dict[str, tuple[str, ...]] = {
    "TEXT": (
        "if CONDITION the seed ACTION ",
        "the NAME seed ACTION when CONDITION ",
        "CONDITION and then the menu ACTION ",
        "once CONDITION the NAME seed ACTION ",
    ),
    "CONDITION": (
        "CANDIDATES pass NUMBER gev",
        "CANDIDATES above NUMBER gev QUALITY",
        "the QUANTITY exceeds NUMBER gev",
        "the KIND QUALITY",
    ),
    "CANDIDATES": ("COUNT KIND", "COUNT ADJECTIVE KIND"),
    "COUNT": ("two", "three", "four", "at least six"),
    "KIND": ("jets", "muons", "electrons", "photons", "taus", "tracks"),
    "ADJECTIVE": ("isolated", "tagged", "forward", "central", "displaced"),
    "QUANTITY": ("scalar sum", "missing energy", "invariant mass of COUNT KIND"),
    "NUMBER": ("ten", "twenty", "forty", "sixty", "one hundred", "two hundred"),
    "QUALITY": (
        "come from one vertex",
        "lie in the barrel",
        "are back to back",
        "have zero charge",
        "look like quarks",
    ),
    "NAME": ("muon", "jet", "tau", "photon", "energy", "scouting"),
    "ACTION": (
        "fires",
        "accepts the crossing",
        "is prescaled by NUMBER",
        "waits for the next orbit",
        "keeps the event",
    ),
}
"""By a word in capitals, what it may become, each as likely as the others."""

_CAPITALS = re.compile(r"[A-Z]+")
_MOST = 10_000_000


def sentences(*, events: int, seed: int, positions: int = 16) -> _Arrays:
    """Pieces of a text of sentences about a trigger menu, 27 characters, and the next character at every position.

    The text is drawn anew for each seed; the pieces lie one behind the other in it and share no character that is seen.

    Parameters
    ----------
    events
        How many pieces.
    positions
        Characters of a piece.

    Returns
    -------
    dict
        `characters` int8 (events, positions, 27 + positions): a one for the character and a one for the position;
        `target` int64 (events, positions): the next character, 0 for a space, 1 to 26 for a to z.
    """
    for name, value in {"events": events, "positions": positions}.items():
        if not isinstance(value, int) or not 1 <= value <= _MOST:
            raise L1emuError(
                "wrong size", where=f"data.options.{name}", value=value, expected=f"an integer, 1 to {_MOST:,}"
            )
    if events * positions > _MOST:
        raise L1emuError(
            "too long a text",
            where="data.options",
            value=f"{events} events of {positions} positions",
            expected=f"{_MOST:,} characters at most",
        )
    code = codes(text(events * positions + 1, seed))
    seen = code[:-1].reshape(events, positions)
    return {"characters": one_hot(seen), "target": code[1:].reshape(events, positions).astype(np.int64)}


def text(length: int, seed: int) -> str:
    """The first `length` characters of the text of a seed."""
    rng = np.random.default_rng(seed)
    parts: list[str] = []
    missing = length
    while missing > 0:
        parts.append(_drawn("TEXT", rng))
        missing -= len(parts[-1])
    return "".join(parts)[:length]


def _drawn(name: str, rng: np.random.Generator) -> str:
    choices = _RULES[name]
    return _CAPITALS.sub(lambda found: _drawn(found[0], rng), choices[rng.integers(len(choices))])


def codes(written: str) -> npt.NDArray[np.int64]:
    """The class of each character."""
    return np.array([CHARACTERS.index(character) for character in written], dtype=np.int64)


def one_hot(code: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """A network's input of characters (pieces, positions): int8 (pieces, positions, 27 + positions)."""
    pieces, positions = code.shape
    place = np.broadcast_to(np.eye(positions, dtype=np.int8), (pieces, positions, positions))
    return np.concatenate([np.eye(len(CHARACTERS), dtype=np.int8)[code], place], axis=2)


def least_perplexity() -> float:
    """That of a reader who knows the grammar and all that was said before: 2 to the entropy of a character.

    A sentence has the entropy of its choices, as no two of them give the same text.
    """
    bits, length = _entropy("TEXT")
    return float(2.0 ** (bits / length))


@cache
def _entropy(name: str) -> tuple[float, float]:
    """Mean bits of what a word in capitals becomes, and its mean length."""
    choices = _RULES[name]
    inner = [[_entropy(word) for word in _CAPITALS.findall(choice)] for choice in choices]
    bits = math.log2(len(choices)) + sum(b for words in inner for b, _ in words) / len(choices)
    fixed = sum(len(_CAPITALS.sub("", choice)) for choice in choices)
    return bits, (fixed + sum(n for words in inner for _, n in words)) / len(choices)
