"""Taggers of several inputs, of whole crossings, and autoencoders; and what does not fit, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.firmware import Firmware
from l1emu.resources import resolve, resource
from l1emu.taggers import TaggerConfig, jet_tagger, read_tagger, read_taggers
from tests.taggers.toys import PLAIN, beside, changed, crossings, flat_network, settings, two_inputs

TWO = """
firmware: two
inputs:
  x: {of: constituents, count: 4, order: pt, fields: [pt, eta, {relative: delta_r, scale: 2}]}
  m: {of: constituents, count: 4, order: pt, mask: empty}
outputs: {mean_out: [a, b, c]}
scores: {low: {output: a}, rest: {sum: [b, c]}}
threads: 1
"""

EVENT = """
firmware: event
of: event
inputs:
  parts:
    - {of: sums, fields: [{field: ht, scale: 0.1}, {field: met, padding: -7}]}
    - {of: muons, count: 2, order: pt, where: [{field: charge, in: [-1, 1]}], fields: [pt, {field: phi, steps: [cos]}]}
    - {of: jets, count: 3, fields: [{field: pt, clip: [null, 60]}]}
    - {of: muons, count: 1, fields: [{value: 2.5}]}
outputs: latent
scores:
  anomaly: {norm: {of: latent, power: 2}}
  total: {norm: {of: latent, power: 1, reduce: sum}}
