"""Maps as YAML: what can be said, and the line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.events.objects import ObjectsMap, SumMap


class Both(Config):
    """As a study has them."""

    objects: ObjectsMap | None = None
    sums: dict[str, SumMap] = {}  # noqa: RUF012


def read(path: Path, text: str) -> Both:
    path.write_text(text)
    return load_config(path, Both)


def test_all_that_can_be_said(tmp_path: Path) -> None:
    found = read(
        tmp_path / "study.yaml",
        """
objects:
  like: cms-phase2-l1nano
  jets: {collection: L1puppiJetSC4, pt: pt, eta: eta, phi: {field: phi, unit: rad}}
  muons:
    tree: a/b
    pt: {branch: muonPt, unit: MeV, scale: 0.5, offset: -1}
    where: {bx: {in: [0, 1]}, quality: {min: 12}}
sums:
  ht: {of: jets, pt_min_gev: 30, abs_eta_max: 2.4}
  mht: {of: jets, vector: true, where: {pt: {max: 100.5}}}
  met: {branch: MET_pt, phi: MET_phi, unit: GeV}
  sc: {collection: L1EtSum, field: pt, phi: {field: phi, unit: deg}, where: {kind: {in: [1]}}, index: 0}
""",
    )
    assert found.objects is not None
    assert found.objects.like == "cms-phase2-l1nano"
    assert list(found.objects.own) == ["jets", "muons"]
    muons = found.objects.own["muons"]
    assert (muons.fields["pt"].branch, muons.fields["pt"].scale, muons.fields["pt"].unit) == ("muonPt", 0.5, "MeV")
    assert muons.where["bx"].among == [0, 1] and muons.where["quality"].min == 12
    assert found.objects.own["jets"].fields["pt"].field == "pt"
    assert found.sums["mht"].is_vector and found.sums["met"].is_vector and not found.sums["ht"].is_vector
    assert found.sums["ht"].needs == {"pt", "eta"} and found.sums["mht"].needs == {"pt", "phi"}


def test_a_map_by_its_name_alone(tmp_path: Path) -> None:
    found = read(tmp_path / "study.yaml", "objects: cms-run3-l1nano")
    assert found.objects is not None and found.objects.like == "cms-run3-l1nano" and not found.objects.own


@pytest.mark.parametrize(
    ("text", "where", "match"),
    [
        ("objects: 3", "objects", "got 3"),
        ("objects: {}", "objects", "no objects"),
        ("objects: {jets: {}}", "objects.jets", "no field is mapped"),
        ("objects: {jets: {collection: a}}", "objects.jets", "no field is mapped"),
        ("objects: {jets: {pt: pt, colection: a}}", "objects.jets", "did you mean 'collection'"),
        ("objects: {jets: {pt: 3}}", "objects.jets.pt", "got 3"),
        ("objects: {jets: {pt: ''}}", "objects.jets.pt", "got ''"),
        ("objects: {jets: {'': pt}}", "objects.jets", "a field without a name"),
        ("objects: {jets: {pt: pt, where: {'': {min: 1}}}}", "objects.jets.where.", "got ''"),
        ("sums: {ht: {branch: ''}}", "sums.ht.branch", "got ''"),
        ("objects: {jets: {pt: {branch: x, unit: Gev}}}", "objects.jets.pt.unit", "'Gev'; expected 'GeV', 'MeV'"),
        ("objects: {jets: {pt: {branch: x, unti: GeV}}}", "objects.jets.pt.unti", "unknown key"),
        ("objects: {jets: {pt: {branch: x, unit: rad}}}", "objects.jets", "pt in rad; its unit is GeV"),
        ("objects: {jets: {pt: a, eta: {branch: x, unit: rad}}}", "objects.jets", "eta in rad; its unit is none"),
        ("objects: {jets: {pt: {branch: x, field: y}}}", "objects.jets.pt", "either field"),
        ("objects: {jets: {pt: {unit: GeV}}}", "objects.jets.pt", "either field"),
        ("objects: {jets: {pt: {branch: x, scale: 0}}}", "objects.jets.pt", "scale of 0"),
        ("objects: {jets: {pt: x, where: {bx: {}}}}", "objects.jets.where.bx", "a cut on nothing"),
        ("objects: {jets: {pt: x, where: {bx: {in: []}}}}", "objects.jets.where.bx.in", "at least 1"),
        ("objects: {jets: {pt: x, where: {bx: {min: 2, max: 1}}}}", "objects.jets.where.bx", "nothing passes"),
        ("objects: {jets: {pt: x, where: {bx: {mni: 2}}}}", "objects.jets.where.bx.mni", "unknown key"),
        ("sums: {ht: {of: jets, branch: b}}", "sums.ht", "either of"),
        ("sums: {ht: {}}", "sums.ht", "either of"),
        ("sums: {ht: {of: jets, index: 0}}", "sums.ht", "index has no meaning beside of"),
        ("sums: {ht: {branch: b, vector: true}}", "sums.ht", "vector has no meaning beside branch"),
        ("sums: {ht: {field: b}}", "sums.ht", "collection, which is missing"),
        ("sums: {ht: {branch: b, phi: {branch: c, unit: GeV}}}", "sums.ht", "phi in GeV"),
        ("sums: {ht: {branch: b, index: -1}}", "sums.ht.index", "got -1"),
        ("sums: {ht: {branch: b, scale: 0}}", "sums.ht", "scale of 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, where: str, match: str) -> None:
    with pytest.raises(L1emuError, match=match) as error:
        read(tmp_path / "study.yaml", text)
    assert str(error.value.where).endswith(f"key {where}")
    assert "\n" not in str(error.value)
