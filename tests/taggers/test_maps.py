"""Feature maps: the two that are shipped, bit for bit, and what a schema refuses, with line and key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events import Batch, build_jets, features, read_sample
from l1emu.events.chain import CANDIDATE_STEPS, chain_data
from l1emu.events.cms_tagger import cms_features, cms_inputs
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor
from l1emu.resources import resource
from l1emu.taggers.columns import Tagged
from l1emu.taggers.inputs import NetworkInput
from l1emu.taggers.maps import FeatureMap, read_map, shipped_maps
from tests.taggers.toys import settings


def filled(name: str, shape: tuple[int, ...], batch: Batch, **options: Any) -> Any:
    _, found = read_map(shipped_maps()[name])
    assert isinstance(found, FeatureMap)
    one = NetworkInput(Tensor("x", shape, FixedPoint.parse("ap_fixed<16,6>")), found, "here")
    one.check("jets")
    return one.values(Tagged(chain_data(batch, constituents=list(CANDIDATE_STEPS), **options), "jets"))


def batches() -> Iterator[Batch]:
    """Crossings of both embedded samples."""
    for sample in ("signal-hh4b-pu200", "minbias-pu200"):
        yield next(iter(read_sample(resource(f"datasets/{sample}.root")).iterate(400)))


def test_the_map_of_the_shipped_tagger_gives_its_features_bit_for_bit() -> None:
    for batch in batches():
        want = features.as_float(build_jets(batch.candidates, min_pt_gev=2, vertex_z0=batch.vertex_z0).features)
        made = filled("l1emu-jets", (16, 12), batch, min_pt_gev=2)
        assert len(want) > 1000
        assert made.dtype == want.dtype
        assert made.tobytes() == want.tobytes()


@pytest.mark.parametrize(("name", "version", "width"), [("cms-jets", "v0.0.0", 20), ("cms-jets-21", "v2.0.0", 21)])
def test_the_maps_of_cms_give_its_words_bit_for_bit(name: str, version: str, width: int) -> None:
    for batch in batches():
        want = cms_features(batch.candidates, build_jets(batch.candidates, min_pt_gev=2), version)
        made = filled(name, (16, width), batch, min_pt_gev=2)
        assert len(want) > 1000
        assert made.dtype == (np.float32 if width == 20 else np.float64)
        assert np.array_equal(made, want)


def test_what_cms_makes_of_a_whole_jet_can_be_said_in_a_map() -> None:
    batch = next(batches())
    jets = build_jets(batch.candidates, min_pt_gev=2)
    steps = [{"scale": 229.18311805232929}, "round"]
    fields = [{"field": "eta", "steps": steps}, {"field": "raw_pt", "steps": ["cms_log"]}]
    found = FeatureMap.model_validate({"of": "object", "precision": "float64", "fields": fields})
    one = NetworkInput(Tensor("x", (2,), FixedPoint.parse("ap_fixed<32,16>")), found, "here")
    made = one.values(Tagged(chain_data(batch, min_pt_gev=2), "jets"))
    assert np.array_equal(made.reshape(-1, 2), cms_inputs(batch.candidates, jets).as_float()[1])


BASE = "firmware: f\noutputs: [a, b]\nscores: {s: {output: a}}\ninputs: "

REFUSED = {
    "an unknown key": (
        "{of: object, feilds: [pt]}",
        "line 5, key tagger.inputs.feilds: unknown key: got 'feilds'; expected 'fields'",
    ),
    "no objects": ("{fields: [pt]}", "`of` is missing"),
    "no count": ("{of: tracks, fields: [pt]}", "how many of 'tracks'\\? expected `count`"),
    "count of one": ("{of: object, count: 3, fields: [pt]}", "there is one 'object'"),
    "neither fields nor mask": ("{of: object}", "needs exactly one of fields, mask"),
    "an unknown step": (
        "{of: object, fields: [{field: pt, steps: [exec]}]}",
        "key tagger.inputs.fields.0.steps.0: no step is called 'exec'; expected one of abs",
    ),
    "two steps in one": (
        "{of: object, fields: [{field: pt, steps: [{scale: 1, offset: 2}]}]}",
        "a step does one thing",
    ),
    "no source": ("{of: object, fields: [{scale: 2}]}", "expected exactly one of field, value, relative: delta_r"),
    "two sources": ("{of: object, fields: [{field: pt, value: 2}]}", "not one source of a number"),
    "relative constant": ("{of: object, fields: [{value: 2, relative: ratio}]}", "a constant is relative to nothing"),
    "to without relative": ("{of: object, fields: [{field: pt, to: raw_pt}]}", "`to` is a field of the tagged object"),
    "an empty interval": ("{of: object, fields: [{field: pt, clip: [2, 1]}]}", "nothing lies in"),
    "one value twice": ("{of: object, fields: [{field: id, one_hot: [1, 1]}]}", "one_hot has a value twice"),
    "a table and one-hot": ("{of: object, fields: [{field: id, one_hot: [1], table: {1: 2}}]}", "table and one_hot"),
    "a key that is no number": ("{of: object, fields: [{field: id, table: {a: 2}}]}", "wrong value: got 'a'"),
    "an empty condition": ("{of: object, fields: [{field: id, when: [{field: id}]}]}", "nothing is asked of 'id'"),
    "a sum that is relative": ("{of: sums, fields: [{value: 1}]}", "sums are numbers of a crossing"),
    "parts and fields": ("{parts: [{of: object, fields: [pt]}], fields: [pt]}", "'fields' beside parts"),
    "parts of two widths": (
        "{layout: fields_first, parts: [{of: object, fields: [pt]}, {of: sums, fields: [a, b]}]}",
        "different widths",
    ),
    "a part without objects": ("{parts: [{fields: [pt]}]}", "`of` is missing"),
    "an input and an output of one name": ("{a: {of: object, fields: [pt]}}", "an input and an output are named 'a'"),
    "text for a map": ("{x: 3}", "line 5"),
    "no inputs": ("{}", "line 5"),
    "a number": ("3", "line 5"),
    "an unknown key of a condition": (
        "{of: object, fields: [{field: pt, when: [{field: id, im: [3]}]}]}",
        "when.0.im: unknown key: got 'im'; expected one of field, in, min, max",
    ),
    "infinite": ("{of: object, fields: [{field: pt, scale: 1e300}]}", "fields.0.scale: wrong value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_schema_refuses_in_one_line(tmp_path: Path, name: str) -> None:
    inputs, words = REFUSED[name]
    with pytest.raises(L1emuError, match=words) as error:
        settings(tmp_path, BASE + inputs)
    assert str(error.value).startswith(f"{tmp_path / 'tagger.yaml'}: line ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("outputs: [a, a]", "two outputs are named 'a'"),
        ("outputs: {x: [a], y: a}", "two outputs are named 'a'"),
        ("scores: {s: {}}", "not one form of a score"),
        ("scores: {s: {output: a, sum: [a]}}", "expected exactly one of output, sum, ratio, log_ratio, distance, norm"),
        ("scores: {s: {eval: a + b}}", "unknown key: got 'eval'"),
        ("scores: {s: {output: a}, s: {output: b}}", "the key stands twice: got 's'"),
        ("scores: {s: {norm: {of: a, power: 0}}}", "scores.s.norm.power: wrong value: got 0"),
        ("scores: {s: {distance: {from: a, to: b, norm: l3}}}", "norm: wrong value: got 'l3'"),
        ("scores: {}", "key tagger.scores: wrong value: got {}"),
        ("outputs: 3", "key tagger.outputs: wrong value: got 3"),
        ("outputs: {x: 3}", "key tagger.outputs.x: wrong value: got 3"),
        ("threads: 0", "threads: wrong value: got 0"),
    ],
)
def test_outputs_and_scores_are_checked_too(tmp_path: Path, change: str, words: str) -> None:
    key = change.partition(":")[0]
    kept = [line for line in BASE.splitlines() if line.partition(":")[0] not in (key, "inputs")]
    with pytest.raises(L1emuError, match=words) as error:
        settings(tmp_path, "\n".join([*kept, "inputs: {of: object, fields: [pt]}", change]))
    assert "\n" not in str(error.value)


def test_layouts_and_shapes(tmp_path: Path) -> None:
    def shape(inputs: str) -> tuple[int, ...]:
        found = settings(tmp_path, BASE + inputs).inputs
        assert isinstance(found, FeatureMap)
        return found.shape

    assert shape("{of: tracks, count: 7, fields: [pt, {field: id, one_hot: [1, 2, 5]}]}") == (7, 4)
    assert shape("{of: tracks, count: 7, layout: fields_first, fields: [pt, eta]}") == (2, 7)
    assert shape("{parts: [{of: tracks, count: 7, fields: [pt]}, {of: object, fields: [pt]}]}") == (8, 1)
    assert shape("{parts: [{of: tracks, count: 7, fields: [pt, eta]}, {of: object, fields: [pt]}]}") == (15,)
