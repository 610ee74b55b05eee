"""Which kernels the project's own headers hold, told from their code and not from a version number.

Every kernel that a layer runs is compared, token by token (comments, pragmas and white space aside), with those
whose arithmetic is known here. The comparison is by hash. A kernel that differs is refused by name: its arithmetic
may differ. Statements that only print, which people add to look into a simulation, are left out of a kernel that is
not known with them.
"""

from __future__ import annotations

import itertools
from functools import cached_property

from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes
from l1emu.firmware.cpp import Place, Token, statements, template_end
from l1emu.firmware.known import KNOWN
from l1emu.firmware.project import Project


def defined_name(statement: list[Token], place: Place) -> str | None:
    """The name of the function, class or struct that a statement at namespace level defines."""
    tokens = statement
    while tokens and tokens[0].text == "template":
        tokens = tokens[template_end(tokens, 1, place.path) + 1 :]
    texts = [token.text for token in tokens]
    if not texts or "{" not in texts:
        return None
    if texts[0] in ("struct", "class"):
        return texts[1]
    head = texts[: texts.index("{")]
    if "(" not in head or texts[0] == "enum":
        return None
    name = head[head.index("(") - 1]
    if name.isidentifier():
        return name
    # a result type such as std::enable_if<(...)>::type has brackets too: those overloads stand apart
    name = next((a for a, b in itertools.pairwise(head) if b == "(" and a.isidentifier()), "")
    return f"enable_if/{name}" if name else None


def without_prints(tokens: list[Token]) -> list[Token]:
    """A definition without its statements ``std::cout << ...;`` that call and assign nothing, and loops over them."""
    kept: list[Token] = []
    i = 0
    while i < len(tokens):
        texts = [token.text for token in tokens[i : i + 4]]
        if texts == ["std", "::", "cout", "<<"] and kept and kept[-1].text in (";", "{", "}"):
            end = next((j for j in range(i, len(tokens)) if tokens[j].text == ";"), len(tokens))
            if not _CHANGES.intersection(token.text for token in tokens[i:end]):
                i = end + 1
                continue
        kept.append(tokens[i])
        i += 1
        if tokens[i - 1].text == "}":
            _drop_empty_loop(kept)
    return kept


_CHANGES = {"(", "{", "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", "++", "--"}


def _drop_empty_loop(kept: list[Token]) -> None:
    """Drop ``for (int i = ...; ...; i++) {}`` from the end, where it is a statement of its own."""
    if [token.text for token in kept[-3:]] != [")", "{", "}"]:
        return
    opening = next((j for j in range(len(kept) - 4, 0, -1) if kept[j].text == "("), 0)
    texts = [token.text for token in kept[opening - 1 : -3]]
    loop = texts[:3] in (["for", "(", "int"], ["for", "(", "unsigned"]) and texts[4:5] == ["="]
    name = texts[3] if loop else ""
    counted = texts[-2:] in ([name, "++"], ["++", name]) and not _CHANGES.intersection(texts[5:-2])
    if loop and counted and kept[opening - 2].text in (";", "{", "}"):
        del kept[opening - 1 :]


def fingerprints(project: Project, *, prints: bool = True) -> dict[str, str]:
    """The fingerprint of every definition in the kernels' headers, overloads of one name together.

    Those of the headers for io_stream are under ``stream/name``, those for distributed arithmetic under ``da/name``:
    the same name is another overload there.
    """
    texts: dict[str, list[str]] = {}
    for lexed in project.headers.values():
        if lexed.path.name == "nnet_code_gen.h":
            continue  # written for the project; the reader looks into it where it matters
        for statement in statements(lexed.tokens, lexed.path):
            name = defined_name(statement, Place(lexed.path, statement[0].line))
            if name is not None:
                name = _prefix(lexed.path.name) + name
                tokens = statement if prints else without_prints(statement)
                texts.setdefault(name, []).append(" ".join(token.text for token in tokens))
    return {name: sha256_bytes("\n".join(parts).encode())[:16] for name, parts in texts.items()}


def _prefix(header: str) -> str:
    """What tells the definitions of a header from those of the same name in others."""
    return "stream/" if "stream" in header else "da/" if "_da_" in header else ""


class Kernels:
    """The kernels of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._found = fingerprints(project)

    def require(self, place: Place, *names: str) -> None:
        """Raise `L1emuError` unless each definition is present and computes what is described first here."""
        for name in names:
            if self.variant(place, name):
                raise self._unknown(name)

    def present(self, name: str) -> bool:
        """Whether the project's headers define it."""
        return name in self._found

    def variant(self, place: Place, name: str) -> str:
        """Which of the known arithmetics a definition has: a word of `l1emu.firmware.known`.

        Raises
        ------
        L1emuError
            if the definition is missing, or not known.
        """
        found = self._found.get(name)
        if found is None:
            raise place.error(f"the kernel nnet::{name} is not in nnet_utils")
        known = KNOWN.get(name, {})
        if known and found not in known:
            found = self._quiet[name]
        if found not in known:
            raise self._unknown(name)
        return known[found]

    @cached_property
    def _quiet(self) -> dict[str, str]:
        """The fingerprints without statements that only print."""
        return fingerprints(self._project, prints=False)

    def _unknown(self, name: str) -> L1emuError:
        return L1emuError(
            f"the kernel nnet::{name} is not one whose arithmetic is known here",
            path=self._project.firmware / "nnet_utils" / self._where(name),
            where=name,
            value=self._found[name],
            expected=" or ".join(sorted(KNOWN.get(name, ()))) or None,
        )

    def _where(self, name: str) -> str:
        for lexed in self._project.headers.values():
            prefix = _prefix(lexed.path.name)
            if not name.startswith(prefix):
                continue
            for statement in statements(lexed.tokens, lexed.path):
                if defined_name(statement, Place(lexed.path, statement[0].line)) == name.removeprefix(prefix):
                    return lexed.path.name
        return ""
