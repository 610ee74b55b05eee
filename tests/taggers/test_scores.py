"""Forms of scores, and their ranges: against intervals that are sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from l1emu.taggers.scores import ScoreForm, make_score

BOUNDS = {"a": (0.0, 2.0), "b": (0.5, 1.0), "c": (-3.0, 1.0), "z": (0.0, 0.0)}
VECTORS = {"u": ([-1.0, 0.5], [2.0, 0.75]), "v": ([0.0, 3.0], [0.0, 4.0])}
ENDS = {n: (np.array([lo]), np.array([hi])) for n, (lo, hi) in BOUNDS.items()} | {
    n: (np.array(lo), np.array(hi)) for n, (lo, hi) in VECTORS.items()
}


def score(**form: Any) -> Any:
    return make_score("s", ScoreForm.model_validate(form), ENDS, "tagger t")


@pytest.mark.parametrize(
    ("form", "want", "ends"),
    [
        ({"output": "a"}, lambda v: v["a"][:, 0], (0, 2)),
        ({"sum": ["a", "c"]}, lambda v: v["a"][:, 0] + v["c"][:, 0], (-3, 3)),
        ({"ratio": {"of": "a", "to": ["a", "b"]}}, lambda v: v["a"][:, 0] / (v["a"] + v["b"])[:, 0], (0, 1)),
        ({"ratio": {"of": "a", "to": "b"}}, lambda v: v["a"][:, 0] / v["b"][:, 0], (0, 4)),
        ({"ratio": {"of": "b", "to": "a"}}, lambda v: v["b"][:, 0] / v["a"][:, 0], (0.25, np.inf)),
        ({"ratio": {"of": "a", "to": "c"}}, lambda v: v["a"][:, 0] / v["c"][:, 0], (-np.inf, np.inf)),
        ({"log_ratio": {"of": "b", "to": "a"}}, lambda v: np.log(v["b"] / v["a"])[:, 0], (np.log(0.25), np.inf)),
        ({"log_ratio": {"of": "a", "to": "b"}}, lambda v: np.log(v["a"] / v["b"])[:, 0], (-np.inf, np.log(4))),
        ({"norm": {"of": "u"}}, lambda v: (v["u"] ** 2).mean(axis=1), (0.125, (4 + 0.75**2) / 2)),
        (
            {"norm": {"of": ["u", "a"], "power": 1, "reduce": "sum"}},
            lambda v: abs(v["u"]).sum(axis=1) + v["a"][:, 0],
            (0.5, 4.75),
        ),
        ({"distance": {"from": "u", "to": "v", "norm": "l1"}}, lambda v: abs(v["u"] - v["v"]).sum(axis=1), (2.25, 5.5)),
        ({"distance": {"from": "u", "to": "v"}}, lambda v: np.hypot(*(v["u"] - v["v"]).T), (2.25, np.hypot(2, 3.5))),
        (
            {"distance": {"from": "u", "to": ["a", "b"], "norm": "mse"}},
            lambda v: ((v["u"][:, 0] - v["a"][:, 0]) ** 2 + (v["u"][:, 1] - v["b"][:, 0]) ** 2) / 2,
            (0, (9 + 0.25) / 2),
        ),
    ],
)
def test_values_and_ranges(form: dict[str, Any], want: Any, ends: tuple[float, float]) -> None:
    found = score(**form)
    assert found.range == pytest.approx(ends)
    rng = np.random.default_rng(1)
    values = {name: rng.uniform(lo, hi, (3000, len(lo))) for name, (lo, hi) in ENDS.items()}
    given = found.values(values)
    np.testing.assert_allclose(given, want(values), rtol=1e-14)
    assert found.range[0] - 1e-12 <= given.min()
    assert given.max() <= found.range[1] + 1e-12


def test_nothing_over_nothing_passes_nothing() -> None:
    nothing = {"a": np.zeros((2, 1)), "b": np.array([[0.0], [1.0]])}
    for form in ("ratio", "log_ratio"):
        (none, _) = score(**{form: {"of": "a", "to": ["a", "b"]}}).values(nothing)
        assert np.isnan(none)
        assert not none >= -np.inf
    assert score(ratio={"of": "b", "to": "a"}).values(nothing)[1] == np.inf


def test_a_number_that_is_always_nothing_has_a_range() -> None:
    assert score(ratio={"of": "z", "to": "z"}).range == (0, 1)
    assert score(ratio={"of": "a", "to": "z"}).range == (0, np.inf)
