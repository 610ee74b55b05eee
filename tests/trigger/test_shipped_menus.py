"""The menus that come with l1emu: their map has what they need, and every seed accepts what it does by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.eventdata import EventData
from l1emu.events.objects import find_map, open_objects
from l1emu.resources import resource
from l1emu.trigger import Evaluator, read_menu
from l1emu.trigger.scalings import OFFLINE, before_scaling, read_scalings, with_offline
from tests.ntuple_files import write_tree

MENUS = ("data/menus/cms-phase2-step1.yaml", "data/menus/cms-phase2-step1-tagged.yaml")
SCALINGS = "data/scalings/cms-phase2-v44.yaml"
MAP = "cms-phase2-l1nano"
CROSSINGS = 4000

# the scalings once more, from the public file: slope and offset of each region of |eta|, as [(from, to, slope, offset)]
LINES = {
    "jets": [(0, 1.5, 1.2759, 17.3260), (1.5, 2.4, 1.6721, 15.3332), (2.4, 5, 1.1422, 71.4549)],
    "tagged_jets": [(0, 1.5, 1.64, 12.02), (1.5, 2.4, 2.15, 4.32)],
    "muons": [(0, 0.83, 1.0381, 0.9602), (0.83, 1.24, 1.0295, 1.1608), (1.24, 2.4, 1.0403, 0.8745)],
    "electrons": [(0, 1.479, 1.1774, 1.2449), (1.479, 5, 1.2500, 0.6256)],
    "isolated_electrons": [(0, 1.479, 1.1773, 1.1625), (1.479, 5, 1.2513, 0.1826)],
    "photons": [(0, 1.479, 1.0881, 3.0370), (1.479, 2.4, 0.9568, 7.7252)],
    "egs": [(0, 1.479, 1.1234, 4.3605), (1.479, 3.0, 1.0684, 5.2174)],
    "taus": [(0, 1.5, 1.2649, 3.5317), (1.5, 2.4, 1.6560, -3.1529)],
    "calo_taus": [(0, 1.5, 1.6910, -10.8719), (1.5, 2.4, 2.5410, -45.7692)],
}


def table(
    rng: np.random.Generator, most: int, mean: float, eta: tuple[float, float] = (-2.6, 2.6), **fields: Any
) -> dict[str, ak.Array]:
    """Objects whose numbers are float32; `fields` are made of their number, and `eta` may have a gap around 0."""
    counts = rng.integers(0, most + 1, CROSSINGS)
    n = int(counts.sum())
    low = max(0.0, eta[0])
    where = rng.uniform(low, eta[1], n) * rng.choice([-1, 1], n)
    flat = {
        "pt": rng.exponential(mean, n), "eta": where, "phi": rng.uniform(-np.pi, np.pi, n),
        **{name: make(n) for name, make in fields.items()},
    }  # fmt: skip
    return {
        name: ak.unflatten(values.astype("f4" if values.dtype.kind == "f" else "i4"), counts)
        for name, values in flat.items()
    }


def toy_file(path: Path, seed: int = 11) -> None:
    """Crossings with many objects, so that every seed accepts some; one branch a field, as in L1 NanoAOD."""
    rng = np.random.default_rng(seed)

    def flag(n: int) -> np.ndarray[Any, Any]:
        return rng.integers(0, 2, n)

    def near(n: int) -> np.ndarray[Any, Any]:
        return rng.normal(0, 1.2, n)

    def isolation(n: int) -> np.ndarray[Any, Any]:
        return rng.exponential(0.25, n)

    def sign(n: int) -> np.ndarray[Any, Any]:
        return rng.choice([-1, 1], n)

    tables = {
        "L1puppiJetSC4": table(rng, 8, 60.0, (0.0, 5.2)),
        "L1puppiJetSC4NG": table(rng, 8, 60.0, bTagScore=lambda n: rng.uniform(0, 0.5, n)),
        "L1gmtTkMuon": table(rng, 4, 9.0, charge=sign, z0=near, vlooseId=flag, looseId=flag),
        "L1tkElectron": table(rng, 3, 22.0, charge=sign, z0=near, relIso=isolation, eleId=flag),
        "L1tkPhoton": table(rng, 3, 22.0, relIso=isolation, eleId=flag, phoId=flag),
        "L1EGbarrel": table(rng, 3, 25.0, (0.0, 1.479), eleId=flag),
        "L1EGendcap": table(rng, 3, 25.0, (1.479, 3.1), saId=flag),
        "L1nnPuppiTau": table(rng, 3, 35.0, chargedIso=lambda n: rng.random(n)),
        "L1caloTau": table(rng, 3, 50.0),
    }
    columns = {f"{name}_{field}": values for name, fields in tables.items() for field, values in fields.items()}
    columns["L1PV_z0"] = rng.normal(0, 1.0, CROSSINGS).astype("f4")
    columns["L1puppiMET_pt"] = rng.exponential(70, CROSSINGS).astype("f4")
    columns["L1puppiMET_phi"] = rng.uniform(-3, 3, CROSSINGS).astype("f4")
    sums = np.stack([rng.exponential(250, CROSSINGS), rng.exponential(90, CROSSINGS)], axis=1)
    columns["L1puppiJetSC4sums_pt"] = ak.from_regular(ak.Array(sums.astype("f4")))
    columns["L1puppiJetSC4sums_phi"] = ak.from_regular(ak.Array(rng.uniform(-3, 3, (CROSSINGS, 2)).astype("f4")))
    columns["event"] = np.arange(CROSSINGS, dtype="u8")
    write_tree(path, "Events", columns)


class Hand:
    """The public menu written out with awkward: legs as arrays of what passes, seeds as all their combinations."""

    def __init__(self, path: Path) -> None:
        import uproot

        self.raw = uproot.open(f"{path}:Events").arrays()
        self.met = 1.6403 * self.raw["L1puppiMET_pt"].to_numpy().astype("f8") + 37.0506
        sums = self.raw["L1puppiJetSC4sums_pt"].to_numpy().astype("f8")
        self.ht, self.mht = 1.1202 * sums[:, 0] + 45.7038, 1.1638 * sums[:, 1] - 12.9341
        j, t = self.get("L1puppiJetSC4", "jets"), self.get("L1puppiJetSC4NG", "tagged_jets", "bTagScore")
        self.jets, self.b = j, t[abs(t.eta) < 2.4]
        m = self.get("L1gmtTkMuon", "muons", "charge", "z0", "vlooseId", "looseId")
        self.muons = m[(m.looseId == 1) | ((m.pt >= 8) & (m.vlooseId == 1))]
        e = self.get("L1tkElectron", "electrons", "charge", "z0", "relIso", "eleId")
        e = e[abs(e.eta) < 2.4]
        barrel = abs(e.eta) < 1.479
        self.electrons = e[(e.eleId == 1) | (~barrel & (e.pt < 25))]
        i = self.get("L1tkElectron", "isolated_electrons", "charge", "z0", "relIso")
        i = i[abs(i.eta) < 2.4]
        self.isolated = i[i.relIso < ak.where(abs(i.eta) < 1.479, 0.13, 0.28)]
        p = self.get("L1tkPhoton", "photons", "relIso", "eleId", "phoId")
        p = p[(abs(p.eta) < 2.4) & (p.pt > 5)]
        central = abs(p.eta) < 1.479
        self.photons = p[(p.relIso < ak.where(central, 0.25, 0.205)) & (ak.where(central, p.eleId, p.phoId) == 1)]
        inner, outer = self.get("L1EGbarrel", "egs", "eleId"), self.get("L1EGendcap", "egs", "saId")
        self.inner, self.outer = inner[inner.eleId == 1], outer[(outer.saId == 1) & (abs(outer.eta) < 3.0)]
        c, n = self.get("L1caloTau", "calo_taus"), self.get("L1nnPuppiTau", "taus", "chargedIso")
        self.calo = c[abs(c.eta) < 2.4]
        self.taus = n[(abs(n.eta) < 2.4) & (n.chargedIso > 0.22)]
        self.pv = ak.unflatten(ak.zip({"z0": self.raw["L1PV_z0"].to_numpy().astype("f8")}), 1)

    def get(self, table: str, kind: str, *fields: str) -> ak.Array:
        """A table in float64 with its offline pt (`off`) and the place of each object in it (`idx`)."""
        found = {f: ak.values_astype(self.raw[f"{table}_{f}"], np.float64) for f in ("pt", "eta", "phi", *fields)}
        where = abs(found["eta"])
        off = ak.full_like(found["pt"], np.nan)
        for low, high, slope, offset in LINES[kind]:
            off = ak.where((where >= low) & (where < high), found["pt"] * slope + offset, off)
        return ak.zip({**found, "off": off, "idx": ak.local_index(off)})

    @staticmethod
    def some(*legs: ak.Array, same: tuple[tuple[int, ...], ...] = (), met: Callable[..., Any] | None = None) -> Any:
        """Whether a combination of one object of each leg meets `met`; legs of a group in `same` differ in place."""
        combined = ak.cartesian(list(legs))
        objects = ak.unzip(combined)
        good = ak.ones_like(ak.local_index(combined)) == 1
        for group in same:
            for a, b in combinations(group, 2):
                good = good & (objects[a].idx != objects[b].idx)
        if met is not None:
            good = good & met(*objects)
        return ak.to_numpy(ak.any(good, axis=1))

    def decisions(self) -> dict[str, Any]:
        ht, mht, met, pv = self.ht, self.mht, self.met, self.pv
        mu, e, iso, pho, tau, calo, jet = (
            self.muons, self.electrons, self.isolated, self.photons, self.taus, self.calo, self.jets,
        )  # fmt: skip
        some, inner, outer = self.some, self.inner, self.outer

        def m(pt: float) -> ak.Array:
            return mu[mu.pt >= pt]

        def off(objects: ak.Array, pt: float) -> ak.Array:
            return objects[objects.off >= pt]

        def os(a: Any, b: Any) -> Any:
            return a.charge * b.charge < 0

        def both(v: Any, a: Any, b: Any) -> Any:
            return (dz(v, a)) & (dz(v, b))

        return {
            "L1_PFHTT": ht >= 450,
            "L1_PFMHTT": mht >= 135.5,
            "L1_PFMet": met >= 200,
            "L1_SinglePfJet": some(off(jet, 230)),
            "L1_DoublePFJet_MassMin": some(
                off(jet, 160), off(jet, 35), same=((0, 1),), met=lambda a, b: mass(a, b) > 620
            ),
            "L1_DoublePFJet_dEtaMax": some(
                off(jet, 112), off(jet, 112), same=((0, 1),), met=lambda a, b: abs(a.eta - b.eta) < 1.6
            ),
            "L1_PFHTT_QuadJet": some(
                off(jet, 70), off(jet, 55), off(jet, 40), off(jet, 40), same=((0, 1, 2, 3),)
            )
            & (ht >= 400),
            "L1_SingleTkMu": some(off(mu, 22)),
            "L1_DoubleTkMu": some(off(mu, 15), m(7), same=((0, 1),), met=dz),
            "L1_DoubleTkMu4p5er2p0_SQ_OS_Mass7to18": some(
                m(4.4), m(4.4), same=((0, 1),),
                met=lambda a, b: (mass(a, b) > 7) & (mass(a, b) < 18) & os(a, b) & dz(a, b),
            ),
            "L1_DoubleTkMu0er1p5_SQ_OS_dR_Max1p4": some(
                m(0)[abs(m(0).eta) < 1.5], m(0)[abs(m(0).eta) < 1.5], same=((0, 1),),
                met=lambda a, b: (dr(a, b) < 1.4) & os(a, b) & dz(a, b),
            ),
            "L1_DoubleTkMu4_SQ_OS_dR_Max1p2": some(
                m(4), m(4), same=((0, 1),), met=lambda a, b: (dr(a, b) < 1.2) & os(a, b) & dz(a, b)
            ),
            "L1_TripleTkMu": some(m(5), m(3), m(3), same=((0, 1, 2),), met=both),
            "L1_TripleTkMu_5SQ_3SQ_0OQ_DoubleMu_5_3_SQ_OS_Mass_Max9": some(
                m(5), m(3), m(0), same=((0, 1, 2),),
                met=lambda a, b, c: (mass(a, b) < 9) & os(a, b) & dz(a, b) & dz(a, c),
            ),
            "L1_TripleTkMu_5_3p5_2p5_OS_Mass_5to17": some(
                m(5), m(3.5), m(2.5), same=((0, 1, 2),),
                met=lambda a, b, c: dz(a, b) & os(a, c) & (mass(a, c) > 5) & (mass(a, c) < 17) & dz(a, c),
            ),
            "L1_SingleTkEle": some(off(e, 36)),
            "L1_SingleTkEleIso": some(off(iso, 28)),
            "L1_DoubleTkEle": some(off(e, 25), off(e, 12), same=((0, 1),), met=dz),
            "L1_SingleTkPhoIso": some(off(pho, 36)),
            "L1_DoubleTkPhoIso": some(off(pho, 22), off(pho, 12), same=((0, 1),)),
            "L1_SingleEGEle_barrel": some(off(inner, 51)),
            "L1_SingleEGEle_endcap": some(off(outer, 51)),
            "L1_DoubleEGEle_barrel": some(off(inner, 37), off(inner, 24), same=((0, 1),), met=apart(0.1)),
            "L1_DoubleEGEle_barrel_endcap": some(off(inner, 37), off(outer, 24), met=apart(0.1)),
            "L1_DoubleEGEle_endcap_barrel": some(off(outer, 37), off(inner, 24), met=apart(0.1)),
            "L1_DoubleEGEle_endcap": some(off(outer, 37), off(outer, 24), same=((0, 1),), met=apart(0.1)),
            "L1_TkEleIso_EG_barrel": some(off(iso, 22), off(inner, 12), met=apart(0.1)),
            "L1_TkEleIso_EG_endcap": some(off(iso, 22), off(outer, 12), met=apart(0.1)),
            "L1_SinglePFTau": some(off(calo, 150)),
            "L1_PFTau_PFTau": some(off(calo, 90), off(calo, 90), same=((0, 1),), met=apart(0.5)),
            "L1_PFIsoTau_PFIsoTau": some(off(tau, 52), off(tau, 52), same=((0, 1),), met=apart(0.5)),
            "L1_PFIsoTau_PFMet": some(off(tau, 55)) & (met >= 190),
            "L1_TkEle_TkMu": some(off(e, 10), off(mu, 20), met=dz),
            "L1_TkMu_TkEle": some(m(7), off(e, 23), met=dz),
            "L1_TkMu_TkEleIso": some(m(7), off(iso, 20), met=dz),
            "L1_TkMu_DoubleTkEle": some(m(6), off(e, 17), off(e, 17), same=((1, 2),), met=both),
            "L1_DoubleTkMu_TkEle": some(m(5), m(5), off(e, 9), same=((0, 1),), met=both),
            "L1_PFIsoTau_TkMu": some(pv, off(tau, 42), off(mu, 18), met=lambda v, t, a: dz(v, a)),
            "L1_TkEleIso_PFIsoTau": some(pv, off(iso, 22), off(tau, 45), met=lambda v, a, t: dz(v, a)),
            "L1_TkEleIso_PFHTT": some(pv, off(iso, 26), met=dz) & (ht >= 190),
            "L1_TkEle_PFJet_dRMin": some(
                pv, off(e, 28), off(jet, 40), met=lambda v, a, j: dz(v, a) & (dr(a, j) > 0.3)
            ),
            "L1_DoubleTkEle_PFHTT": some(pv, off(e, 8), off(e, 8), same=((1, 2),), met=both) & (ht >= 390),
            "L1_TkMu_PfHTT": some(pv, m(6), met=dz) & (ht >= 320),
            "L1_TkMu_PfJet_PfMet": some(pv, m(3), off(jet, 110), met=lambda v, a, j: dz(v, a)) & (met >= 120),
            "L1_DoubleTkMu_PfHTT": some(pv, m(3), m(3), same=((1, 2),), met=both) & (ht >= 300),
            "L1_DoubleTkMu_PfJet_PfMet": some(
                pv, m(3), m(3), off(jet, 60), same=((1, 2),), met=lambda v, a, b, j: dz(v, a) & dz(v, b)
            )
            & (met >= 130),
            "L1_TkMu_PfJet_dRMax_DoubleJet_dEtaMax": some(
                pv, off(mu[abs(mu.eta) < 2.4], 12), off(jet, 40), off(jet, 40), off(jet, 40), same=((2, 3, 4),),
                met=lambda v, a, b, c, d: dz(v, a) & (dr(a, b) < 0.4) & (abs(c.eta - d.eta) < 1.6),
            ),
        }  # fmt: skip

    def tagged(self) -> dict[str, Any]:
        jet, some, mu = self.b, self.some, self.muons
        b = jet[jet.bTagScore >= 0.15]

        def off(objects: ak.Array, pt: float) -> ak.Array:
            return objects[objects.off >= pt]

        return {
            "L1_PFHTT_QuadJet_DoubleBTag": some(
                off(jet, 70), off(jet, 55), off(b, 40), off(b, 40), same=((0, 1, 2, 3),)
            )
            & (self.ht >= 300),
            "L1_TripleBTag": some(off(b, 50), off(b, 50), off(b, 50), same=((0, 1, 2),)),
            "L1_DoubleBTag_dEtaMax": some(
                off(b, 80), off(b, 80), same=((0, 1),), met=lambda p, q: abs(p.eta - q.eta) < 1.6
            ),
            "L1_PFHTT_DoubleBTag": some(off(b, 40), off(b, 40), same=((0, 1),)) & (self.ht >= 350),
            "L1_TkMu_BTag_dRMax": some(
                self.pv, off(mu, 12), off(b, 40), met=lambda v, a, j: dz(v, a) & (dr(a, j) < 0.4)
            ),
        }


def dz(a: Any, b: Any) -> Any:
    return abs(a.z0 - b.z0) < 1


def dr(a: Any, b: Any) -> Any:
    angle = abs(a.phi - b.phi)
    return np.hypot(a.eta - b.eta, ak.where(angle > np.pi, 2 * np.pi - angle, angle))


def apart(least: float) -> Callable[[Any, Any], Any]:
    return lambda a, b: dr(a, b) > least


def mass(a: Any, b: Any) -> Any:
    return np.sqrt(2 * a.pt * b.pt * (np.cosh(a.eta - b.eta) - np.cos(a.phi - b.phi)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("menus") / "nano.root"
    toy_file(path)
    return path


@pytest.fixture(scope="module")
def by_hand(file: Path) -> dict[str, Any]:
    hand = Hand(file)
    return hand.decisions() | hand.tagged()


def read(file: Path, evaluator: Evaluator) -> EventData:
    scalings = read_scalings(resource(SCALINGS))
    fields, sums = before_scaling(
        {name: set(held) for name, held in evaluator.fields.items()}, evaluator.sums, scalings
    )
    sample = open_objects(str(file), MAP)
    (data,) = sample.iterate(CROSSINGS, fields, sorted(sums))
    return with_offline(data, scalings)


@pytest.mark.parametrize("name", MENUS)
def test_every_seed_accepts_what_the_public_menu_written_out_does(
    name: str, file: Path, by_hand: dict[str, Any]
) -> None:
    menu = read_menu(resource(name))
    evaluator = Evaluator(menu.seeds)
    accepted = evaluator(read(file, evaluator)).accepted
    names = [seed.name for seed in menu.seeds]
    assert set(names) == {seed for seed in by_hand if "tagged" in name or "BTag" not in seed}
    counts = {seed: (int(accepted[:, i].sum()), int(by_hand[seed].sum())) for i, seed in enumerate(names)}
    assert {seed: found for seed, (found, _) in counts.items()} == {seed: hand for seed, (_, hand) in counts.items()}
    for i, seed in enumerate(names):
        np.testing.assert_array_equal(accepted[:, i], by_hand[seed], err_msg=seed)
    few = {seed: found for seed, (found, _) in counts.items() if not 3 <= found <= CROSSINGS - 3}
    assert few == {}


@pytest.mark.parametrize("name", MENUS)
def test_what_a_menu_asks_for_is_in_the_shipped_map_and_in_the_scalings(name: str) -> None:
    evaluator = Evaluator(read_menu(resource(name)).seeds)
    fields, sums = before_scaling(
        {key: set(held) for key, held in evaluator.fields.items()}, evaluator.sums, read_scalings(resource(SCALINGS))
    )
    mapped = find_map(MAP)
    for key, wanted in fields.items():
        assert wanted <= set(mapped.objects[key].fields), key
    assert sums <= set(mapped.sums)
    assert all(not name.startswith(OFFLINE) for name in sums)


def test_the_tagged_menu_is_the_other_one_with_more_seeds() -> None:
    plain, tagged = (read_menu(resource(name)).seeds for name in MENUS)
    assert tagged[: len(plain)] == plain
    assert {seed.group for seed in tagged[len(plain) :]} == {"tagged"}
