"""The files that the top function's file includes, as the compiler sees them: includes, conditions and macros.

What a compiler would do and this does not is refused by file and line: a directive that is passed over changes numbers
without a trace. Macros that stand for tokens are put in place; those that look like functions are the few of hls4ml's
own headers, which `l1emu.firmware.cxx.expression.Expression` computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import TEXT_LIMIT, read_bytes
from l1emu.firmware.cxx.lexer import Lexed, Place, Token, text_of, tokens_of
from l1emu.firmware.grammar.words import C_FUNCTIONS, KEYWORDS

# The fixed-point library, which is the compiler's own in synthesis, and the headers of the C++ library.
_LIBRARY = re.compile(r"(ap|hls)_\w+\.h|(utils|etc)/x?_?\w+\.h")
_SHIPPED = re.compile(  # what hls4ml writes into ap_types/, and what people copy there from the compiler's own folder
    r"ap_(common|decl|float|shift_reg|axi_sdata|(fixed|int)(_base|_ref|_special)?)\.h|ap_private\.h|x_hls_utils\.h|"
    r"hls_(math|stream|stream_39|streamofblocks|task|thread_local|np_channel|half|vector|print|burst_maxi)\.h"
)
_STANDARD = re.compile(
    r"algorithm|any|array|atomic|bitset|c?(assert|ctype|float|limits|math|stdarg|stddef|stdint|stdio|stdlib|string|time)"
    r"(\.h)?|cerrno|chrono|climits|complex|condition_variable|deque|exception|fstream|functional|future|"
    r"initializer_list|iomanip|ios|iosfwd|iostream|istream|"
    r"iterator|limits|list|map|memory|mutex|new|numeric|ostream|queue|random|ratio|set|sstream|stack|stdexcept|string|"
    r"thread|tuple|type_traits|typeinfo|unistd\.h|unordered_map|unordered_set|utility|valarray|vector"
)

# Defined by a synthesis, or by who builds an emulator; in a C simulation they are not.
_SYNTHESIS = {"__SYNTHESIS__", "__HLS_SYN__", "__VITIS_HLS__"}
_LOADING = re.compile(r"WEIGHTS_DIR|LOAD_WEIGHTS_FROM_(TEXT|TXT)|__HLS4ML_LOAD_TXT_WEIGHTS__")
_TRACE_IN_MATH = "!defined(__SYNTHESIS__) && defined(SINCOS_LUT_DEBUG)"  # nnet_math.h prints there

_FUNCTIONS = {
    "DIV_ROUNDUP": {"(n, d) ((n + d - 1) / d)"},
    "MIN": {"(n, d) (n > d ? d : n)"},
    "MAX": {"(n, d) (n > d ? n : d)"},
    "STRINGIFY": {"(x) #x"},
    "EXPAND_STRING": {"(x) STRINGIFY(x)"},
    "DATA_PACK_PRAGMA": {"(variable) DATA_PACK_TXT variable"},
    "PRAGMA_DATA_PACK": {"(variable) _Pragma(EXPAND_STRING(DATA_PACK_PRAGMA(variable)))", "(variable)"},
}

_DEPTH = 50  # includes in includes
_FILES = 2000
_NAME = 250  # characters of a file's name
_EXPANDED = 10_000  # tokens that a macro may grow to

# strings and comments of one line are matched so that what opens a comment inside them opens none; 1'000 has no string
_COMMENT = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|(?:(?<!\d)|(?<=u8))'(?:[^'\\\n]|\\.)*'|//[^\n]*|/\*.*?\*/", re.DOTALL)
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(\w*)[ \t]*(.*)", re.ASCII)
# Those change no number: a compiler knows them, or passes over them as over words for synthesis without their HLS.
_PRAGMA = re.compile(
    r"(?i)(HLS|AP)\b|once$|GCC diagnostic\b|message\b|region$|endregion$|"
    r"(array_(map|partition|reshape)|dataflow|inline|latency|loop_(flatten|merge|tripcount)|pipeline|unroll)\b"
)
_COMPILER = {"_Pragma", "__attribute__", "__attribute", "__declspec", "asm", "__asm__", "__asm"}
_RESERVED = re.compile(r"(ap|AP|hls|HLS)_\w*|hls|std|nnet|_[A-Z_]\w*")
_GUARD = re.compile(r"(?!_*(AP|ap|HLS|hls|X_HLS)_)\w+_(H|HPP|h)_*")
_TRIGRAPH = re.compile(r"\?\?[=/'()!<>-]")
_UNCLEAR = (  # what compilers read in different ways
    (r"\r", "a carriage return that ends no line"),
    (r"\0", "a NUL byte"),
    (r"\?\?/[ \t]*\n", "a trigraph"),  # also a line's continuation in a comment, or the end of one
    (r"//[^\n]*\\[ \t]*\n", "a comment that a backslash continues on the next line"),
    (r"\*(\\[ \t]*\n)+/", "a comment whose end a backslash breaks"),
)


def _source_text(path: Path, *, limit: int = TEXT_LIMIT) -> str:
    r"""A C++ file's text, lines ended by "\\n"; compilers differ about a lone carriage return, and about trigraphs.

    Raises
    ------
    L1emuError
        as `l1emu.files.read_bytes` does, or for what compilers read in different ways.
    """
    data = read_bytes(path, limit=limit)
    return _kept_text(data, path) if is_kernels(path) or _SHIPPED.fullmatch(path.name) else _text_of_bytes(data, path)


def _text_of_bytes(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise L1emuError("not UTF-8 text", path=path, where=f"byte {error.start}") from None
    text = text.replace("\r\n", "\n")
    for pattern, message in _UNCLEAR:
        found = re.search(pattern, text)
        if found:
            raise Place(path, text.count("\n", 0, found.start()) + 1).error(f"{message} is not supported")
    if "??" in text:  # in a comment most trigraphs are nothing
        code = _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0].startswith("/") else m[0], text)
        found = _TRIGRAPH.search(code)
        if found:
            raise Place(path, text.count("\n", 0, found.start()) + 1).error("a trigraph is not supported")
    return text


# Projects of one network with other types have the same kernels and libraries: what is told of these by their content
# alone is kept from one project to the next.
_kept_text = lru_cache(maxsize=256)(_text_of_bytes)


@lru_cache(maxsize=256)
def _kept_lines(text: str) -> tuple[str, ...]:
    return tuple(_COMMENT.sub(_blank, text).split("\n"))


_LONGEST_KEPT = 1 << 16  # characters: the code that hls4ml writes for one network is longer, and no other's


@lru_cache(maxsize=4096)
def _kept_tokens(text: str, path: Path, line: int, offset: int) -> tuple[Token, ...]:
    return tuple(tokens_of(text, path, line, offset))


def _blank(found: re.Match[str]) -> str:
    """A comment over several lines as blanks, since what looks like a directive there is none; all else as it is."""
    text = found[0]
    return re.sub(r"[^\n]", " ", text) if text.startswith("/*") and "\n" in text else text


def _normal(text: str) -> str:
    """A macro's parameters and value in one spacing."""
    spaced = " ".join(re.findall(r"\w+|[^\w\s]", text))
    return re.sub(r" ?, ?", ", ", spaced)


