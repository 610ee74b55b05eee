"""Clocks and rates as people write them: units in the value, one meaning of a bare number, nonsense refused."""

from __future__ import annotations

from typing import Any

import pytest

from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS, clock_mhz, clock_period_ns, is_locked, multiple, period_ns, rate_khz


@pytest.mark.parametrize(
    ("text", "mhz"),
    [
        ("320", 320.0),
        ("320MHz", 320.0),
        ("320 MHz", 320.0),
        ("320mhz", 320.0),
        ("0.32GHz", 320.0),
        ("320000kHz", 320.0),
        ("3.125ns", 320.0),
        ("3125ps", 320.0),
        ("0.003125us", 320.0),
        ("3.1188ns", 320.0),  # the real period of the clock called 320 MHz
        ("2.7723ns", 360.0),
        ("2.77ns", 360.0),
        ("2.5ns", 400.0),
        ("2500ps", 400.0),
        ("25ns", 40.0),
        ("357.5", 357.5),
        ("2.8ns", 1000 / 2.8),
        ("12.5MHz", 12.5),
    ],
)
def test_the_clock_that_runs(text: str, mhz: float) -> None:
    assert clock_mhz(text) == mhz


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("320", CROSSING_NS / 8),
        ("320MHz", CROSSING_NS / 8),
        ("0.32GHz", CROSSING_NS / 8),
        ("40MHz", CROSSING_NS),
        ("3.125ns", 3.125),
        ("2.5ns", 2.5),
        ("2500ps", 2.5),
        ("333MHz", 1000 / 333),
        ("1000MHz", 1.0),
    ],
)
def test_the_period_that_a_design_is_made_for(text: str, ns: Any) -> None:
    assert clock_period_ns(text) == pytest.approx(ns, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.5", "a unit: 2.5ns or 400MHz, perhaps"),
        ("5", "a unit: 5ns or 200MHz, perhaps"),
        ("25", "a unit: 25ns or 40MHz, perhaps"),
        ("2500", "a unit: 2500ps or 400MHz, perhaps"),
        ("0", "above 0"),
        ("0MHz", "above 0"),
        ("0.4ns", "from 1 to 2000 MHz, or from 0.5 to 1000 ns"),
        ("2us", "from 1 to 2000 MHz"),
        ("3GHz", "from 1 to 2000 MHz"),
        *((text, "320MHz, 0.32GHz, 3.125ns or 3125ps; a bare number is in MHz") for text in (
            "", "-320", "+320", "3e2", "nan", "inf", "320Mhzz", "320 ms", "320,0", "3_20", "٣٢٠", "320MHz,", "MHz",
            "0x140", "1" * 5000, "5e-324", ".5ns", "240MHz,320MHz",
        )),
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [clock_mhz, clock_period_ns])
def test_nonsense_is_refused_with_what_would_be_right(read: Any, text: str, expected: Any) -> None:
    with pytest.raises(L1emuError) as caught:
        read(text)
    assert caught.value.where == "--clock"
    assert expected in (caught.value.expected or "")


def test_a_frequency_is_one_clock_in_both() -> None:
    for mhz in range(40, 801, 40):
        assert is_locked(mhz)
        assert clock_period_ns(f"{mhz}MHz") == period_ns(clock_mhz(f"{mhz}MHz")) == CROSSING_NS / multiple(mhz)
        assert clock_mhz(f"{period_ns(mhz):.4f}ns") == clock_mhz(f"{1000 / mhz:.4f}ns") == mhz
    assert not any(is_locked(mhz) for mhz in (0.0, 357.0, 840.0, float("nan"), float("inf")))


@pytest.mark.parametrize("mhz", [float("nan"), float("inf"), 5e-324, 1e300])
def test_numbers_that_are_no_clock(mhz: Any) -> None:
    with pytest.raises(L1emuError, match="not locked to the LHC"):
        multiple(mhz)


@pytest.mark.parametrize(
    ("text", "khz"), [("500", 500.0), ("500kHz", 500.0), ("0.5MHz", 500.0), ("500000 Hz", 500.0), ("0", 0.0)]
)
def test_rates(text: str, khz: float) -> None:
    assert rate_khz(text, where="--accept-rate") == khz


@pytest.mark.parametrize("text", ["", "-1", "nan", "1e3", "5ns", "٥", "500 kHz please"])
def test_no_rates(text: str) -> None:
    with pytest.raises(L1emuError, match=r"--accept-rate: not a rate.*a bare number is in kHz"):
        rate_khz(text, where="--accept-rate")