"""

AUTOENCODER = """
firmware: autoencoder
inputs: {of: object, fields: [pt, eta, phi, {field: pt, steps: [sqrt]}]}
outputs: [r0, r1, r2, r3]
scores:
  l1: {distance: {from: x, to: [r0, r1, r2, r3], norm: l1}}
  l2: {distance: {from: [r0, r1, r2, r3], to: x}}
  mse: {distance: {from: x, to: [r0, r1, r2, r3], norm: mse}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taggers")
    two_inputs(folder / "two")
    flat_network(folder / "event", 10, 4)
    flat_network(folder / "autoencoder", 4, 4)
    flat_network(folder / "other", 4, 4, seed=7)
    return folder


def outputs(folder: Path, inputs: Any) -> Any:
    return np.asarray(Emulator(Firmware.read(folder))(inputs))


def flat(values: ak.Array) -> Any:
    return ak.to_numpy(ak.flatten(values))


def test_two_inputs_one_of_them_a_mask(folder: Path) -> None:
    data = crossings()
    tagger = read_tagger("two", settings(folder, TWO), beside(folder))
    jets = [jet for crossing in data.objects["jets"].to_list() for jet in crossing]
    x, m = np.zeros((len(jets), 4, 3), np.float32), np.ones((len(jets), 4, 1), np.float32)
    for j, jet in enumerate(jets):
        for k, c in enumerate(sorted(jet["constituents"], key=lambda c: -c["pt"])[:4]):
            d_phi = (c["phi"] - jet["phi"] + np.pi) % (2 * np.pi) - np.pi
            x[j, k] = c["pt"], c["eta"], 2 * np.hypot(c["eta"] - jet["eta"], d_phi)
            m[j, k] = 0
    made = tagger.fill(data)
    np.testing.assert_array_equal(made["x"], x)
    np.testing.assert_array_equal(made["m"], m)
    found, want = tagger.apply(data).objects["jets"], outputs(folder / "two", {"x": x, "m": m})
    assert len(np.unique(want)) > 30
    np.testing.assert_array_equal(flat(found.low), want[:, 0])
    np.testing.assert_array_equal(flat(found.rest), want[:, 1] + want[:, 2])
    assert set(tagger.needs.objects["jets"]) == {
        "constituents.pt",
        "constituents.eta",
        "constituents.phi",
        "eta",
        "phi",
    }


def test_whole_crossings_of_several_collections_and_sums(folder: Path) -> None:
    data = crossings()
    tagger = read_tagger("event", settings(folder, EVENT), beside(folder))
    x = np.zeros((data.crossings, 10), np.float32)
    for i in range(data.crossings):
        muons, jets = data.objects["muons"][i].to_list(), data.objects["jets"][i].to_list()
        x[i, 0] = data.sums["ht"][i] * 0.1
        x[i, 1] = -7 if i == 3 else data.sums["met"][i]
        for k, muon in enumerate(sorted((m for m in muons if m["charge"]), key=lambda m: -m["pt"])[:2]):
            x[i, 2 + 2 * k : 4 + 2 * k] = muon["pt"], np.cos(muon["phi"])
        for k, jet in enumerate(jets[:3]):
            x[i, 6 + k] = min(jet["pt"], 60)
        x[i, 9] = 2.5 if muons else 0
    np.testing.assert_array_equal(tagger.fill(data)["x"], x)
    found, want = tagger.apply(data), outputs(folder / "event", x)
    np.testing.assert_array_equal(found.sums["anomaly"], np.mean(want**2, axis=1))
    np.testing.assert_array_equal(found.sums["total"], np.abs(want).sum(axis=1))
    assert len(np.unique(found.sums["anomaly"])) > 15
    assert (found.objects, found.sums["ht"] is data.sums["ht"]) == (data.objects, True)
    assert tagger.needs.sums == ("ht", "met")
    assert {k: set(v) for k, v in tagger.needs.objects.items()} == {"muons": {"pt", "phi", "charge"}, "jets": {"pt"}}
    low, high = tagger.ranges["anomaly"]
    assert 0 <= low <= found.sums["anomaly"].min() <= found.sums["anomaly"].max() <= high < np.inf


def test_an_autoencoder_is_compared_with_its_input_as_the_firmware_has_it(folder: Path) -> None:
    data = crossings()
    tagger = read_tagger("auto", settings(folder, AUTOENCODER), beside(folder))
    jets = data.objects["jets"]
    x = np.stack([flat(jets.pt), flat(jets.eta), flat(jets.phi), np.sqrt(flat(jets.pt))], axis=1).astype(np.float32)
    difference = outputs(folder / "autoencoder", x) - PLAIN.to_float(PLAIN.from_float(x))
    found = tagger.apply(data).objects["jets"]
    np.testing.assert_array_equal(flat(found.l1), np.abs(difference).sum(axis=1))
    np.testing.assert_array_equal(flat(found.l2), np.sqrt((difference**2).sum(axis=1)))
    np.testing.assert_array_equal(flat(found.mse), (difference**2).mean(axis=1))
    for name in ("l1", "l2", "mse"):
        assert tagger.ranges[name][0] <= flat(found[name]).min() <= flat(found[name]).max() <= tagger.ranges[name][1]


def test_a_minimum_outside_the_range_of_a_score_is_refused() -> None:
    tagger = read_tagger("b", jet_tagger("models/jet-tagger/tagger.l1fw"), resource)
    for minimum in (0.0, 0.5, 0.9997):
        tagger.check_minimum("tag_b", minimum)
    for minimum in (-0.1, 1.5, np.nan):
        with pytest.raises(
            L1emuError, match=r"seed x: a minimum outside the range of the score tag_b: got .* 0 to 0.99"
        ):
            tagger.check_minimum("tag_b", minimum, "seed x")
    with pytest.raises(L1emuError, match="the tagger b has no such score: got 'tag_x'; expected one of tag_b, tag_c"):
        tagger.check_minimum("tag_x", 0.5)


def test_the_hash_is_of_all_that_decides_the_scores(folder: Path, tmp_path: Path) -> None:
    def of(**keys: Any) -> str:
        return read_tagger("t", settings(tmp_path, changed(AUTOENCODER, **keys)), beside(folder)).content_hash

    fields: list[Any] = ["pt", "eta", "phi", {"field": "pt", "steps": ["sqrt"]}]
    same = {
        of(),
        of(threads=1),
        of(inputs={"of": "object", "fields": fields}),
        of(inputs={"x": {"of": "object", "fields": fields}}),
    }
    assert len(same) == 1
    other = {
        of(inputs={"of": "object", "fields": fields[::-1]}),
        of(scores={"l1": {"output": "r0"}}),
        of(outputs=["r1", "r0", "r2", "r3"]),
        of(of="muons"),
        of(firmware="other"),
        *same,
    }
    assert len(other) == 6


def test_the_shipped_tagger(folder: Path) -> None:
    made = jet_tagger("models/jet-tagger/tagger.l1fw", golden="models/jet-tagger/golden.npz")
    tagger = read_tagger("b", made, resource)
    assert list(tagger.scores) == ["tag_b", "tag_c", "tag_uds", "tag_g", "tag_pileup"]
    assert tagger.ranges["tag_b"][0] == 0
    assert tagger.ranges["tag_b"][1] < 1
    found = tagger.check_golden()
    assert found is not None
    assert found.identical
    assert repr(tagger).startswith("<Tagger b: ")
    assert read_tagger("b", jet_tagger(made.firmware), resource).check_golden() is None


LOAD_ERRORS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no firmware": (TWO, {"firmware": "none"}, "none"),
    "one map for two inputs": (
        TWO,
        {"inputs": {"of": "constituents", "count": 4, "fields": ["pt"]}},
        "one feature map for several inputs; expected one for each of x, m",
    ),
    "another input": (
        TWO,
        {"inputs": {"x": {"of": "object", "fields": ["pt"]}}},
        "not those of the firmware's inputs: got 'x'; expected x, m",
    ),
    "another shape": (
        AUTOENCODER,
        {"inputs": {"of": "object", "fields": ["pt"]}},
        r"tagger t, input x: the feature map does not fit the firmware: got \(1, 1\); expected \(4,\), the shape",
    ),
    "the other layout": (
        TWO,
        {
            "inputs": {
                "x": {"of": "constituents", "count": 3, "fields": ["pt"] * 4},
                "m": {"of": "constituents", "count": 4, "mask": "filled"},
            }
        },
        r"input x: .* got \(3, 4\); expected \(4, 3\).*objects_first and fields_first",
    ),
    "no such shipped map": (
        AUTOENCODER,
        {"inputs": "cms"},
        "tagger t: no such feature map: got 'cms'; expected cms-jets-21, cms-jets, jetclass-part, l1emu-jets",
    ),
    "a shipped map that does not fit": (
        AUTOENCODER,
        {"inputs": "cms-jets"},
        r"input x: .* got \(16, 20\); expected \(4,\)",
    ),
    "too few outputs": (
        AUTOENCODER,
        {"outputs": ["a", "b"]},
        r"2 names for the outputs.*expected 4, one for each number, or 1, one for each output: last_out \(4,\)",
    ),
    "another output": (
        AUTOENCODER,
        {"outputs": {"y": "a"}},
        r"not those of the firmware: got 'y'; expected last_out \(4,\)",
    ),
    "names of a vector": (AUTOENCODER, {"outputs": {"last_out": ["a", "b"]}}, "2 names for an output of 4 numbers"),
    "a name of both": (AUTOENCODER, {"outputs": ["x", "b", "c", "d"]}, "an output has the name of an input: got 'x'"),
    "no such output": (
        AUTOENCODER,
        {"scores": {"s": {"output": "r9"}}},
        "tagger t, score s: no such output: got 'r9'; expected one of r0, r1, r2, r3, x",
    ),
    "a vector for a number": (
        EVENT,
        {"scores": {"s": {"output": "latent"}}},
        "score s: latent is a vector of 4 numbers; expected one number",
    ),
    "sizes of a distance": (
        AUTOENCODER,
        {"scores": {"s": {"distance": {"from": "x", "to": "r0"}}}},
        r"score s: a distance between vectors of different sizes: got \(4, 1\)",
    ),
    "an object of a crossing": (
        EVENT,
        {"inputs": {"of": "object", "fields": ["pt"] * 10}},
        "a tagger of whole crossings has no object: got 'object'",
    ),
    "relative to nothing": (
        EVENT,
        {"inputs": {"of": "jets", "count": 10, "fields": [{"field": "pt", "relative": "ratio"}]}},
        "field pt: a tagger of whole crossings has no object to be relative to: got 'ratio'",
    ),
}


