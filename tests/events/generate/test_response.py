"""CMS's corrections of clusters, and what is seen of hadrons."""

from __future__ import annotations

import pytest

from l1emu.events.generate.response import corrected_pt, seen_pt


@pytest.mark.parametrize("abs_eta", [0.3, 1.0, 1.3, 1.6, 1.8, 2.1, 2.4, 2.7, 2.95])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.7, 0.9, 1.0])
def test_what_is_seen_is_what_the_correction_takes_back(share: float, abs_eta: float) -> None:
    seen = [seen_pt(pt, share, abs_eta) for pt in (0.0, 0.5, 2.0, 4.0, 7.0, 12.0, 17.0, 30.0, 300.0)]
    assert seen == sorted(seen) and seen[0] == 0
    for pt, of_it in zip((0.0, 0.5, 2.0, 4.0, 7.0, 12.0, 17.0, 30.0, 300.0), seen, strict=True):
        assert corrected_pt(of_it, share, abs_eta) == pytest.approx(pt, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("pt", "share", "abs_eta", "published"),
    [
        (20.0, 0.0, 0.3, 21.5),
        (100.0, 0.6, 1.0, 138.4),
        (50.0, 0.95, 1.4, 102.1),
        (50.0, 0.0, 1.6, 68.3),
        (200.0, 0.3, 2.3, 293.1),
        (20.0, 1.0, 2.3, 22.7),
    ],
)
def test_corrections_are_the_published_ones(pt: float, share: float, abs_eta: float, published: float) -> None:
    assert corrected_pt(pt, share, abs_eta) == pytest.approx(published, abs=0.02 * published)
