"""Add the kernels of another release of hls4ml to those whose arithmetic is known: a developer's command.

    python -m l1emu.firmware.known compare TEMPLATES
    python -m l1emu.firmware.known add TEMPLATES --origin "hls4ml 1.4.0" [--only NAME ...]

TEMPLATES is a folder of kernels' headers (``nnet_utils``), or one that has ``vivado/nnet_utils`` and
``vitis/nnet_utils`` below it, as an unpacked wheel does. ``compare`` says of each definition that is known by name
what changed against the nearest one; ``add`` also writes: a definition whose fingerprint is known gets the origin, the
others become drafts without a meaning, which the reader does not accept. Read what changed, compute it by hand or with
the project's C++, fill in `meaning` (and `variant`, where the arithmetic is another) in the JSON file, and add a test
that verifies a project. With ``--only`` the names need not be known yet.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.firmware.cxx.lexer import Lexed, Token
from l1emu.firmware.kernels import Definition, definitions
from l1emu.firmware.known import FOLDER, Known, find, headers, of_header, of_name, split_origin
from l1emu.firmware.known.tokens import append, nearest_tokens, words_of
from l1emu.firmware.preprocess import Unit

_AROUND = 4  # tokens before a change that are shown
_LONG = 60  # tokens of a change that are shown


@dataclass(frozen=True)
class Found:
    """A definition of a template."""

    name: str
    definition: Definition
    backend: str

    @property
    def header(self) -> str:
        """The header's name without its suffix."""
        return self.definition.header.path.stem

    @property
    def known(self) -> Known | None:
        """The known definition that it is."""
        return find(self.name, self.definition.fingerprint, self.header)

    def origin(self, origin: str) -> str:
        """The origin, which says so where only Vitis has this definition."""
        source, versions = split_origin(origin)
        return " ".join([source, *([self.backend] if self.backend else []), *versions])


def _folders(root: Path) -> dict[str, Path]:
    """The folders of kernels' headers below a folder, by backend: empty for those that all backends take.

    Raises
    ------
    L1emuError
        if there is none.
    """
    if any(root.glob("nnet_*.h")):
        return {"": root}
    for parent in (root, root / "templates", root / "hls4ml" / "templates"):
        found = {"": parent / "vivado" / "nnet_utils", "Vitis": parent / "vitis" / "nnet_utils"}
        there = {backend: folder for backend, folder in found.items() if folder.is_dir()}
        if there:
            return there
    raise L1emuError("no headers of kernels", path=root, expected="nnet_utils/, or vivado/nnet_utils/ below it")


def read(root: Path) -> Iterator[Found]:
    """The definitions of the templates below a folder; headers that are not understood are named and left out."""
    by_backend = _folders(root)
    seen: set[tuple[str, str]] = set()  # Vitis has copies of what it does not change
    for backend, folder in by_backend.items():
        for path in sorted(folder.glob("nnet_*.h")):
            if path.name == "nnet_code_gen.h":
                continue
            try:
                unit = Unit(path, root, tuple(by_backend.values()))
                found = definitions([Lexed(path, unit.files[path].code)])
            except L1emuError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            for name, several in found.items():
                for definition in several:
                    if (name, definition.fingerprint) not in seen:
                        seen.add((name, definition.fingerprint))
                        yield Found(name, definition, backend)


def _changes(tokens: Iterable[Token], theirs: list[str], words: Iterable[str]) -> Iterator[str]:
    """What changed from a known definition, of which the tokens' hashes are given: ``- old`` and ``+ new`` pieces."""
    mine = [token.text for token in tokens]
    old = [word or "…" for word in words_of(theirs, {*words, *mine})]
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, mine, autojunk=False).get_opcodes():
        if kind != "equal":
            pieces = [" ".join(part[:_LONG]) + " …" * (len(part) > _LONG) for part in (old[i:j], mine[k:m])]
            before = " ".join(mine[max(0, k - _AROUND) : k])
            yield f"{before} [-{pieces[0]}-] [+{pieces[1]}+]"