_KNOWN_FUNCTIONS = {name: {_normal(text) for text in texts} for name, texts in _FUNCTIONS.items()}


@dataclass
class Condition:
    """An open ``#ifdef``: whether its lines count now, and whether they counted before the ``#else``."""

    place: Place
    active: bool
    turned: bool = False
    lines: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))  # before and after the #else
    synthesis: bool = False


class Unit:
    """The files of one translation unit, each with its tokens in `files`, in the order in which they are included.

    Parameters
    ----------
    source
        The file that is compiled.
    root
        The project's folder: files outside it are refused.
    folders
        Where the compiler looks for a file that does not lie beside the one that includes it.
    synthesis
        See the files as a synthesis does; the kernels' headers (``nnet_*.h``) are then left out.

    Raises
    ------
    L1emuError
        by file and line, for what is missing, outside the project or not supported.
    """

    def __init__(self, source: Path, root: Path, folders: tuple[Path, ...], *, synthesis: bool = False) -> None:
        self.files: dict[Path, Lexed] = {}
        self.sequence: list[tuple[Path, list[Token]]] = []
        self.macros: dict[str, list[Token]] = {}
        self.functions: set[str] = set()
        self.weights_elsewhere: tuple[Place, str] | None = None  # who loads from text, loads from there
        self._guards: set[str] = {"__cplusplus"}  # names that are defined, as nothing
        self._root = root.resolve()
        self._folders = folders
        self._synthesis = synthesis
        self._once: set[Path] = set()
        self._libraries: set[str] = set()  # the libraries' headers so far
        self._count = 0
        self._file(source, 0)

    def _defined(self, name: str) -> bool:
        return (
            name in self.macros
            or name in self.functions
            or name in self._guards
            or (self._synthesis and name in _SYNTHESIS)
        )

    def _file(self, path: Path, depth: int) -> None:
        self._count += 1
        if depth > _DEPTH or self._count > _FILES:
            raise L1emuError("files that include each other without end", path=path)
        if path in self._once:
            return
        text = _source_text(path)
        found = self.files.setdefault(path, Lexed(path, []))
        kernels = is_kernels(path)
        lines = list(_kept_lines(text)) if kernels else _COMMENT.sub(_blank, text).split("\n")
        stack: list[Condition] = []
        offset = number = 0
        first, first_offset = 0, 0  # of the lines that wait to be split into tokens

        def flush(upto: int) -> None:
            if upto > first:
                waiting = "\n".join(lines[first:upto]) + "\n"
                split = (waiting, path, first, first_offset)
                kept = kernels and len(waiting) < _LONGEST_KEPT
                tokens = _kept_tokens(*split) if kept else tokens_of(*split, lists=not kernels)
                part = list(self._expanded(tokens, path))
                found.tokens.extend(part)
                self.sequence.append((path, part))

        while number < len(lines):
            line = lines[number]
            match = _DIRECTIVE.match(line)
            if match is None:
                for condition in stack:
                    condition.lines[condition.turned].append(line)
                if not all(condition.active for condition in stack):
                    lines[number] = " " * len(line)
                offset += len(line) + 1
                number += 1
                continue
            flush(number)
            begin = number
            text_lines = [line]
            while text_lines[-1].rstrip().endswith("\\") and number + 1 < len(lines):
                number += 1
                text_lines.append(lines[number])
            number += 1
            whole = " ".join(part.rstrip().removesuffix("\\") for part in text_lines)
            match = _DIRECTIVE.match(whole)
            assert match is not None
            rest = _COMMENT.sub(lambda m: m[0] if m[0][0] in "\"'" else " ", match[2]).strip()
            outer = stack[:-1] if match[1] in ("else", "endif") else stack
            for condition in outer if match[1] != "pragma" else ():
                condition.lines[condition.turned].append(f"#{match[1]} {rest}")
            self._directive(match[1], rest, Place(path, begin + 1), stack, lines[number:], kernels, depth)
            offset += sum(len(part) + 1 for part in text_lines)
            first, first_offset = number, offset
        flush(len(lines))
        if stack:
            raise stack[-1].place.error("an #ifdef is never closed; the file may be truncated")

    def _directive(
        self,
        directive: str,
        rest: str,
        place: Place,
        stack: list[Condition],
        following: list[str],
        kernels: bool,
        depth: int,
    ) -> None:
        active = all(condition.active for condition in stack)
        if directive in ("ifdef", "ifndef", "if"):
            stack.append(self._condition(directive, rest, place, active, following))
        elif directive == "else":
            if not stack or stack[-1].turned or rest:
                raise place.error("an #else that belongs to no #ifdef", rest or None)
            stack[-1].active = not stack[-1].active
            stack[-1].turned = True
        elif directive == "endif":
            if not stack:
                raise place.error("an #endif that belongs to no #ifdef")
            condition = stack.pop()
            if condition.synthesis and kernels and all(outer.active for outer in stack):
                _check_same(condition)
        elif not active:
            known = ("define", "include", "pragma", "undef", "error", "warning", "elif")
            if directive not in known and directive + rest:
                raise place.error("preprocessor directive not supported", f"#{directive} {rest}")
            if directive == "elif":
                raise place.error("preprocessor directive not supported", f"#elif {rest}")
        elif directive == "define":
            self._define(rest, place)
        elif directive == "include":
            self._include(rest, place, depth)
        elif directive == "pragma" and _PRAGMA.match(rest):
            if rest == "once":
                self._once.add(place.path)
        elif directive or rest:  # beside a lone #, which does nothing
            raise place.error("preprocessor directive not supported", f"#{directive} {rest}".strip())

    def _condition(self, directive: str, rest: str, place: Place, active: bool, following: list[str]) -> Condition:
        if not active:
            return Condition(place, False)
        if directive == "if":
            if _normal(rest) != _normal(_TRACE_IN_MATH):
                raise place.error("preprocessor directive not supported", f"#if {rest}")
            return Condition(place, False)
        if not re.fullmatch(r"[A-Za-z_]\w*", rest, re.ASCII):
            raise place.error(f"#{directive} without a name", rest)
        defined = self._defined(rest)
        expected = (
            rest in _SYNTHESIS or _LOADING.fullmatch(rest) or (directive == "ifndef" and _defines(following, rest))
        )
        if not defined and not expected:
            raise place.error("whether this is defined depends on who compiles it", f"#{directive} {rest}")
        return Condition(place, defined == (directive == "ifdef"), synthesis=rest in _SYNTHESIS)

    def _define(self, rest: str, place: Place) -> None:
        found = re.match(r"[A-Za-z_]\w*", rest, re.ASCII)
        if found is None:
            raise place.error("#define without a name", rest)
        name, value = found[0], rest[found.end() :]
        if name in _SYNTHESIS or name == "defined":
            raise place.error("this name is the compiler's own", name)
        if name == "WEIGHTS_DIR" and value.strip() != '"weights"':
            self.weights_elsewhere = (place, f"#define {rest}")
        if value.startswith("("):
            if _normal(value) not in _KNOWN_FUNCTIONS.get(name, ()):
                raise place.error("this macro is not one of hls4ml's, which are computed here", f"#define {rest}")
            self.functions.add(name)
            return
        if name in _KNOWN_FUNCTIONS:
            raise place.error("this macro is not one of hls4ml's, which are computed here", f"#define {rest}")
        if "#" in value:
            raise place.error("macros that make tokens are not supported", f"#define {rest}")
        tokens = [t for t in tokens_of(value, place.path, place.line - 1, 0) if t.kind != "comment"]
        if name in KEYWORDS or (tokens and _RESERVED.fullmatch(name)):
            raise place.error("a macro by a name of the language, its libraries or the kernels", f"#define {rest}")
        if name in self.macros and text_of(self.macros[name]) != text_of(tokens):
            raise place.error("a macro is defined twice", f"#define {rest}")
        if tokens:
            self.macros[name] = tokens
        else:
            self._guards.add(name)

    def _include(self, rest: str, place: Place, depth: int) -> None:
        found = re.fullmatch(r"\"([^\"]+)\"|<([^>]+)>", rest)
        if found is None:
            raise place.error("an #include that names no file is not supported", rest)
        name = found[1] or found[2]
        if Path(name).is_absolute() or len(name) > _NAME:
            raise place.error("an #include outside the project", name, "a file of the project")
        if self._synthesis and is_kernels(Path(name)):
            return
        folders = (place.path.parent, *self._folders) if found[1] else self._folders
        candidates = [folder / name for folder in folders]
        target = next((path for path in candidates if path.exists()), None)
        library = _LIBRARY.fullmatch(name) is not None
        shipped = target is not None and _SHIPPED.fullmatch(target.name) is not None
        places = ("ap_types", "etc", "utils", self._folders[0].name)  # or beside the sources
        if target is None or (shipped and target.parent.name in places):
            if not library and (found[1] or not _STANDARD.fullmatch(name)):
                raise place.error("the file that is included was not found", name)
            self._library(name, target, place)
            return
        path = Path(_shortened(target))
        if self._root not in target.resolve().parents or not path.samefile(target):
            raise place.error("an #include outside the project", name, "a file of the project")
        self._file(path, depth + 1)

    def _library(self, name: str, target: Path | None, place: Place) -> None:
        """Refuse macros by names that a header of the libraries uses: they would change what lies in it."""
        if name in self._libraries:
            return
        self._libraries.add(name)
        known = self.macros.keys() | self.functions | {guard for guard in self._guards if not _GUARD.fullmatch(guard)}
        known -= {"__cplusplus"}
        if not known:
            return
        used = C_FUNCTIONS
        if target is not None:
            text = read_bytes(target, limit=TEXT_LIMIT)
            used = used | _identifiers(text)
            for inner in re.findall(rb'(?m)^\s*#\s*include\s*[<"]([^>"\n]+)[>"]', text):
                beside = target.parent / inner.decode(errors="replace")
                if len(inner) <= _NAME and beside.is_file() and len(self._libraries) < _FILES:
                    self._library(str(beside.name), beside, place)
        changed = sorted(known & used)
        if changed:
            raise place.error(f"what {name} has is changed by a macro of a name in it", changed[0])

    def _expanded(self, tokens: Iterable[Token], path: Path) -> Iterator[Token]:
        """Tokens with macros in place: not inside themselves, and each on the line where it is used."""
        for token in tokens:
            if token.kind == "name" and token.text in _COMPILER:
                raise Place(path, token.line).error("what it tells the compiler is not supported", token.text)
            if token.kind == "name" and token.text in self.macros:
                yield from self._value(token, path, frozenset())
            elif token.kind == "name" and token.text in self._guards and token.text != "__cplusplus":
                continue
            else:
                yield token

    def _value(self, token: Token, path: Path, inside: frozenset[str]) -> list[Token]:
        value: list[Token] = []
        for part in self.macros[token.text]:
            here = replace(part, line=token.line, start=token.start)
            if here.kind == "name" and here.text in self.macros and here.text not in inside | {token.text}:
                value += self._value(here, path, inside | {token.text})
            elif here.kind != "name" or here.text not in self._guards:
                value.append(here)
            if len(value) > _EXPANDED or len(inside) > _DEPTH:
                raise Place(path, token.line).error("a macro that grows beyond all bounds", token.text)
        return value


