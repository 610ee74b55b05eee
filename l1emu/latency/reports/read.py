"""Find and read the report of a design: a file, or the folder of a project in any of the tools' layouts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import TEXT_LIMIT, read_bytes
from l1emu.latency.reports.checks import looks_like_layer, ordered, wrapper_problems
from l1emu.latency.reports.cosim import TRANSACTIONS, read_cosim_rpt, read_transactions
from l1emu.latency.reports.hls4ml import read_hls4ml_json
from l1emu.latency.reports.implementation import is_implementation, read_implementation
from l1emu.latency.reports.model import Implementation, Problem, SynthesisReport
from l1emu.latency.reports.rpt import read_csynth_rpt
from l1emu.latency.reports.values import ReportText, read_source
from l1emu.latency.reports.xml import read_csynth_xml

_DEPTH = 7
"""How deep below a project folder reports are looked for: hls_component/<top>/hls/syn/report is five."""

_NOT_REPORTS = {
    "weights": "the weights of an hls4ml project",
    "tb_data": "test bench data",
    "example-designs": "somebody else's examples",
}


def read_report(path: str | os.PathLike[str]) -> SynthesisReport:
    """Read the report of a design.

    Parameters
    ----------
    path
        A `csynth.xml` (or `.xml.gz`), a `csynth.rpt`, a `cosim.rpt`, a file of transactions, or the folder of a
        Vivado HLS, Vitis HLS, unified or hls4ml project in which they lie.

    Raises
    ------
    L1emuError
        if nothing is found (says where it looked), more than one design is found, or a report is damaged or has no
        latency (says what is missing).
    """
    place = Path(path)
    if place.is_dir():
        return _read_project(place)
    source = read_source(place)
    report = _reader(source)(source)
    if report.kind == "cosimulated" or report.top is None:
        return report
    problems = list(report.problems) + _posing(report.top, place)
    second, disagreements = _companion(report, place)
    problems += disagreements
    modules = report.modules
    if not modules and second is not None:
        modules = second.modules
        problems += wrapper_problems(report.top, report.latency_cycles, report.interval_cycles, modules)
    return replace(report, modules=modules, problems=ordered(problems))


def read_any(path: str | os.PathLike[str]) -> SynthesisReport | Implementation:
    """Read any report: one of cycles, as `read_report` does, or one of utilization alone.

    Raises
    ------
    L1emuError
        as `read_report` does, but not for a report without cycles.
    """
    place = Path(path)
    if not place.is_dir():
        source = read_source(place)
        if is_implementation(source):
            return read_implementation(source)
    return read_report(place)


def _reader(source: ReportText) -> Callable[[ReportText], SynthesisReport]:
    """By content rather than by name, since reports get renamed when they are collected."""
    head = source.data[:4096].lstrip()
    if is_implementation(source):
        raise L1emuError(
            "a report of utilization has no latency",
            path=source.path,
            expected="the csynth.xml or csynth.rpt of the same design",
        )
    if source.path.name.endswith(TRANSACTIONS):
        return read_transactions
    if head.startswith((b"<", b"\xef\xbb\xbf<")):
        return read_csynth_xml
    if re.search(rb"^== V\S+ HLS Report for", source.data, re.MULTILINE):
        return read_csynth_rpt
    if b"Simulation tool" in head or re.search(rb"^\+\s+RTL\s+\+\s+Status", source.data, re.MULTILINE):
        return read_cosim_rpt
    if source.path.suffix == ".ndjson":
        raise L1emuError(
            "oneAPI reports are not read", path=source.path, expected="a report of Vivado HLS or Vitis HLS"
        )
    if re.search(rb"^== Synthesis Summary Report of", source.data, re.MULTILINE):
        raise L1emuError(
            "a synthesis summary has no clock periods",
            path=source.path,
            expected="<top>_csynth.rpt, <top>_csynth.xml or csynth.xml beside it",
        )
    if head.startswith(b"{"):
        return read_hls4ml_json
    raise L1emuError(
        "not a synthesis report",
        path=source.path,
        expected="csynth.xml, csynth.rpt or cosim.rpt of Vivado or Vitis HLS",
    )


def _walk(folder: Path) -> Iterator[Path]:
    """The files below `folder`, sorted, to the depth `_DEPTH`; links to folders are not followed."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_REPORTS and not name.startswith("."))
        if len(Path(here).relative_to(folder).parts) >= _DEPTH:
            folders.clear()
        for name in sorted(files):
            yield Path(here) / name


