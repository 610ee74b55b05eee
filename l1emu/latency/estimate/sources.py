"""What synthesis finds in a project beside its top function: weights in headers, functions that hls4ml generated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.cxx.lexer import Place, Token, matching, template_end
from l1emu.firmware.cxx.parser import Declaration
from l1emu.firmware.preprocess import Unit
from l1emu.firmware.project import Project
from l1emu.firmware.weights import from_initializer, from_text

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_CODE_LIMIT = 64 << 20  # sums of a large model are long
_QUALIFIERS = ("const", "static", "constexpr", "inline", "extern")


# Weights ------------------------------------------------------------------------------------------------------------


def raw_weights(project: Project, name: str, count: int) -> Ints | None:
    """The integers of an array of `count` weights, in the order of its initializer; None where they are not known.

    Synthesis takes them from the header, which is read as synthesis sees it, with ``__SYNTHESIS__`` defined. Where the
    header holds no numbers, the text file that the C simulation loads has the same. Weights that are powers of two come
    as ones: a product with one is a shift whatever its exponent.
    """
    folder = project.firmware / "weights"
    together = project.firmware / "weights.h"
    header = folder / f"{name}.h"
    if not re.fullmatch(r"\w+", name):
        return None
    text = folder / f"{name}.txt"
    for path in (header, together):
        if not path.is_file():
            continue
        try:
            found = _in_header(project, path, name)
            if found is None:
                continue
            kind_tokens, value = found
            place = Place(path, 1)
            if _powers(project, kind_tokens, place):
                return np.ones(count, dtype=np.int64)
            kind = project.type(kind_tokens, place)
            if len(value) not in (0, 2):  # two are the braces of none
                return from_initializer(Declaration(place, "array", tuple(kind_tokens), value), count, kind)
            return from_text(text, count, kind) if text.is_file() else None
        except L1emuError:
            return None
    return None


def _powers(project: Project, kind: list[Token], place: Place) -> bool:
    try:
        project.exponent_type(kind, place)
    except L1emuError:
        return False
    return True


def _in_header(project: Project, path: Path, name: str) -> tuple[list[Token], tuple[Token, ...]] | None:
    """The tokens of an array's type, and those of its numbers in one pair of braces; no numbers if it has none."""
    tokens = Unit(path, project.root, (project.firmware,), synthesis=True).files[path].code
    for i, token in enumerate(tokens[:-1]):
        if token.text != name or tokens[i + 1].text != "[":
            continue
        end = i + 1
        while end < len(tokens) and tokens[end].text == "[":
            end = next((j for j in range(end, len(tokens)) if tokens[j].text == "]"), len(tokens)) + 1
        start = i
        while start > 0 and tokens[start - 1].text not in (";", "{", "}"):
            start -= 1
        kind = [t for t in tokens[start:i] if t.text not in _QUALIFIERS]
        if end < len(tokens) and tokens[end].text == "=":
            end += 1
        if end < len(tokens) and tokens[end].kind == "numbers":
            return kind, (tokens[end],)
        if end >= len(tokens) or tokens[end].text != "{":
            return kind, ()
        return kind, _flat(tokens[end : matching(tokens, end, path) + 1], path)
    return None


def _flat(tokens: list[Token], path: Path) -> tuple[Token, ...]:
    """An initializer without inner braces, and each number without what makes it: ``weight_t(0.5)``, ``0.5f``."""
    kept: list[Token] = [tokens[0]]
    i = 1
    while i < len(tokens) - 1:
        token = tokens[i]
        if token.kind == "name" and token.text not in ("f", "F"):
            after = template_end(tokens, i + 1, path) + 1 if tokens[i + 1].text == "<" else i + 1
            if after < len(tokens) and tokens[after].text in ("(", "::"):
                i = after
                continue
        elif token.kind == "numbers":
            kept.append(Token("numbers", token.text[1:-1], token.line, token.start))
        elif token.text not in ("{", "}", "(", ")") and token.kind != "name":
            stated = token.text.rstrip("fFlL") if token.kind == "number" else token.text
            kept.append(Token(token.kind, stated, token.line, token.start))
        i += 1
    while len(kept) > 1 and kept[-1].text == ",":
        kept.pop()
    return (*kept, tokens[-1])


# Generated functions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Adders:
    """A matrix product that was unrolled into sums of shifted inputs (distributed arithmetic).

    Attributes
    ----------
    n_in, n_out
        Its inputs and outputs.
    depth
        Additions one behind the other on the longest way.
    bits
        Bits of all additions' results together.
    """

    n_in: int
    n_out: int
    depth: int
    bits: int