@pytest.mark.parametrize("name", LOAD_ERRORS)
def test_what_does_not_fit_is_named_when_it_is_loaded(folder: Path, tmp_path: Path, name: str) -> None:
    text, keys, words = LOAD_ERRORS[name]
    given = settings(tmp_path, changed(text, **keys))
    with pytest.raises(L1emuError, match=words) as error:
        read_tagger("t", given, lambda name: resolve(name, folder))
    assert "\n" not in str(error.value)


DATA_ERRORS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such collection": (
        EVENT,
        {"inputs": {"of": "taus", "count": 10, "fields": ["pt"]}},
        "tagger t: no such collection: got 'taus'; expected one of jets, muons",
    ),
    "no such field": (
        AUTOENCODER,
        {"inputs": {"of": "object", "fields": ["pt", "eta", "phi", "mass"]}},
        "tagger t: jets has no such field: got 'mass'; expected one of",
    ),
    "no such list": (
        AUTOENCODER,
        {"inputs": {"of": "tracks", "count": 4, "fields": ["pt"]}},
        "jets has no such list: got 'tracks'",
    ),
    "no such field of a list": (
        AUTOENCODER,
        {"inputs": {"of": "constituents", "count": 4, "fields": ["z0"]}},
        "the constituents of jets have no such field: got 'z0'; expected one of charge, eta, id, phi, pt",
    ),
    "no such sum": (
        EVENT,
        {"inputs": {"of": "sums", "fields": ["mht"] * 10}},
        "tagger t: no such sum: got 'mht'; expected one of ht, met",
    ),
    "a list that is none": (
        EVENT,
        {"inputs": {"of": "jets", "count": 10, "fields": ["constituents"]}},
        "jets has no such field: got 'constituents'",
    ),
    "a field's name": (
        AUTOENCODER,
        {"scores": {"pt": {"output": "r0"}}},
        "a field of jets has the name of a score: got 'pt'",
    ),
    "a sum's name": (EVENT, {"scores": {"ht": {"norm": {"of": "latent"}}}}, "a sum has the name of a score: got 'ht'"),
    "not a number": (
        AUTOENCODER,
        {"inputs": {"of": "object", "fields": ["pt", "eta", "phi", {"field": "eta", "steps": ["log"]}]}},
        "tagger t, input x, field eta: NaN is made of -",
    ),
    "not in the table": (
        AUTOENCODER,
        {"inputs": {"of": "constituents", "count": 4, "fields": [{"field": "id", "table": {"0": 1, "1": 2}}]}},
        "input x, field id: the table has no such value: got .*; expected one of 0, 1",
    ),
}


