"""Which of hls4ml's backends a project was written for, and whether it is one of those understood here.

Sources for other tools look much the same, with the same names of layers, and mean other circuits and other
arithmetic: a number made out of them would be wrong without looking so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from l1emu.errors import L1emuError
from l1emu.files import read_text

BACKENDS = ("Vivado", "Vitis", "VivadoAccelerator", "VitisAccelerator")
"""The backends that are understood; hls4ml takes their names in any case of letters."""

UNKNOWN = "unknown"
"""The backend of a project that states none, as one that was written by hand."""

_CONFIG_LIMIT = 4 << 20

_TELLTALES = (
    ("oneAPI", r"#\s*include\s*<sycl/|\bsycl\s*::"),
    ("Quartus", r'#\s*include\s*"HLS/|\b__INTELFPGA_COMPILER__\b|\bihc\s*::|\bhls_component\b'),
    ("Catapult", r"#\s*include\s*[<\"](?:ac_channel|mc_scverify)\.h|#\s*pragma\s+hls_design\b|\bac_channel\s*<"),
    ("Libero", r"#\s*include\s*<hls/(?:ap_fixpt|streaming)\.hpp>|\bap_u?fixpt\s*<|#\s*pragma\s+HLS\s+function\s+top\b"),
    ("Bambu", r"#\s*pragma\s+HLS_interface\b|\b__BAMBU__\b"),
    ("Quartus, oneAPI or Catapult", r"\bac_(?:fixed|int)\s*<|#\s*include\s*[<\"]ac_(?:fixed|int)\.h"),
)
"""What sources for other tools show: their headers, types and pragmas."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_FOLDERS = ("firmware", "src/firmware", "NN", ".")
_NAME = re.compile(r"(?m)^ProjectName:[ \t]*['\"]?(\w+)['\"]?[ \t]*$")
_TCL = re.compile(r'(?m)^\s*set\s+backend\s+[{"]?([^\s"};]*)')


def supported(name: str) -> str | None:
    """A backend's name as hls4ml spells it, or None if it is not one of `BACKENDS`."""
    return next((known for known in BACKENDS if known.lower() == name.strip().lower()), None)


def tool_of(backend: str) -> str | None:
    """The HLS tool that a backend's scripts start, Vivado or Vitis; None for `UNKNOWN`."""
    return next((tool for tool in ("Vivado", "Vitis") if backend.startswith(tool)), None)


def read_backend(root: Path) -> str:
    """The backend of the project in the folder `root`; `UNKNOWN` where nothing there names one.

    ``hls4ml_config.yml`` names it, else ``project.tcl``; and the sources must not show the marks of another tool.

    Raises
    ------
    L1emuError
        if a file names a backend that is not in `BACKENDS`, if the sources are another tool's, or if
        ``hls4ml_config.yml`` is not YAML.
    """
    found = []
    for path, where, name in _stated(root):
        known = supported(name)
        if known is None:
            raise L1emuError(
                "this backend is not supported", path=path, where=where, value=name, expected=", ".join(BACKENDS)
            )
        found.append(known)
    # what is said of a project does not make another tool's sources those of Vivado or Vitis
    for path in _sources(root):
        if found and path.name != "defines.h":
            continue
        text = _COMMENT.sub(" ", read_text(path))
        for name, mark in _TELLTALES:
            seen = re.search(mark, text)
            if seen:
                raise L1emuError(
                    f"these are sources for the backend {name}, which is not supported",
                    path=path,
                    value=seen[0],
                    expected=", ".join(BACKENDS),
                )
    return found[0] if found else UNKNOWN


def stated_name(root: Path) -> str | None:
    """The top function's name, the key ``ProjectName`` of ``hls4ml_config.yml`` in a folder; None without it."""
    path = root / "hls4ml_config.yml"
    found = _NAME.search(read_text(path, limit=_CONFIG_LIMIT)) if path.is_file() else None
    return found[1] if found else None


def _stated(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Each file that names a backend, the place in it, and the name."""
    config = root / "hls4ml_config.yml"
    if config.is_file():
        stated = _from_yaml(config)
        if stated is not None:
            yield config, f"line {stated[0]}, key Backend", stated[1]
    script = root / "project.tcl"
    if script.is_file():
        text = read_text(script)
        named = _TCL.search(text)
        if named:
            yield script, f"line {text.count(chr(10), 0, named.start(1)) + 1}", named[1]


def _from_yaml(path: Path) -> tuple[int, str] | None:
    """Line and value of the key ``Backend`` of the outermost mapping; None if it is not there.

    The file is only parsed: it holds tags of Python objects that nobody needs here. The last of equal keys counts, as
    it does for hls4ml.
    """
    text = read_text(path, limit=_CONFIG_LIMIT)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth, key, expects_key = 0, "", True
    found: tuple[int, str] | None = None
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            empty = isinstance(event, yaml.ScalarEvent) and not event.value
            if isinstance(event, yaml.NodeEvent) and depth == 0 and not empty:
                if not isinstance(event, yaml.MappingStartEvent):
                    raise L1emuError("not a mapping of keys to values", path=path, expected="hls4ml's configuration")
            elif isinstance(event, yaml.NodeEvent) and depth == 1:
                if expects_key:
                    key = event.value if isinstance(event, yaml.ScalarEvent) else ""
                elif key == "Backend":
                    value = event.value if isinstance(event, yaml.ScalarEvent) else "not a name"
                    found = (event.start_mark.line + 1 if event.start_mark else 1, value)
                expects_key = not expects_key
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", "")
        where = f"line {mark.line + 1}" if mark else None
        raise L1emuError(f"not valid YAML: {problem}", path=path, where=where) from None
    return found


def _sources(root: Path) -> Iterator[Path]:
    """The project's own sources and headers; the first folder that holds any, as hls4ml's backends lay them out."""
    for folder in _FOLDERS:
        paths = [p for p in sorted((root / folder).glob("*")) if p.suffix in (".cpp", ".h") and p.is_file()]
        if any(p.name in ("defines.h", "parameters.h") for p in paths):
            yield from paths
            return
