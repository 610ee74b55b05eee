"""How rates and efficiencies are written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from l1emu.trigger.text import (
    KnownRate,
    difference_text,
    efficiency_text,
    errors_text,
    foremost,
    rate_text,
    total_error_text,
)


@pytest.mark.parametrize(
    ("rate", "error", "upper", "accepted", "text"),
    [
        (10.0, 0.523, 11, 90, "10 ± 0.52"),
        (1000.0, 425.0, 1690, 10, "1000 ± 425"),
        (12345.0, 1649.0, 2e4, 10, "12345 ± 1649"),
        (0.00123, 0.0011, 0.01, 1, "0.00123 ± 0.0011"),
        (0.0, 28.4, 46.3, 0, "< 46 (95 % CL)"),
        (0.0, 28.4, 0.0463, 0, "< 0.046 (95 % CL)"),
    ],
)
def test_a_rate_has_an_error_or_is_a_limit(rate: float, error: float, upper: float, accepted: int, text: str) -> None:
    assert rate_text(KnownRate(rate, error, upper, accepted)) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (9.55, 10.52, "10 ± 0.52"),
        (7.38, 13.7, "10 +3.7 −2.6"),
        (10.0, 28.4, "10 +18 −0"),
        (9.95, 10.001, "10 +0.001 −0.05"),
    ],
)
def test_a_rate_has_both_errors_where_they_differ(low: float, high: float, text: str) -> None:
    error = max(high - 10.0, 10.0 - low)
    found = SimpleNamespace(
        rate_khz=10.0,
        rate_khz_error=error,
        rate_khz_upper95=30,
        rate_khz_low=low,
        rate_khz_high=high,
        accepted_crossings=5,
    )
    assert rate_text(found) == text


def test_errors_have_a_digit_that_is_not_zero() -> None:
    assert errors_text(2.61, 2.58) == "± 2.6"
    assert errors_text(0.0, 0.61) == "+0.6 −0.0"
    assert errors_text(0.0, 0.0018) == "+0.002 −0.000"
    assert errors_text(0.0, 0.0) == "± 0.0"


def test_an_efficiency_and_a_difference_in_percent() -> None:
    found = SimpleNamespace(efficiency=0.0, efficiency_low=0.0, efficiency_high=0.000018)
    assert efficiency_text(found) == ("0.000", "0.000 – 0.002")
    found = SimpleNamespace(efficiency=0.5, efficiency_low=0.46, efficiency_high=0.54)
    assert efficiency_text(found) == ("50.0", "46.0 – 54.0")
    total = SimpleNamespace(efficiency_error_total_low=0.0, efficiency_error_total_high=0.0061)
    assert total_error_text(total) == "+0.6 −0.0"
    gain = SimpleNamespace(difference=0.25, difference_error_low=0.026, difference_error_high=0.0261)
    assert difference_text(gain) == "+25.0 ± 2.6"


def test_of_many_gains_the_foremost_are_told() -> None:
    gains = [
        SimpleNamespace(seed=f"s{i}", reference=f"r{j}", difference=i - 2 * j) for i in range(10) for j in range(3)
    ]
    assert foremost(gains[:6]) == gains[:6]
    assert [(g.seed, g.reference) for g in foremost(gains)] == [(f"s{i}", "r2") for i in range(9, 3, -1)]
