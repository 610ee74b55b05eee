"""The LHC clock and the clocks locked to it, in which every latency is counted."""

from __future__ import annotations

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
    cycles, rest = divmod(Fraction(clock_mhz).limit_denominator(10**6), 40)
    if rest or not 1 <= cycles <= 20:
        raise L1emuError(
            "a clock that is not locked to the LHC",
            value=clock_mhz,
            expected="a multiple of 40 MHz to 800 MHz, such as 240, 320, 360 or 480",
        )
    return int(cycles)


def period_ns(clock_mhz: float) -> float:
    """The period of the clock that really runs when it is called `clock_mhz`: 2.7723 ns for 360 MHz."""
    return CROSSING_NS / multiple(clock_mhz)


def _locked(clock_mhz: float) -> float:
    try:
        multiple(clock_mhz)
    except L1emuError as error:
        raise ValueError(str(error)) from None
    return clock_mhz


LockedClock = Annotated[float, Field(gt=0), AfterValidator(_locked)]
"""The name in MHz, in a config, of a clock that is locked to the LHC's."""