@dataclass(frozen=True)
class Casts:
    """A quantizer with a type for each number.

    Attributes
    ----------
    size
        Numbers that go through it.
    rounded
        Those whose type rounds or saturates, which is an addition or a comparison; the others are wires.
    """

    size: int
    rounded: int


_TYPE = r"ap_u?(?:fixed|int)<[\w,-]+>"
_ADDERS = re.compile(r"inp_t(?:model_)?inp\[(\d+)\],out_t(?:model_)?out\[(\d+)\]")
_CAST = re.compile(rf"out\[\d+\]=(?:({_TYPE})\(inp\[\d+\]\)|0)")
_SET = re.compile(rf"(?:({_TYPE})(\w+)|(?:model_)?out\[\d+\])=(.*)")
_SUM = re.compile(r"[\w)\]][+-]")


class Generated:
    """The functions in ``nnet_utils/nnet_code_gen.h``, read where their form is known."""

    def __init__(self, firmware: Path) -> None:
        path = firmware / "nnet_utils" / "nnet_code_gen.h"
        self.there = path.is_file()
        self._text = _COMMENT.sub(" ", read_text(path, limit=_CODE_LIMIT)) if self.there else ""
        self._found = cache(self._read)

    def function(self, name: str) -> Adders | Casts | None:
        """The function of this name; None if there is none, or it does what is not known here."""
        return self._found(name)

    def body(self, name: str) -> tuple[str, str]:
        """A function's parameters and body without white space; empty if it is not there."""
        for found in re.finditer(rf"\bvoid\s+{re.escape(name)}\s*\(([^)]*)\)\s*\{{", self._text):
            depth, end = 1, found.end()
            for brace in re.finditer(r"[{}]", self._text[found.end() :]):
                depth += 1 if brace[0] == "{" else -1
                if depth == 0:
                    end = found.end() + brace.start()
                    break
            inside = re.sub(r"#pragma[^\n]*", "", self._text[found.end() : end])
            return re.sub(r"\s", "", found[1]), re.sub(r"\s", "", inside)
        return "", ""

    def _read(self, name: str) -> Adders | Casts | None:
        parameters, body = self.body(name)
        if parameters == "input_t*inp,output_t*out":
            return _casts(body)
        sizes = _ADDERS.fullmatch(parameters)
        if sizes:
            return _adders(int(sizes[1]), int(sizes[2]), body)
        # the function of an einsum, which calls one of sums for each matrix
        parts = [self.function(part) for part in re.findall(r"(\w+_da_\d+_of_\d+)\(", body)]
        sums = [part for part in parts if isinstance(part, Adders)]
        if not sums or len(sums) != len(parts):
            return None
        mean = round(sum(part.bits for part in sums) / len(sums))
        return Adders(sums[0].n_in, sums[0].n_out, max(part.depth for part in sums), mean)


def _casts(body: str) -> Casts | None:
    statements = body.split(";")[:-1]
    found = [_CAST.fullmatch(statement) for statement in statements]
    if not statements or None in found:
        return None
    kinds = [match[1] for match in found if match is not None and match[1]]
    plain = re.compile(r"ap_u?(?:fixed|int)<-?\d+(?:,-?\d+)?(?:,AP_TRN)?(?:,AP_WRAP)?>")
    return Casts(len(statements), sum(plain.fullmatch(kind) is None for kind in kinds))


def _adders(n_in: int, n_out: int, body: str) -> Adders | None:
    """Count the additions of a function's statements, and how many stand one behind the other."""
    depths: dict[str, int] = {}
    deepest = bits = 0
    for statement in body.split(";")[:-1]:
        found = _SET.fullmatch(statement)
        if found is None:
            return None
        term = re.sub(r"bit_shift<-?\d+>", "", found[3])
        written = re.match(_TYPE, term)
        term = re.sub(_TYPE, "", term)
        if re.search(r"[*/?%&|!]", term) or re.search(r"<|>", term):
            return None
        sums = len(_SUM.findall(re.sub(r"([\d.])[eE][+-]?(\d)", r"\1\2", term))) or int("(-" in f"({term}")
        before = max((depths.get(name, 0) for name in re.findall(r"[A-Za-z_]\w*", term)), default=0)
        if found[2]:
            depths[found[2]] = before + sums
        deepest = max(deepest, before + sums)
        kind = found[1] or (written[0] if written else "")
        width = re.search(r"<(\d+)", kind)
        bits += sums * (int(width[1]) if width else 16)
    return Adders(n_in, n_out, deepest, bits)