@lru_cache(maxsize=64)
def _identifiers(text: bytes) -> frozenset[str]:
    """The names in a header of the libraries, comments and strings aside."""
    without = re.sub(rb'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', b" ", text, flags=re.DOTALL)
    return frozenset(word.decode() for word in re.findall(rb"[A-Za-z_]\w*", without))


def check_library(folder: Path, used: set[str]) -> None:
    """Refuse a macro in a project's copy of the fixed-point library by a name that the project uses.

    Parameters
    ----------
    folder
        A folder with files of the library, also in folders below it. Their code is not read beyond that: a synthesis
        has a library of its own.
    used
        The names in the project's files.
    """
    for path in sorted(folder.rglob("*.h")):
        if _SHIPPED.fullmatch(path.name) is None:
            continue  # read as a file of the project where it is included
        for i, name, line in _defined_macros(_source_text(path)):
            if name in used:
                raise Place(path, i).error("a macro of the fixed-point library by a name that the project uses", line)


@lru_cache(maxsize=256)
def _defined_macros(text: str) -> tuple[tuple[int, str, str], ...]:
    """The macros of a file that are not by a name of the libraries: number of the line, name, line."""
    found = []
    for i, line in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*#\s*define\s+(\w+)(.*)", line) if "define" in line else None
        if match is not None and match[0].strip() == "#define for if (0); else for":
            continue  # for a compiler of 1998 alone
        if match is not None and not _RESERVED.fullmatch(match[1]):
            found.append((i, match[1], line))
    return tuple(found)