def _rendered(definitions_: dict[str, dict[str, Known]]) -> str:
    """The JSON file of a header's definitions."""
    document = {
        name: {
            fingerprint: {
                **({"variant": known.variant} if known.variant else {}),
                "meaning": known.meaning,
                "origins": known.origins,
            }
            for fingerprint, known in entries.items()
        }
        for name, entries in sorted(definitions_.items())
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _with_origin(known: Known, origin: str) -> Known:
    """A known definition, found in another place: a version more of a source, or a source more."""
    source, versions = split_origin(origin)
    origins = [split_origin(had) for had in known.origins]
    if source not in [had for had, _ in origins]:
        origins.append((source, []))
    for had, of_it in origins:
        if had == source:
            of_it += [version for version in versions if version not in of_it]
    return replace(known, origins=tuple(" ".join([had, *of_it]) for had, of_it in origins))


def _add(found: Iterable[Found], origin: str) -> list[Path]:
    """Write definitions with their origin: into the files that know them, else as drafts into those of their headers.

    Returns
    -------
    list of Path
        The JSON files that changed.
    """
    files: dict[str, dict[str, dict[str, Known]]] = {}
    added: list[tuple[str, str, list[str]]] = []
    for one in found:
        name, fingerprint = one.name, one.definition.fingerprint
        header = next((h for h in (one.header, *headers()) if fingerprint in of_header(h).get(name, {})), one.header)
        entries = files.setdefault(header, {key: dict(had) for key, had in of_header(header).items()})
        mine = entries.setdefault(name, {})
        mine[fingerprint] = _with_origin(mine.get(fingerprint, Known(name, fingerprint, "", ())), one.origin(origin))
        added.append((name, fingerprint, [token.text for token in one.definition.tokens]))
    changed = []
    for header, entries in files.items():
        path, text = FOLDER / f"{header}.json", _rendered(entries)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    append(added)
    return changed


def _in_full(known: Known) -> str:
    """What a definition computes, with the meanings of those that its own refers to."""
    meaning = known.meaning
    for begin in re.findall(r"\b[0-9a-f]{8}\b", meaning):
        other = next(one for fingerprint, one in of_name(known.name).items() if fingerprint.startswith(begin))
        meaning += f" {begin}: {_in_full(other)}"
    return meaning


def _report(found: Iterable[Found], words: set[str]) -> Iterator[str]:
    """Of each definition that is not known: where it is, the nearest known one, and what changed."""
    for one in found:
        if one.known is not None:
            continue
        path, tokens = one.definition.header.path, one.definition.tokens
        yield f"{one.name} ({path.parent.parent.name}/{path.parent.name}/{path.name}, line {tokens[0].line})"
        like = nearest_tokens(one.name, tokens)
        if like is None:
            yield "  new: no definition of this name is known"
            continue
        known, theirs, likeness = like
        yield f"  {likeness:.0%} like that of {known.origin}: {_in_full(known)}"
        yield from (f"    … {change}" for change in _changes(tokens, theirs, words))


def main(arguments: list[str] | None = None) -> None:
    """The command line of the module."""
    parser = argparse.ArgumentParser(
        prog="python -m l1emu.firmware.known", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("compare", "add"))
    parser.add_argument("templates", type=Path)
    parser.add_argument("--origin", help="source and version, such as 'hls4ml 1.4.0'; add needs it")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these definitions, whether their names are known")
    given = parser.parse_args(arguments)
    if given.command == "add" and not given.origin:
        parser.error("add needs --origin")
    try:
        everything = list(read(given.templates))
    except L1emuError as error:
        parser.exit(2, f"{error}\n")
    found = [one for one in everything if (one.name in given.only if given.only else of_name(one.name))]
    missing = set(given.only or ()) - {one.name for one in found}
    if missing:
        parser.exit(2, f"not in the templates: {', '.join(sorted(missing))}\n")
    words = {token.text for one in everything for token in one.definition.tokens}
    for line in _report(found, words):
        print(line)
    new = {(one.name, one.definition.fingerprint) for one in found if one.known is None}
    print(f"{len(found)} definitions of kernels, {len(new)} of them not known")
    if given.command == "add":
        for path in _add(found, given.origin):
            print(f"written: {path}")


if __name__ == "__main__":
    main()
