"""The LHC clock and the clocks locked to it, in which every latency is counted."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, Field

from l1emu.errors import L1emuError

LHC_CLOCK_MHZ = 40.0790
"""Bunch-crossing frequency at collision energy in MHz, a tenth of the 400.79 MHz of the radio frequency; as commonly
quoted, not checked against a machine document."""

CROSSING_NS = 1e3 / LHC_CLOCK_MHZ
"""One bunch crossing: 24.9507 ns, spoken of as 25 ns."""


def multiple(clock_mhz: float) -> int:
    """How many cycles of a clock fit in one bunch crossing: 9 for the clock called 360 MHz.

    Clocks of trigger boards are multiples of the LHC's and are called by multiples of 40 MHz; the one called 360 MHz
    runs at 9 x 40.0790 = 360.711 MHz.

    Raises
    ------
    L1emuError
        if `clock_mhz` is no whole multiple of 40 from 40 to 800.
    """
    named = Fraction(clock_mhz).limit_denominator(10**6) if math.isfinite(clock_mhz) else Fraction(0)
    cycles, rest = divmod(named, 40)
    if rest or not 1 <= cycles <= 20:
        raise L1emuError(
            "a clock that is not locked to the LHC",
            value=clock_mhz,
            expected="a multiple of 40 MHz to 800 MHz, such as 240, 320, 360 or 480",
        )
    return int(cycles)


def is_locked(clock_mhz: float) -> bool:
    """Whether a clock of this name is locked to the LHC's, see `multiple`."""
    return clock_mhz % 40 == 0 and 40 <= clock_mhz <= 800


def period_ns(clock_mhz: float) -> float:
    """The period of the clock that really runs when it is called `clock_mhz`: 2.7723 ns for 360 MHz."""
    return CROSSING_NS / multiple(clock_mhz)


_LOWEST_MHZ, _HIGHEST_MHZ = 1, 2000
"""The slowest and the fastest clock that a design on an FPGA is given: no fabric runs faster, and none this slowly."""

_WRITTEN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(?: ?([a-zA-Z]+))?")
_UNITS = {"hz": Fraction(1, 10**6), "khz": Fraction(1, 1000), "mhz": Fraction(1), "ghz": Fraction(1000)}
_TIMES = {"ps": Fraction(1, 1000), "ns": Fraction(1), "us": Fraction(1000)}

CLOCK_HELP = "320MHz, 0.32GHz, 3.125ns or 3125ps; a bare number is in MHz"
"""How a clock is written on the command line, of every verb."""


def clock_mhz(text: str, *, where: str = "--clock") -> float:
    """The clock that runs, by its name in MHz, as somebody wrote it: `320MHz`, `0.32GHz`, `3.125ns`, `3125ps`, `320`.

    A bare number is in MHz. A period within 0.1 % of the real one of a clock that is locked to the LHC's, or of the
    nominal one, is that clock: 2.7723 ns and 2.7778 ns are both the clock called 360 MHz.

    Raises
    ------
    L1emuError
        if it is neither a frequency nor a period, is not from 1 to 2000 MHz, or is a bare number below 40 or above
        2000, which is more likely meant as a period.
    """
    frequency, period = _frequency_or_period(text, where)
    if period is None:
        return float(frequency)
    for cycles in range(1, 21):
        if any(abs(float(period) / ns - 1) < 1e-3 for ns in (CROSSING_NS / cycles, 25 / cycles)):
            return 40.0 * cycles
    return float(frequency)


def clock_period_ns(text: str, *, where: str = "--clock") -> float:
    """The period in ns that a design is made for, written as for `clock_mhz`.

    A period is itself. A frequency that names a clock locked to the LHC's has that clock's period, 3.1188 ns for
    320 MHz, as everywhere; another frequency, 1000 / MHz.

    Raises
    ------
    L1emuError
        as `clock_mhz` does.
    """
    frequency, period = _frequency_or_period(text, where)
    if period is not None:
        return float(period)
    cycles, rest = divmod(frequency, 40)
    return CROSSING_NS / int(cycles) if not rest and 1 <= cycles <= 20 else float(1000 / frequency)


def _frequency_or_period(text: str, where: str) -> tuple[Fraction, Fraction | None]:
    """The frequency in MHz, and the period in ns where it was written as one."""
    match = _WRITTEN.fullmatch(text)
    unit = (match[2] or "").lower() if match is not None else ""
    if match is None or (unit and unit not in _UNITS and unit not in _TIMES):
        raise L1emuError("not a clock", where=where, value=text, expected=CLOCK_HELP)
    number = Fraction(match[1])
    if not unit and number and not 40 <= number <= _HIGHEST_MHZ:
        name = "ns" if number < 40 else "ps"
        meant = 1000 / (number * _TIMES[name])
        raise L1emuError(
            f"{match[1]} MHz is no clock of a trigger board",
            where=where,
            value=text,
            expected=f"a unit: {match[1]}{name} or {float(meant):.4g}MHz, perhaps",
        )
    period = number * _TIMES[unit] if unit in _TIMES else None
    if not number:
        raise L1emuError("not a clock", where=where, value=text, expected="a frequency or a period above 0")
    frequency = number * _UNITS[unit or "mhz"] if period is None else 1000 / period
    if not _LOWEST_MHZ <= frequency <= _HIGHEST_MHZ:
        raise L1emuError(
            f"a clock of {float(frequency):.6g} MHz",
            where=where,
            value=text,
            expected=f"from {_LOWEST_MHZ} to {_HIGHEST_MHZ} MHz, or from 0.5 to 1000 ns",
        )
    return frequency, period


RATE_HELP = "500kHz, 0.5MHz or 500000Hz; a bare number is in kHz"
"""How a rate is written on the command line."""


def rate_khz(text: str, *, where: str) -> float:
    """A rate in kHz as somebody wrote it: `500kHz`, `0.5MHz`, `500000Hz`; a bare number is in kHz.

    Raises
    ------
    L1emuError
        if it is none of these.
    """
    match = _WRITTEN.fullmatch(text)
    unit = (match[2] or "").lower() if match is not None else ""
    if match is None or (unit and unit not in _UNITS):
        raise L1emuError("not a rate", where=where, value=text, expected=RATE_HELP)
    return float(Fraction(match[1]) * _UNITS[unit or "khz"] * 1000)


def _locked(clock_mhz: float) -> float:
    try:
        multiple(clock_mhz)
    except L1emuError as error:
        raise ValueError(str(error)) from None
    return clock_mhz


# the validator says which clocks there are; the schema tells the highest
LockedClock = Annotated[float, Field(gt=0, json_schema_extra={"maximum": 800}), AfterValidator(_locked)]
"""The name in MHz, in a config, of a clock that is locked to the LHC's."""
