"""The files that a study names beside its samples, by what they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from l1emu.events.objects.maps import map_names
from l1emu.latency import read_report
from l1emu.study.config import StudyFile
from l1emu.study.versions import versioned
from l1emu.taggers.maps import shipped_maps


def input_files(file: StudyFile) -> dict[str, Path]:
    """Menu, scalings, firmware and all else of a study, by its role in it; of an hls4ml project its folder.

    Raises
    ------
    L1emuError
        if one is absent.
    """
    found = {what: file.file(name) for what, name in _named(file) if name is not None}
    if "report" in found:
        found["report"] = Path(read_report(found["report"]).path)
    for what, path in (("menu", file.menu_file), ("scalings", file.scalings_file)):
        if path is not None:
            found[what] = path
    return found


def _named(file: StudyFile) -> Iterator[tuple[str, str | None]]:
    study = file.study
    yield "calibration", study.jets.calibration
    yield "filling", study.beam.filling
    for name, scheme in study.beam.others.items():
        yield f"filling {name}", scheme if isinstance(scheme, str) else None
    for name, tagger in study.every_tagger.items():
        of = "" if len(study.every_tagger) == 1 else f" of {name}"
        yield f"firmware{of}", tagger.firmware
        yield f"golden{of}", tagger.golden
        if isinstance(tagger.inputs, str) and tagger.inputs not in shipped_maps():
            yield f"feature map{of}", tagger.inputs
    for name, versions in study.versions.items():
        for version, firmware in versions.items():
            yield f"firmware of {versioned(name, version)}", firmware
    if study.objects is not None and study.objects.like not in (None, *map_names()):
        yield "objects", study.objects.like
    if study.latency is not None:
        yield "budget", study.latency.budget
        yield "timing", study.latency.file
        yield "report", study.latency.report
        wanted = study.latency.estimate
        yield "project", None if wanted is None else wanted.project
        yield "partition", None if wanted is None else wanted.partition
    if study.stream is not None:
        yield "topology", study.stream.topology