def is_kernels(path: Path) -> bool:
    """Whether a file holds kernels, which are compared with those that are known, and not parameters of a network."""
    return re.fullmatch(r"nnet_\w+\.h", path.name) is not None


def _defines(following: list[str], name: str) -> bool:
    """Whether the next directive defines a name: what it guards is read once."""
    for line in following:
        match = _DIRECTIVE.match(line)
        if match is not None:
            words = _COMMENT.sub(" ", match[2]).split()
            return match[1] == "define" and words[:1] == [name]
    return False


def _shortened(path: Path) -> str:
    """A path without ``x/..``; links stay, since a file's neighbours are those of its name."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in ("..", "/"):
            parts.pop()
        else:
            parts.append(part)
    return str(Path(*parts))


def _check_same(condition: Condition) -> None:
    """Refuse kernels that a synthesis sees with another code than a C simulation."""
    texts = []
    for lines in condition.lines:
        code = [_COMMENT.sub(lambda m: m[0] if m[0][0] in "\"'" else " ", line).strip() for line in lines]
        code = [line for line in code if line and not line.startswith("#pragma")]
        macros = [re.match(r"#define (\w+)", line) for line in code]
        if code and all(found and (found[1] in _KNOWN_FUNCTIONS or found[1] == "DATA_PACK_TXT") for found in macros):
            code = []
        texts.append(_normal(" ".join(code)).replace("static ", ""))
    first, second = texts
    # what only a C simulation has, loading of weights or prints, is compared with what is known; a synthesis lacks it
    in_simulation = second if condition.active else first
    in_synthesis = first if condition.active else second
    if not condition.turned:
        in_simulation, in_synthesis = (first, "") if condition.active else ("", first)
    if in_synthesis and in_synthesis != in_simulation:
        raise condition.place.error("a synthesis sees other code here than a C simulation", in_synthesis[:100])
