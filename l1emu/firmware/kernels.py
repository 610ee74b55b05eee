"""Which kernels the project's own headers hold, told from their code and not from a version number.

Every kernel that a layer runs is compared, token by token (comments, pragmas and white space aside), with those
whose arithmetic is known, see `l1emu.firmware.known`. The comparison is by hash. A kernel that differs is refused, by
the first token that differs from the nearest known one: its arithmetic may differ. Statements that only print, which
people add to look into a simulation, are left out of a kernel that is not known with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes
from l1emu.firmware.cxx.lexer import Lexed, Place, Token, template_end
from l1emu.firmware.cxx.parser import statements
from l1emu.firmware.known import find, of_name
from l1emu.firmware.known.tokens import difference
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
    words = {"and", "not", "or"}
    name = next((a for a, b in itertools.pairwise(head) if b == "(" and a.isidentifier() and a not in words), "")
    return f"enable_if/{name}" if name else None


def _without_prints(tokens: list[Token]) -> list[Token]:
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


@dataclass(frozen=True)
class Definition:
    """What one header has by one name, overloads together: where it stands, its tokens and their fingerprint."""

    header: Lexed
    tokens: tuple[Token, ...]
    parts: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The first 16 digits of the SHA-256 of the tokens."""
        return sha256_bytes("\n".join(self.parts).encode())[:16]


def definitions(headers: Iterable[Lexed], *, prints: bool = True) -> dict[str, list[Definition]]:
    """Every definition in kernels' headers, by name; with `prints=False` without statements that only print.

    Those of the headers for io_stream are under ``stream/name``, those for distributed arithmetic under ``da/name``,
    the activations of recurrent layers under ``recr/name``: the same name is another overload, or a class, there.
    """
    found: dict[str, list[Definition]] = {}
    for lexed in headers:
        if lexed.path.name == "nnet_code_gen.h":
            continue  # written for the project; the reader looks into it where it matters
        here: dict[str, list[list[Token]]] = {}
        for statement in statements(lexed.tokens, lexed.path):
            place = Place(lexed.path, statement[0].line)
            name = defined_name(statement, place)
            if name is not None:
                here.setdefault(name, []).append(statement if prints else _without_prints(statement))
            else:
                _check_nameless(statement, place)
        for name, parts in here.items():
            texts = tuple(" ".join(token.text for token in part) for part in parts)
            together = tuple(token for part in parts for token in part)
            found.setdefault(_prefix(lexed.path.name) + name, []).append(Definition(lexed, together, texts))
    return found


def _check_nameless(statement: list[Token], place: Place) -> None:
    """Refuse operators and directives for names among the kernels: both change what other kernels compute."""
    texts = [token.text for token in statement]
    head = texts[: texts.index("{")] if "{" in texts else texts
    if "operator" in head or texts[0] == "namespace" or (texts[0] == "using" and texts[1] == "namespace"):
        raise place.error("this among the kernels is not supported", " ".join(head)[:100])


def _prefix(header: str) -> str:
    """What tells the definitions of a header from those of the same name in others."""
    for word, prefix in (("stream", "stream/"), ("_da_", "da/"), ("_recr_", "recr/")):
        if word in header:
            return prefix
    return ""


class Kernels:
    """The kernels of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._found = definitions(project.headers.values())

    def require(self, place: Place, *names: str) -> None:
        """Raise `L1emuError` unless each definition is present and computes what is described first here."""
        for name in names:
            if self.variant(place, name):
                raise self._other(name)

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
        if name not in self._found:
            raise place.error(f"the kernel nnet::{name} is not in the headers that are included")
        words = set()
        for i, definition in enumerate(self._found[name]):
            header = definition.header.path.stem
            known = find(name, definition.fingerprint, header) or find(name, self._quiet[name][i].fingerprint, header)
            if known is None:
                raise self._unknown(name, definition, self._quiet[name][i])
            words.add(known.variant)
        if len(words) > 1:
            raise self._of_several(name)
        return words.pop()

    @cached_property
    def _quiet(self) -> dict[str, list[Definition]]:
        """The definitions without statements that only print."""
        return definitions(self._project.headers.values(), prints=False)

    @cached_property
    def _words(self) -> set[str]:
        """The words of all kernels' headers."""
        return {token.text for header in self._project.headers.values() for token in header.tokens}

    def _unknown(self, name: str, found: Definition, quiet: Definition) -> L1emuError:
        """Where a definition parts from the known one nearest to it, with its prints or without them."""
        path, message = found.header.path, f"the kernel nnet::{name} is not one whose arithmetic is known here"
        differences = [difference(name, one.tokens, self._words) for one in (quiet, found)]
        nearest = max((one for one in differences if one), key=lambda one: one.likeness, default=None)
        if nearest is None:
            return L1emuError(message, path=path, where=f"line {found.tokens[0].line}: {name}")
        return L1emuError(
            f'{message}; it first differs from that of {nearest.known.origin} in "{nearest.around}"',
            path=path,
            where=f"line {nearest.line}: {name}",
            value=nearest.found or "nothing more",
            expected="another name" if nearest.expected is None else repr(nearest.expected),
        )

    def _other(self, name: str) -> L1emuError:
        """A known definition, of an arithmetic that its layer is not read with."""
        found = self._found[name][0]
        known = find(name, found.fingerprint, found.header.path.stem) or find(
            name, self._quiet[name][0].fingerprint, found.header.path.stem
        )
        usual = next((one for one in of_name(name).values() if not one.variant), None)
        return L1emuError(
            f"the kernel nnet::{name} has an arithmetic that this layer is not read with",
            path=found.header.path,
            where=f"line {found.tokens[0].line}: {name}",
            value=f"that of {known.origin}" if known else None,
            expected=f"that of {usual.origin}" if usual else None,
        )

    def _of_several(self, name: str) -> L1emuError:
        """Definitions of one name, in several headers, that compute different things."""
        first, *_, last = self._found[name]
        return L1emuError(
            f"two headers define nnet::{name}, with another arithmetic each",
            path=last.header.path,
            where=f"line {last.tokens[0].line}: {name}",
            expected=f"one definition, or that of {first.header.path.name} again",
        )
