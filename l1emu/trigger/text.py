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


class MenuRateFound(Protocol):
    """The rate of a seed, a group or all of a menu, as a result holds it."""

    @property
    def accepted(self) -> int: ...
    @property
    def rate_khz(self) -> float: ...
    @property
    def rate_khz_error(self) -> float: ...
    @property
    def rate_khz_low(self) -> float: ...
    @property
    def rate_khz_high(self) -> float: ...
    @property
    def rate_khz_upper(self) -> float: ...


class _KnownInterval(NamedTuple):
    rate_khz: float
    rate_khz_error: float
    rate_khz_upper95: float
    accepted_crossings: int
    rate_khz_low: float
    rate_khz_high: float


class KnownEfficiency(NamedTuple):
    """An efficiency alone."""

    efficiency: float
    efficiency_low: float
    efficiency_high: float


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
        return f"< {plain_number(found.rate_khz_upper95, 2)} (95 % CL)"
    rate, error = found.rate_khz, found.rate_khz_error
    text = f"{plain_number(rate, 3)} ± {plain_number(error, 2)}"
    low, high = getattr(found, "rate_khz_low", None), getattr(found, "rate_khz_high", None)
    if low is None or high is None:
        return text
    up, down = high - rate, rate - low
    if max(up, down) <= _ALIKE * min(up, down):
        return text
    return f"{plain_number(rate, 3)} +{plain_number(up, 2)} −{plain_number(down, 2)}"


def menu_rate_text(found: MenuRateFound) -> str:
    """As `rate_text`, of a row of a menu."""
    ends = found.rate_khz_low, found.rate_khz_high
    return rate_text(_KnownInterval(found.rate_khz, found.rate_khz_error, found.rate_khz_upper, found.accepted, *ends))


def interval_text(found: Sequence[float]) -> str:
    """An efficiency with its interval, `[value, low, high]`, in percent: `57.4 (56.3 – 58.4)`."""
    value, ends = efficiency_text(KnownEfficiency(*found))
    return f"{value} ({ends})"


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


def plain_number(value: float, digits: int = 3) -> str:
    """So many significant digits, without exponent where that is readable."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text and 1 <= value < 1e6 else text
