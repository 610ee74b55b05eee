"""The tokens of the known definitions, to show where another definition parts from them.

They are kept as hashes of three characters each, so that no code of hls4ml is shipped: a hash tells whether two tokens
are the same, and which word it stands for only to who has that word. The words of the project that is read, which has
most of hls4ml's names, and those of C++ name what was expected.

`tokens.txt` has a line ``= hashes`` for each statement (up to a semicolon or a brace), counted from 0, and a line
``> fingerprint numbers name`` for each definition, with three digits to the base 64 for each of its statements. Lines
are only appended.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from l1emu.firmware.cxx.lexer import Token
from l1emu.firmware.known import FOLDER, Known, of_name

_PATH = FOLDER / "tokens.txt"

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_AROUND = 6  # tokens that are shown on either side of the one that differs
_COMPARED = 1000  # statements that count for the likeness, several times those of the longest kernel

_CPP = re.findall(
    r"\S+",
    """
    alignas alignof and auto bool break case catch char class const constexpr continue decltype default delete do double
    else enum explicit extern false float for goto if inline int long mutable namespace new not nullptr operator or
    private protected public register return short signed sizeof static static_assert static_cast struct switch template
    this throw true try typedef typeid typename union unsigned using void volatile while std nnet hls
    ap_fixed ap_ufixed ap_int ap_uint AP_TRN AP_TRN_ZERO AP_RND AP_RND_ZERO AP_RND_INF AP_RND_MIN_INF AP_RND_CONV
    AP_WRAP AP_SAT AP_SAT_ZERO AP_SAT_SYM
    :: -> << >> <<= == != <= >= && || ++ -- += -= *= /= %= &= |= ^= + - * / % < > = ! & | ^ ~ ? : ; , . ( ) { } [ ]
    """,
)


@dataclass(frozen=True)
class TokenDifference:
    """Where a definition first parts from the known one nearest to it.

    Parameters
    ----------
    known
        The known definition.
    line
        The line of the token.
    found
        The token; None where the definition ends and the known one does not.
    expected
        The word that the known definition has there; None where it ends, or where the word is none of those given.
    around
        The part of the statement that the token stands in.
    likeness
        How much of both is the same, from 0 to 1.
    """

    known: Known
    line: int
    found: str | None
    expected: str | None
    around: str
    likeness: float


def hashed(text: str) -> str:
    """A token's hash: three digits to the base 64, of the first 18 bits of its SHA-256."""
    return _number(int.from_bytes(hashlib.sha256(text.encode()).digest()[:3]) >> 6)


def _number(value: int) -> str:
    return _DIGITS[value >> 12] + _DIGITS[value >> 6 & 63] + _DIGITS[value & 63]


def _joined(tokens: Sequence[Token]) -> str:
    """Tokens as code of one line."""
    text = " ".join(token.text for token in tokens)
    return re.sub(r" ?(::|\.) ?| (?=[,;)\]\[])|(?<=[(\[]) ", r"\1", text)


def _in_threes(text: str) -> list[str]:
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def token_statements(hashes: Iterable[tuple[str, str]]) -> list[str]:
    """The hashes of a definition's statements, of the texts of its tokens and their hashes."""
    found, piece = [], ""
    for text, digits in hashes:
        piece += digits
        if text in (";", "{", "}"):
            found.append(piece)
            piece = ""
    return [*found, piece] if piece else found


@cache
def kept_tokens() -> tuple[tuple[str, ...], dict[tuple[str, str], tuple[int, ...]]]:
    """The statements of all known definitions, and by name and fingerprint the numbers of each one's statements."""
    lines: list[str] = []
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    digits = {digit: i for i, digit in enumerate(_DIGITS)}
    for line in _PATH.read_text("ascii").splitlines():
        if line.startswith("="):
            lines.append(line[2:])
        elif line.startswith(">"):
            _, fingerprint, numbers, name = line.split(" ", 3)
            found[name, fingerprint] = tuple(
                digits[three[0]] << 12 | digits[three[1]] << 6 | digits[three[2]] for three in _in_threes(numbers)
            )
    return tuple(lines), found


def append(definitions: Iterable[tuple[str, str, Sequence[str]]]) -> None:
    """Write further definitions: name, fingerprint and the texts of the tokens of each."""
    lines, found = kept_tokens()
    numbers = {line: i for i, line in enumerate(lines)}
    written: list[str] = []
    for name, fingerprint, texts in definitions:
        if (name, fingerprint) in found:
            continue
        row = ""
        for statement in token_statements((text, hashed(text)) for text in texts):
            if statement not in numbers:
                numbers[statement] = len(numbers)
                written.append(f"= {statement}\n")
            row += _number(numbers[statement])
        written.append(f"> {fingerprint} {row} {name}\n")
    with _PATH.open("a", encoding="ascii") as file:
        file.writelines(written)
    kept_tokens.cache_clear()


def words_of(hashes: Sequence[str], words: Iterable[str]) -> list[str | None]:
    """The words that hashes stand for; None for one that is that of none of `words`, or of several."""
    by_hash: dict[str, set[str]] = {}
    for word in {*words, *_CPP}:
        by_hash.setdefault(hashed(word), set()).add(word)
    return [next(iter(meant)) if len(meant := by_hash.get(digits, ())) == 1 else None for digits in hashes]


def nearest_tokens(name: str, tokens: Sequence[Token]) -> tuple[Known, list[str], float] | None:
    """The known definition most like this one, the hashes of its tokens and its likeness; None if none is kept."""
    mine = token_statements((token.text, hashed(token.text)) for token in tokens)
    lines, found = kept_tokens()
    best: tuple[float, int, Known, list[str]] | None = None
    for fingerprint, known in of_name(name).items():
        theirs = [lines[number] for number in found.get((name, fingerprint), ())]
        likeness = difflib.SequenceMatcher(None, mine[:_COMPARED], theirs, autojunk=False).ratio()
        same = next((i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), len(mine))
        if theirs and (best is None or (likeness, same) > best[:2]):
            best = likeness, same, known, _in_threes("".join(theirs))
    return best and (best[2], best[3], best[0])


def difference(name: str, tokens: Sequence[Token], words: Iterable[str]) -> TokenDifference | None:
    """Where a definition first parts from the known one nearest to it.

    Parameters
    ----------
    name
        Under what name it is known, see `l1emu.firmware.known`.
    tokens
        Its tokens, at least one.
    words
        Words that may be expected.

    Returns
    -------
    Difference or None
        None if no tokens are kept by this name, or none differs.
    """
    found = nearest_tokens(name, tokens)
    if found is None:
        return None
    known, theirs, likeness = found
    mine = [hashed(token.text) for token in tokens]
    at = next((i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        if len(mine) == len(theirs):
            return None
        at = min(len(mine), len(theirs))
    begin = next((i + 1 for i in range(min(at, len(tokens)) - 1, -1, -1) if tokens[i].text in (";", "{", "}")), 0)
    end = next((i + 1 for i in range(at, len(tokens)) if tokens[i].text in (";", "{", "}")), len(tokens))
    shown = slice(max(begin, at - _AROUND), min(end, at + _AROUND + 1))
    return TokenDifference(
        known,
        tokens[min(at, len(tokens) - 1)].line,
        tokens[at].text if at < len(tokens) else None,
        words_of(theirs[at : at + 1], words)[0] if at < len(theirs) else None,
        _joined(tokens[shown]),
        likeness,
    )