def _read_project(folder: Path) -> SynthesisReport:
    files = list(_walk(folder))
    top = _project_top(folder, files)
    for pattern in (r"csynth\.xml(\.gz)?$", r"csynth\.rpt$"):
        found = [file for file in files if re.search(pattern, file.name)]
        if found:
            report = _with_cosimulation(read_report(_choose(folder, found, top)), files)
            return _with_implementation(report, files)
    renamed = [file for file in files if file.name.endswith((".xml", ".xml.gz")) and _is_csynth(file)]
    if len(renamed) > 1:
        raise _ambiguous(folder, renamed)
    if renamed:
        return _with_cosimulation(read_report(renamed[0]), files)
    cosim = [file for file in files if re.search(r"cosim\.rpt$", file.name)]
    if cosim:
        reports = [read_report(file) for file in cosim]
        if len({(report.latency_cycles, report.interval_cycles) for report in reports}) > 1:
            raise _ambiguous(folder, cosim)
        return reports[0]
    if (folder / "results.json").is_file():
        raise L1emuError(
            "a results folder of l1emu, not of a synthesis", path=folder, expected="a browser for the report.html in it"
        )
    raise L1emuError(
        f"no synthesis report found (looked at {len(files)} files, {_DEPTH} folders deep)",
        path=folder,
        expected="*csynth.xml, *csynth.rpt or *cosim.rpt in <project>/solution1/syn/report, "
        "<component>/hls/syn/report or the folder itself",
    )


def _is_csynth(file: Path) -> bool:
    """Whether an XML file under another name is a C synthesis report."""
    try:
        data = read_source(file).data
    except L1emuError:
        return False
    return b"<TopModelName>" in data and b"<ReportVersion>" in data


def _choose(folder: Path, found: list[Path], top: str | None) -> Path:
    """The top's own report among those of its modules."""

    def stem(file: Path) -> str:
        return re.sub(r"_?csynth\.(xml(\.gz)?|rpt)$", "", file.name)

    if top is not None:
        named = [file for file in found if stem(file) == top]
        if not named:
            named = [file for file in found if stem(file) == ""]
        if not named:
            raise L1emuError(
                f"no report of the top function {top}, only of {len(found)} of its modules",
                path=folder,
                value=found[0].name,
                expected=f"{top}_csynth.xml",
            )
    else:
        named = [file for file in found if stem(file) and not looks_like_layer(stem(file))]
        named = [file for file in named if _caller(stem(file), file) is None]
        named = named or [file for file in found if stem(file) == ""]
        if not named:
            raise L1emuError(
                f"only reports of modules ({len(found)}), none of a top function",
                path=folder,
                value=found[0].name,
                expected="<top>_csynth.xml",
            )
    if len(named) > 1:
        raise _ambiguous(folder, named)
    return named[0]


def _ambiguous(folder: Path, files: list[Path]) -> L1emuError:
    names = ", ".join(str(file.relative_to(folder)) for file in files[:4])
    return L1emuError(f"{len(files)} designs below this folder", path=folder, expected=f"one of them as PATH: {names}")


def _project_top(folder: Path, files: list[Path]) -> str | None:
    """The top function as the project's own file names it, None where there is none or several disagree."""
    tops = {top for file in files if (top := _named_top(file)) is not None}
    return tops.pop() if len(tops) == 1 else None


