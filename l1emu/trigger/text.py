"""Rates and efficiencies as they are written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_ALIKE = 1.2
"""Errors that differ by a smaller factor are written as one."""


def rate_text(found: Mapping[str, Any]) -> str:
    """A rate in kHz with its error, or both where they differ; where no crossing was accepted, its upper limit.

    Parameters
    ----------
    found
        With `rate_khz`, `rate_khz_error`, `rate_khz_upper95` and `accepted_crossings`; with `rate_khz_low` and
        `rate_khz_high` the distances to both.
    """
    if not found["accepted_crossings"]:
        return f"< {_plain(found['rate_khz_upper95'], 2)} (95 % CL)"
    rate, error = found["rate_khz"], found["rate_khz_error"]
    text = f"{_plain(rate, 3)} ± {_plain(error, 2)}"
    if "rate_khz_low" not in found:
        return text
    up, down = found["rate_khz_high"] - rate, rate - found["rate_khz_low"]
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


def total_error_text(found: Mapping[str, Any]) -> str:
    """The total errors of an efficiency at equal rate, in percent.

    Parameters
    ----------
    found
        With `efficiency_error_total_low` and `efficiency_error_total_high`.
    """
    return errors_text(100 * found["efficiency_error_total_low"], 100 * found["efficiency_error_total_high"])


def efficiency_text(found: Mapping[str, Any]) -> tuple[str, str]:
    """An efficiency and the two ends of its interval, in percent.

    Parameters
    ----------
    found
        With `efficiency`, `efficiency_low` and `efficiency_high`.
    """
    value, low, high = (100 * found[key] for key in ("efficiency", "efficiency_low", "efficiency_high"))
    digits = decimals(max(high - value, value - low))
    return f"{value:.{digits}f}", f"{low:.{digits}f} – {high:.{digits}f}"


def difference_text(gain: Mapping[str, Any]) -> str:
    """The difference of two efficiencies with its errors, in points of percent.

    Parameters
    ----------
    gain
        With `difference`, `difference_error_low` and `difference_error_high`.
    """
    low, high = 100 * gain["difference_error_low"], 100 * gain["difference_error_high"]
    return f"{100 * gain['difference']:+.{decimals(max(low, high))}f} {errors_text(low, high)}"


def foremost(gains: Sequence[Mapping[str, Any]], most: int = 6) -> list[Mapping[str, Any]]:
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
    least: dict[str, Mapping[str, Any]] = {}
    for gain in gains:
        if gain["seed"] not in least or gain["difference"] < least[gain["seed"]]["difference"]:
            least[gain["seed"]] = gain
    return sorted(least.values(), key=lambda gain: -gain["difference"])[:most]


def _plain(value: float, digits: int) -> str:
    """So many significant digits, without exponent where that is readable."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text and 1 <= value < 1e6 else text