@pytest.mark.parametrize("name", DATA_ERRORS)
def test_what_the_crossings_lack_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    text, keys, words = DATA_ERRORS[name]
    tagger = read_tagger("t", settings(tmp_path, changed(text, **keys)), beside(folder))
    with pytest.raises(L1emuError, match=words) as error:
        tagger.apply(crossings())
    assert "\n" not in str(error.value)


def test_lists_of_another_form_are_refused(folder: Path) -> None:
    tagger = read_tagger("t", settings(folder, AUTOENCODER), beside(folder))
    for jets, words in (
        (ak.Array([{"pt": 1.0, "eta": 0.0, "phi": 0.0}]), "lists of records"),
        (ak.Array([[{"pt": "a", "eta": 0.0, "phi": 0.0}]]), "jets, field pt: not one number for each object"),
        (ak.Array([[{"pt": None, "eta": 0.0, "phi": 0.0}]]), "jets, field pt: not one number for each object"),
    ):
        with pytest.raises(L1emuError, match=words):
            tagger.apply(EventData(1, {"jets": jets}))


def test_regular_lists_will_do(folder: Path) -> None:
    tagger = read_tagger("t", settings(folder, AUTOENCODER), beside(folder))
    columns = {name: np.random.default_rng(2).uniform(0, 3, (5, 4)) for name in ("pt", "eta", "phi")}
    found = [tagger.apply(EventData(5, {"jets": jets})).objects["jets"] for jets in regular_and_not(columns)]
    assert found[0].l1.to_list() == found[1].l1.to_list()
    assert len(found[0].l1[0]) == 4


def regular_and_not(columns: dict[str, Any]) -> list[ak.Array]:
    regular = ak.zip({name: ak.from_numpy(values, regulararray=True) for name, values in columns.items()})
    return [regular, ak.from_regular(regular, axis=1)]


def test_two_taggers_do_not_give_one_score(folder: Path) -> None:
    one = settings(folder, AUTOENCODER)
    assert list(read_taggers({"a": one}, beside(folder))) == ["a"]
    assert TaggerConfig.model_validate(one.model_dump(by_alias=True)) == one
    other = TaggerConfig.model_validate(one.model_dump(by_alias=True) | {"of": "muons"})
    assert list(read_taggers({"a": one, "b": other}, beside(folder))) == ["a", "b"]
    with pytest.raises(L1emuError, match="tagger b: the tagger a gives jets a score of this name: got 'l1'"):
        read_taggers({"a": one, "b": one}, beside(folder))