def _named_top(file: Path) -> str | None:
    patterns = {
        "hls.app": r'\btop="(\w+)"',
        "vivado_hls.app": r'\btop="(\w+)"',
        "hls_config.cfg": r"^\s*syn\.top\s*=\s*(\w+)",
        "hls4ml_config.yml": r"^ProjectName:\s*(\w+)\s*$",
    }
    pattern = patterns.get(file.name)
    if pattern is None:
        return None
    try:
        text = read_bytes(file, limit=TEXT_LIMIT).decode("utf-8", errors="replace")
    except L1emuError:
        return None
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else None


def _posing(name: str, file: Path) -> list[Problem]:
    """Whether this is the report of a module inside a design, which a reader may take for the whole."""
    top = _top_above(file) or _caller(name, file)
    if top is not None and top != name:
        return [Problem(f"this is the report of the module {name} inside {top}, not of the whole design", voids=True)]
    if top is None and looks_like_layer(name):
        return [
            Problem(
                f"the top {name} is named like a layer: this is the report of a module, not of the whole design",
                voids=True,
            )
        ]
    stem = re.sub(r"_?csynth(\.excerpt)?\.(xml(\.gz)?|rpt)$", "", file.name)
    if top is None and file.name.endswith(("csynth.xml", "csynth.rpt")) and stem not in ("", name):
        return [Problem(f"the file is named after {stem} but reports {name}")]
    return []


def _top_above(file: Path) -> str | None:
    """The project's top: from a project file in one of the folders above, as deep as the layouts go."""
    names = ("hls.app", "vivado_hls.app", "hls_config.cfg", "hls4ml_config.yml")
    folder = file.resolve().parent
    for _ in range(6):
        for name in names:
            if (folder / name).is_file() and (top := _named_top(folder / name)) is not None:
                return top
        if folder == folder.parent:
            break
        folder = folder.parent
    return None


def _caller(name: str, file: Path) -> str | None:
    """The design whose report beside `file` lists `name` as a module of its own."""
    word = re.escape(name.encode())
    called = re.compile(rb"\|\s*grp_" + word + rb"_fu_\d+|\|\s*" + word + rb"\s*\||<Name>" + word + rb"</Name>")
    for other in sorted(file.parent.glob("*csynth.*")):
        if other == file or not other.is_file() or re.sub(r"_?csynth\..*$", "", other.name) == name:
            continue
        try:
            data = read_source(other).data
        except L1emuError:
            continue
        own = re.search(rb"<TopModelName>\s*(\w+)\s*</TopModelName>|^== V.* Report for '(\w+)'", data, re.MULTILINE)
        top = (own[1] or own[2]).decode() if own else None
        if top is not None and top != name and called.search(data):
            return top
    return None


def _companion(report: SynthesisReport, file: Path) -> tuple[SynthesisReport | None, list[Problem]]:
    """The same report in the tool's other format beside it, and where the two disagree: damage to one shows."""
    match = re.fullmatch(r"(.*csynth)\.(xml|rpt)", file.name)
    # Vitis writes csynth.rpt, without a name, in a wholly different form: a summary of all modules.
    if match is None or match[1] == "csynth":
        return None, []
    other = file.with_name(f"{match[1]}.{'rpt' if match[2] == 'xml' else 'xml'}")
    if not other.is_file():
        return None, []
    try:
        source = read_source(other)
        second = _reader(source)(source)
    except L1emuError as error:
        return None, [Problem(f"the same report in {other.name} cannot be read ({error.message})")]
    return second, [
        Problem(f"{file.name} and {other.name} disagree: {name} {here} against {there}", voids=True)
        for name, here, there in _compared(report, second)
        if here != there
    ]


