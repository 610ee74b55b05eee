"""The maps that come with l1emu: each names what its layout has, and takes over what a study adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events.objects import ObjectsMap, SumMap, find_map, open_objects
from l1emu.events.objects.columns import spellings
from l1emu.events.objects.maps import map_names, whole_map
from l1emu.events.objects.schema import FieldSource
from tests.events.objects.files import l1nano, write_trees

ROWS = 4


def made(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """A file with every branch that a map names, each list of a collection as long as the others; by tree."""
    rng = np.random.default_rng(len(name))
    trees: dict[str, dict[str, Any]] = {}
    counts: dict[tuple[str, str], Any] = {}

    def add(tree: str | None, group: str, source: FieldSource, collection: str | None, single: bool) -> None:
        place, branch = source.tree or tree or "Events", spellings(source, collection)[0]
        columns = trees.setdefault(place, {})
        if branch in columns:
            return
        if single:
            columns[branch] = rng.uniform(1, 3, ROWS).astype("f4")
            return
        lengths = counts.setdefault((place, group), rng.integers(2, 5, ROWS))
        total = int(lengths.sum())
        whole = branch.endswith(("bx", "Bx", "Type", "harge", "Chg"))
        flat = rng.integers(0, 2, total).astype("i4") if whole else rng.uniform(1, 3, total).astype("f4")
        columns[branch] = ak.unflatten(flat, lengths)

    found = find_map(name)
    for objects in found.objects.values():
        members = [objects.source(key) for key in (*objects.fields, *objects.where)]
        group = objects.collection or (members[0].field or "").rstrip("abcdefghijklmnopqrstuvwxyz")[:3]
        for source in members:
            add(objects.tree, objects.collection or group, source, objects.collection, False)
    for total in found.sums.values():
        sources = [total.source, *([total.phi] if total.phi else []), *(FieldSource(field=key) for key in total.where)]
        listed = total.index is not None or bool(total.where)
        for source in sources:
            branch = spellings(source, total.collection)[0]
            group = total.collection or branch.partition("_")[0] if "_" in branch else total.collection or "sum"
            add(total.tree, group, source, total.collection, not listed)
    write_trees(path, trees)
    return trees


@pytest.mark.parametrize("name", map_names())
def test_every_branch_of_a_map_is_read(tmp_path: Path, name: str) -> None:
    trees = made(tmp_path / "n.root", name)
    sample = open_objects(tmp_path / "n.root", name)
    found = find_map(name)
    (data,) = sample.iterate()
    assert set(data.objects) >= set(found.objects) and set(data.sums) == set(found.sums)
    for key, objects in found.objects.items():
        assert data.objects[key].fields == list(objects.fields), key
        columns = trees[objects.tree or "Events"]
        kept = ak.Array([True])
        for cut, told in objects.where.items():
            assert told.among == [0]
            kept = columns[spellings(objects.source(cut), objects.collection)[0]] == 0
        for field, source in objects.fields.items():
            raw = columns[spellings(source, objects.collection)[0]]
            expected = (raw[kept] if objects.where else raw) * source.scale + source.offset
            assert ak.to_list(data.objects[key][field]) == ak.to_list(expected), (key, field)
    for key, total in found.sums.items():
        raw = trees[total.tree or "Events"][spellings(total.source, total.collection)[0]]
        if total.index is not None:
            np.testing.assert_array_equal(data.sums[key], raw[:, total.index])
        elif not total.where:
            np.testing.assert_array_equal(data.sums[key], raw)


@pytest.mark.parametrize("name", map_names())
def test_a_map_says_what_it_is_of_and_has_pt_eta_and_phi(name: str) -> None:
    found = find_map(name)
    assert "CMS" in found.about and "cms-sw/cmssw" in found.source
    assert {"jets", "muons", "taus", "gen_jets", "gen_particles"} <= set(found.objects)
    assert {"ht", "met", "mht"} <= set(found.sums)
    for key, objects in found.objects.items():
        if key not in ("vertex", "vertices", "etsums", "emulated_etsums"):
            assert {"pt", "eta", "phi"} <= set(objects.fields), key


@pytest.mark.parametrize("name", map_names())
def test_the_documentation_lists_all_of_a_map(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "objects.md").read_text(encoding="utf-8")
    found = find_map(name)
    row = [", ".join(f"`{key}`" for key in names) for names in (found.objects, found.sums)]
    assert f"| `{name}` | {row[0]} | {row[1]} |" in page


def test_what_a_study_states_stands_before_what_it_takes_over(tmp_path: Path) -> None:
    own = ObjectsMap.model_validate({"like": "cms-phase2-l1nano", "jets": {"pt": "x"}, "met": {"pt": "L1puppiMET_pt"}})
    found = whole_map(own, {"ht": SumMap(of="jets"), "taus": SumMap(branch="x")})
    assert found.objects["jets"].fields["pt"].field == "x" and "muons" in found.objects
    assert found.sums["ht"].of == "jets" and "met" not in found.sums and "taus" not in found.objects
    assert found.demanded == {"jets", "met", "ht", "taus"}


def test_a_map_of_ones_own(tmp_path: Path) -> None:
    l1nano(tmp_path / "a.root")
    (tmp_path / "mine.yaml").write_text(
        "about: ours\nsource: us\nobjects: {jets: {collection: L1puppiJetSC4, pt: pt}}\nsums: {ht: {of: jets}}\n"
    )
    (data,) = open_objects(tmp_path / "a.root", "mine.yaml", base=tmp_path).iterate()
    assert list(data.objects) == ["jets"] and list(data.sums) == ["ht"]
    (tmp_path / "mine.yaml").write_text("about: ours\nsource: us\nobjects: {jets: {}}\n")
    with pytest.raises(L1emuError, match=r"mine.yaml: line 3, key objects.jets: no field is mapped"):
        open_objects(tmp_path / "a.root", "mine.yaml", base=tmp_path)
    with pytest.raises(L1emuError, match="no such file"):
        open_objects(tmp_path / "a.root", "other.yaml", base=tmp_path)
    with pytest.raises(L1emuError, match="no map 'other' of objects; expected one of cms-phase2-l1nano"):
        find_map("other")


def test_a_file_with_nothing_of_a_map(tmp_path: Path) -> None:
    l1nano(tmp_path / "a.root", tree="other")
    with pytest.raises(L1emuError, match=r"nothing of what is mapped; to begin with, .* no collection 'L1Jet'"):
        open_objects(tmp_path / "a.root", "cms-run3-l1nano")
