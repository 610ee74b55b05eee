"""The particle flow of single tracks and clusters; `tests/cmssw` holds it against CMS's own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.events.correlator.flow_barrel import (
    BARREL_EM_CLUSTERS,
    BARREL_MUONS,
    BARREL_NEUTRALS,
    BARREL_TRACKS,
    flow_barrel,
)
from l1emu.events.correlator.flow_endcap import ENDCAP_CLUSTERS, ENDCAP_MUONS, ENDCAP_TRACKS, flow_endcap
from l1emu.events.correlator.words import (
    CH_ID,
    CH_PT,
    ID_ELECTRON_PLUS,
    ID_HADRON_PLUS,
    ID_MUON_PLUS,
    ID_NEUTRAL_HADRON,
    ID_PHOTON,
    NE_EM_PT,
    NE_ID,
    NE_PT,
)

_BARREL, _ENDCAP = 57, 458  # centres in eta

Rows = Sequence[tuple[int, ...]]


def track(pt: int, eta: int = 0, phi: int = 0, quality: int = 7) -> tuple[int, ...]:
    return (pt, eta, phi, 1, 5, 1, -40, 12, quality)


def _rows(rows: Rows, columns: int) -> NDArray[np.int32]:
    return np.array(rows, np.int32).reshape(-1, columns)


Particles = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def barrel(tracks: Rows = (), em: Rows = (), clusters: Rows = (), muons: Rows = ()) -> Particles:
    charged, of_muons = np.full((BARREL_TRACKS, 9), -1, np.int32), np.full((BARREL_MUONS, 9), -1, np.int32)
    neutrals = np.full((BARREL_NEUTRALS, 6), -1, np.int32)
    taken = _rows(tracks, 9), _rows(em, 5), _rows(clusters, 5), _rows(muons, 9)
    flow_barrel(_BARREL, *taken, charged, neutrals, of_muons)
    return charged, neutrals, of_muons


def endcap(tracks: Rows = (), clusters: Rows = (), muons: Rows = ()) -> Particles:
    charged, of_muons = np.full((ENDCAP_TRACKS, 9), -1, np.int32), np.full((ENDCAP_MUONS, 9), -1, np.int32)
    neutrals = np.full((ENDCAP_CLUSTERS, 6), -1, np.int32)
    flow_endcap(_ENDCAP, _rows(tracks, 9), _rows(clusters, 5), _rows(muons, 9), charged, neutrals, of_muons)
    return charged, neutrals, of_muons


def test_nothing_gives_nothing() -> None:
    for part in (*barrel(), *endcap()):
        assert not part.any()


@pytest.mark.parametrize("flow", [barrel, endcap])
def test_a_hard_track_needs_a_cluster_or_a_muon(flow: Callable[..., Particles]) -> None:
    for pt, quality, believed in ((39, 1, True), (40, 1, False), (79, 3, True), (80, 3, False), (20, 2, False)):
        charged, *_ = flow(tracks=[track(pt, quality=quality)])
        assert (charged[0, CH_PT] > 0) == believed
    charged, neutrals, _ = flow(tracks=[track(400)], clusters=[(400, 5, 5, 100, 0)])
    assert charged[0].tolist() == [400, 0, 0, 1, 5, ID_HADRON_PLUS, -40, 12, 7]
    assert not neutrals.any()
    charged, _, of_muons = flow(tracks=[track(400)], muons=[track(350, 20, 20)])
    assert charged[0, CH_ID] == of_muons[0, CH_ID] == ID_MUON_PLUS
    assert (charged[0] == of_muons[0]).all()


@pytest.mark.parametrize("flow", [barrel, endcap])
def test_what_tracks_leave_of_a_cluster_is_neutral(flow: Callable[..., Particles]) -> None:
    _, neutrals, _ = flow(tracks=[track(100)], clusters=[(400, 5, 5, 100, 0)])
    row = neutrals[neutrals[:, NE_PT] > 0][0]
    assert row.tolist() == [300, 5, 5, ID_NEUTRAL_HADRON, 0, 0]
    _, neutrals, _ = flow(tracks=[track(100)], clusters=[(110, 5, 5, 100, 0)])
    assert not neutrals.any()  # within the calorimeter's resolution


def test_a_track_of_the_barrel_makes_an_electron_of_its_electromagnetic_cluster() -> None:
    clusters = [(200, 0, 0, 200, 1)]
    charged, neutrals, _ = barrel([track(200)], [(202, 2, 2, 12, 1)], clusters)
    assert charged[0, CH_ID] == ID_ELECTRON_PLUS
    assert not neutrals.any()
    charged, neutrals, _ = barrel([track(80)], [(202, 2, 2, 12, 1)], clusters)
    assert charged[0, CH_ID] == ID_ELECTRON_PLUS
    assert neutrals[0].tolist() == [122, 2, 2, ID_PHOTON, 122, 1]
    charged, neutrals, _ = barrel([track(300)], [(202, 2, 2, 12, 1)], [(290, 0, 0, 205, 0)])
    assert charged[0, CH_ID] == ID_HADRON_PLUS
    assert not neutrals.any()


def test_a_photon_of_the_barrel_is_taken_off_the_cluster_that_holds_it() -> None:
    _, neutrals, _ = barrel(em=[(200, 2, 2, 12, 1)], clusters=[(320, 0, 0, 201, 0)])
    assert neutrals[0].tolist() == [200, 2, 2, ID_PHOTON, 200, 1]
    assert neutrals[BARREL_EM_CLUSTERS].tolist() == [120, 0, 0, ID_NEUTRAL_HADRON, 0, 0]
    _, neutrals, _ = barrel(em=[(200, 2, 2, 12, 1)], clusters=[(210, 0, 0, 201, 0)])
    assert neutrals[:, NE_PT].sum() == 200  # a sixteenth of the cluster or less is nothing


def test_the_identification_word_makes_photons_and_electrons_of_the_endcaps_clusters() -> None:
    charged, neutrals, _ = endcap([track(100)], [(400, 5, 5, 390, 3)])
    assert charged[0, CH_ID] == ID_ELECTRON_PLUS
    assert neutrals[0, [NE_PT, NE_ID, NE_EM_PT]].tolist() == [300, ID_PHOTON, 300]


def test_a_muon_is_the_track_nearest_in_pt_if_it_misses_less_than_three_times_its_pt() -> None:
    charged, _, of_muons = barrel([track(300), track(120, 10, 10)], muons=[track(100, 20, 20)])
    assert charged[:2, CH_ID].tolist() == [0, ID_MUON_PLUS]
    assert of_muons[0, CH_PT] == 120
    assert barrel([track(399)], muons=[track(100)])[2][0, CH_PT] == 399
    assert not barrel([track(400)], muons=[track(100)])[2].any()


def test_three_times_the_pt_of_a_very_hard_muon_loses_a_bit() -> None:
    """Twice a pt from 8192 on does not fit in fourteen bits; so CMS's C++ links all of these but the second."""
    linked = [barrel([track(pt)], muons=[track(of)])[2][0, CH_ID] for pt, of in ((0, 8191), (0, 8192), (1, 8192))]
    assert linked == [ID_MUON_PLUS, 0, ID_MUON_PLUS]