def _compared(report: SynthesisReport, second: SynthesisReport) -> Iterator[tuple[str, object, object]]:
    for name in ("top", "version", "part", "latency_cycles", "interval_cycles"):
        yield name, getattr(report, name), getattr(second, name)
    for name in ("clock_target_ns", "clock_estimated_ns"):
        here, there = getattr(report, name), getattr(second, name)
        # The text prints four digits, in us when the period is long: 0.916 us for 915.506 ns.
        close = abs(here - there) <= 0.001 * max(here, there)
        yield name, here, here if close else there
    for name in ("resources", "available"):
        used, again = getattr(report, name).as_dict(), getattr(second, name).as_dict()
        for key, here in used.items():
            if here is not None and again[key] is not None:
                yield f"{name} {key}", here, again[key]


def _with_cosimulation(report: SynthesisReport, files: list[Path]) -> SynthesisReport:
    """Put the co-simulation of the same design, if it passed, beside the claim of the C synthesis."""
    if report.void and any("not of the whole design" in problem.text for problem in report.problems):
        return report
    problems = list(report.problems)
    measured: list[tuple[int, int]] = []
    for file in files:
        if not re.search(r"cosim\.rpt$", file.name):
            continue
        try:
            cosim = read_report(file)
        except L1emuError as error:
            problems.append(Problem(f"{file.name} gives no latency: {error.message}"))
            continue
        if cosim.top == report.top or file.name == "hls_cosim.rpt":
            measured.append(cosim.latency_cycles)
    if not measured:
        return replace(report, problems=ordered(problems))
    low, high = min(m[0] for m in measured), max(m[1] for m in measured)
    if high > report.latency_cycles[1]:
        problems.append(
            Problem(
                f"co-simulation took up to {high} cycles, C synthesis claims at most {report.latency_cycles[1]}: "
                "the claim is void",
                voids=True,
            )
        )
    elif (low, high) != report.latency_cycles:
        problems.append(
            Problem(
                f"co-simulation took {_span((low, high))} cycles, C synthesis claims {_span(report.latency_cycles)}: "
                "fewer on the inputs that were simulated prove nothing of others, so the claim is kept"
            )
        )
    return replace(report, cosimulated_cycles=(low, high), problems=ordered(problems))


def _with_implementation(report: SynthesisReport, files: list[Path]) -> SynthesisReport:
    """Put the furthest utilization and clock of the same project beside the claim of the C synthesis."""
    if report.void and any("not of the whole design" in problem.text for problem in report.problems):
        return report
    problems = list(report.problems)
    found: list[Implementation] = []
    for file in files:
        if not re.search(r"vivado_synth\.rpt$|_utilization_\w+\.rpt$|_export\.(rpt|xml)$", file.name):
            continue
        try:
            source = read_source(file)
            if is_implementation(source):
                found.append(read_implementation(source))
        except L1emuError as error:
            problems.append(Problem(f"{file.name} cannot be read: {error.message}"))
    if not found:
        return replace(report, problems=ordered(problems))
    order = ("synthesized", "placed", "routed")
    best = max(found, key=lambda i: (order.index(i.stage), bool(i.clock_achieved_ns), i.available.lut is not None))
    if best.part is not None and report.part is not None and not _same_part(best.part, report.part):
        problems.append(
            Problem(f"{Path(best.path).name} is for {best.part}, C synthesis for {report.part}: not the same design")
        )
    else:
        problems += [problem for problem in best.problems if problem.voids or "does not fit" in problem.text]
    return replace(report, implementation=best, problems=ordered(problems))


def _same_part(one: str, other: str) -> bool:
    """Whether two spellings mean one part: logic synthesis leaves out `xc`, the first dash, the temperature grade."""
    a, b = (re.sub(r"[^a-z0-9]", "", part.lower()).removeprefix("xc") for part in (one, other))
    return a.startswith(b) or b.startswith(a)


def _span(cycles: tuple[int, int]) -> str:
    return str(cycles[0]) if cycles[0] == cycles[1] else f"{cycles[0]} to {cycles[1]}"
