"""Rates and efficiencies as they are written for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

_ALIKE = 1.2
"""Errors that differ by a smaller factor are written as one."""


class RateFound(Protocol):
    """A rate with its error in kHz, and the upper limit that it is known by where no crossing was accepted.

    Where it has `rate_khz_low` and `rate_khz_high` too, these are the ends of its interval.
    """

    @property
    def rate_khz(self) -> float: ...
    @property
    def rate_khz_error(self) -> float: ...
    @property
    def rate_khz_upper95(self) -> float: ...
    @property
    def accepted_crossings(self) -> int: ...


class KnownRate(NamedTuple):
    """A rate alone."""

    rate_khz: float
    rate_khz_error: float
    rate_khz_upper95: float
    accepted_crossings: int


class EfficiencyFound(Protocol):
    """An efficiency and the ends of its interval."""

    @property
    def efficiency(self) -> float: ...
    @property
    def efficiency_low(self) -> float: ...
    @property
    def efficiency_high(self) -> float: ...


class TotalError(Protocol):
    """The errors of an efficiency at equal rate, downwards and upwards."""

    @property
    def efficiency_error_total_low(self) -> float: ...
    @property
    def efficiency_error_total_high(self) -> float: ...


class DifferenceFound(Protocol):
    """The difference of two seeds' efficiencies with its errors."""

    @property
    def seed(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def difference(self) -> float: ...
    @property
    def difference_error_low(self) -> float: ...
    @property
    def difference_error_high(self) -> float: ...


_D = TypeVar("_D", bound=DifferenceFound)


def rate_text(found: RateFound) -> str:
    """A rate in kHz with its error, or both where they differ; where no crossing was accepted, its upper limit."""
    if not found.accepted_crossings:
        return f"< {_plain(found.rate_khz_upper95, 2)} (95 % CL)"
    rate, error = found.rate_khz, found.rate_khz_error
    text = f"{_plain(rate, 3)} ± {_plain(error, 2)}"
    low, high = getattr(found, "rate_khz_low", None), getattr(found, "rate_khz_high", None)
    if low is None or high is None:
        return text
    up, down = high - rate, rate - low
    if max(up, down) <= _ALIKE * min(up, down):
        return text
    return f"{_plain(rate, 3)} +{_plain(up, 2)} −{_plain(down, 2)}"


def decimals(error: float) -> int:
    """With so many decimals an error has a digit that is not 0; one at least."""
    return math.ceil(-math.log10(error)) if 0 < error < 0.05 else 1


def errors_text(low: float, high: float) -> str:
    """Errors downwards and upwards: `± 2.6`, or `+0.6 −0.0` where they differ."""
    digits = decimals(max(low, high))
    down, up = f"{low:.{digits}f}", f"{high:.{digits}f}"
    return f"± {up}" if down == up else f"+{up} −{down}"


def total_error_text(found: TotalError) -> str:
    """The total errors of an efficiency at equal rate, in percent."""
    return errors_text(100 * found.efficiency_error_total_low, 100 * found.efficiency_error_total_high)


def efficiency_text(found: EfficiencyFound) -> tuple[str, str]:
    """An efficiency and the two ends of its interval, in percent."""
    value, low, high = (100 * end for end in (found.efficiency, found.efficiency_low, found.efficiency_high))
    digits = decimals(max(high - value, value - low))
    return f"{value:.{digits}f}", f"{low:.{digits}f} – {high:.{digits}f}"


def difference_text(gain: DifferenceFound) -> str:
    """The difference of two efficiencies with its errors, in points of percent."""
    low, high = 100 * gain.difference_error_low, 100 * gain.difference_error_high
    return f"{100 * gain.difference:+.{decimals(max(low, high))}f} {errors_text(low, high)}"


def foremost(gains: Sequence[_D], most: int = 6) -> list[_D]:
    """The gains to be told in few lines: all, or those of so many seeds, each against what it is least ahead of.

    Parameters
    ----------
    gains
        With `seed`, `reference` and `difference`.
    most
        Lines at most; the seeds with the largest of these differences first.
    """
    if len(gains) <= most:
        return list(gains)
    least: dict[str, _D] = {}
    for gain in gains:
        if gain.seed not in least or gain.difference < least[gain.seed].difference:
            least[gain.seed] = gain
    return sorted(least.values(), key=lambda gain: -gain.difference)[:most]


def _plain(value: float, digits: int) -> str:
    """So many significant digits, without exponent where that is readable."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text and 1 <= value < 1e6 else text
