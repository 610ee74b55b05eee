"""Filling schemes as CSV, in the layouts that are around, are the schemes that their JSON is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.stream.beam import FillingScheme, hl_lhc, read_filling_scheme
from tests.fuzzing import damaged, refused


def buckets(scheme: FillingScheme, beam: int) -> list[int]:
    mask = scheme.beam1 if beam == 1 else scheme.beam2
    return [10 * int(slot) + 1 for slot in np.flatnonzero(mask)]


def lines(scheme: FillingScheme) -> str:
    """One line a beam, with the counts beside them, as the tools that lay out schemes write."""
    text = [f"Scheme name,{scheme.name}"]
    text += [f"B{beam} filled buckets," + ",".join(map(str, buckets(scheme, beam))) for beam in (1, 2)]
    text += ["B1 injection buckets,261,691", "B2 injection n. bunches,12,12"]
    text += [f"N. coll. {point}, {scheme.collisions[ip]}" for point, ip in
             (("ATLAS/CMS", "IP1/5"), ("LHCb", "IP8"), ("ALICE", "IP2"))]  # fmt: skip
    return "\n".join([*text, f"B1 n. bunches, {scheme.bunches(1)}", f"B2 n. bunches, {scheme.bunches(2)}"])


def tables(scheme: FillingScheme, *, older: bool = False) -> str:
    """A line a bunch, as LPC publishes it, among tables of other things."""
    text = [f"INJECTION SCHEME : {scheme.name}", "", "idx,inj Nbr,Ring,RF Bucket,Bu Spac (ns)", "1,1,ring_1,261,25", ""]
    for beam in (1, 2):
        if older:
            text += [f"BEAM {beam}", "RFbucket,Slot,Head-On IP1,Head-On IP2,Head-On IP5"]
            text += [f"{b},{b // 10},1,0,1" for b in buckets(scheme, beam)]
        else:
            text += [f"HEAD ON COLLISIONS FOR B{beam}", f"B{beam} bucket number,IP1,IP2,IP5,IP8"]
            text += [f"{b},{b},-,{b},-" for b in buckets(scheme, beam)]
        text += ["", "LONG RANGE ENCOUNTERS", "bucket,left,right", "21,1,2", "31,1,2", ""]
    return "\n".join(text)


def fill(scheme: FillingScheme) -> str:
    """LPC's answer for one fill."""
    return json.dumps({"fills": {"9999": {"name": scheme.name, "csv": tables(scheme).partition("\n")[2]}}})


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n,\n", ",,\n"])
@pytest.mark.parametrize("layout", [lines, tables, lambda s: tables(s, older=True), fill])
def test_every_layout_is_the_scheme(tmp_path: Path, layout: object, ends: str) -> None:
    assert callable(layout)
    text = layout(hl_lhc())
    file = tmp_path / "scheme.csv"
    file.write_bytes(("\ufeff" + text.replace("\n", ends) + ends if layout is not fill else text).encode())
    scheme = read_filling_scheme(file)
    assert scheme.name == hl_lhc().name
    assert np.array_equal(scheme.beam1, hl_lhc().beam1) and np.array_equal(scheme.beam2, hl_lhc().beam2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("B1 filled buckets,261,", "B1 filled buckets,262,"), r"line 2: no bunch can .*got '262'"),
        (("B1 filled buckets,261,", "B1 filled buckets,0,"), "line 2: no bunch can stand"),
        (("B1 filled buckets,261,", "B1 filled buckets,35641,"), "line 2: no bunch can stand"),
        (("B1 filled buckets,261,", "B1 filled buckets,35631,"), "a bunch stands in the abort gap: got 3563"),
        (("B1 filled buckets,261,", "B1 filled buckets,271,"), "beam 1: a bucket is filled twice: got 271"),
        (("B1 filled buckets,261,", "B1 filled buckets,x,"), "line 2: not a whole number: got 'x'"),
        (("B1 filled buckets,261,", "B1 filled buckets,"), "collisions in IP8: got 2573; expected 2574"),
        (("B2 filled buckets", "B1 filled buckets"), "line 3: a beam that was there before"),
        (("B2 filled buckets", "B2 injection"), "not a filling scheme"),
        (("N. coll. LHCb, 2574", "N. coll. LHCb, 2573"), "collisions in IP8: got 2574; expected 2573"),
        (("N. coll. LHCb, 2574", "N. coll. LHCb, many"), "not a whole number: got 'many'"),
    ],
)  # fmt: skip
def test_what_no_scheme_says_is_refused(tmp_path: Path, change: tuple[str, str], match: str) -> None:
    file = tmp_path / "scheme.csv"
    text = lines(hl_lhc())
    assert change[0] in text
    file.write_text(text.replace(*change, 1))
    with pytest.raises(L1emuError, match=match) as error:
        read_filling_scheme(file)
    assert error.value.path == str(file)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", '{"fills": {}}', '{"fills": {"1": {"csv": 3}}}', "[" * 100_000])
def test_other_text_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scheme.csv"
    file.write_text(text)
    with pytest.raises(L1emuError):
        read_filling_scheme(file)


@pytest.mark.parametrize("tries", [200, pytest.param(20_000, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("layout", [lines, tables, fill])
def test_damaged_schemes_are_read_or_refused_in_one_line(tmp_path: Path, layout: object, tries: int) -> None:
    assert callable(layout)
    data = layout(hl_lhc()).encode()
    rng = np.random.default_rng(12)
    file = tmp_path / "scheme.csv"
    for _ in range(tries):
        file.write_bytes(damaged(data, rng))
        refused(lambda: read_filling_scheme(file))
