"""How a run of the command line ends: its exit code and, where something is wrong, one line on standard error.

===  ==================================================================================================
  0  done, and what was checked holds
  1  done, and a check failed
  2  bad input, or something that the machine lacks: a file, a permission, room on the disk, memory
 70  a fault of l1emu (``EX_SOFTWARE`` of ``sysexits.h``)
130  stopped by Ctrl-C; 143 by ``SIGTERM``, 129 by ``SIGHUP``: 128 and the number of the signal
141  whoever read standard output went away: nothing is said
===  ==================================================================================================

With ``L1EMU_DEBUG=traceback`` in the environment the traceback comes before that line, and what libraries warn of is
not held back.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType, ModuleType
from typing import Any

from l1emu import debug
from l1emu.errors import L1emuError, SeveralErrors
from l1emu.waiting import make_room, waiting

_BAD_INPUT = 2
_FAULT = 70
_SIGNAL = 128
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 1.0  # a signal is often sent to the process and to its group: the second one is not to stop the tidying up
_MOST_ERRORS = 20
_LONGEST = 2000
_COLLECT_AFTER = (20_000, 20, 20)  # of objects, of collections of the youngest and of the middle generation


class Stopped(BaseException):
    """Raised where the main thread is when a signal asks it to stop, so that everything half-written is removed."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def ended(verb: Callable[[], int]) -> int:
    """Call `verb` and give the exit code; says what is wrong, in one line and without a traceback."""
    output = _open_streams()
    os.environ["MPLBACKEND"] = "agg"  # figures are files, and a name of no backend would stop matplotlib's import
    if not os.environ.get("NUMBA_NUM_THREADS", "0").strip("0").isdecimal():
        os.environ.pop("NUMBA_NUM_THREADS", None)  # numba refuses to be imported; no kernel uses its threads
    with ExitStack() as restored:  # for who calls it from Python
        if not debug.wanted("traceback"):
            _hush(restored)
        _catch_signals(restored)
        _collect_seldom(restored)
        try:
            with waiting(_verb_called()):
                code = verb()
            sys.stdout.flush()
        except BaseException as error:
            code = _told(error, output)
        if code:
            gc.collect()  # what only the error kept, such as a file on a full disk, complains now that nobody listens
    if output.failure is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter complains when it flushes what is left
    return code


def _collect_seldom(restored: ExitStack) -> None:
    """Look for garbage less often: while kernels are compiled, a tenth of the time and more would go there."""
    restored.callback(gc.set_threshold, *gc.get_threshold())
    restored.callback(gc.unfreeze)  # for verbs that leave out what they loaded
    gc.set_threshold(*_COLLECT_AFTER)


def _verb_called() -> str:
    """`l1emu` and the verb, as far as the first word can be one."""
    return " ".join(["l1emu", *(word for word in sys.argv[1:2] if re.fullmatch("[a-z]{1,20}", word))])


def _told(error: BaseException, output: _Output) -> int:
    """The exit code of an exception; the one line is written."""
    if debug.wanted("traceback"):
        traceback.print_exception(error)
    if isinstance(output.failure, BrokenPipeError):
        return _SIGNAL + signal.SIGPIPE
    if output.failure is not None:
        return _say(f"standard output: {output.failure.strerror}", _BAD_INPUT)
    if isinstance(error, SystemExit):  # of libraries; some give 1 where standard output is broken
        return error.code if isinstance(error.code, int) else _FAULT
    if isinstance(error, (Stopped, KeyboardInterrupt)):
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        how = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
        return _say(f"{how}; nothing half-written is left behind", _SIGNAL + number)
    if isinstance(error, SeveralErrors):
        for each in error.errors[:_MOST_ERRORS]:
            _say(str(each), _BAD_INPUT)
        more = len(error.errors) - _MOST_ERRORS
        return _BAD_INPUT if more <= 0 else _say(f"and {more} more", _BAD_INPUT)
    if isinstance(error, L1emuError):
        return _say(str(error), _BAD_INPUT)
    if hasattr(error, "format_message"):  # of typer or click, which moved it from version to version
        return _say(_usage(error), _BAD_INPUT)
    if isinstance(error, MemoryError):
        return _say(f"not enough memory: {error}" if str(error) else "not enough memory", _BAD_INPUT)
    if isinstance(error, RecursionError):
        return _say("nested too deeply", _BAD_INPUT)
    if isinstance(error, OSError) and error.strerror is not None:
        return _say(f"{_place(error)}{error.strerror}", _BAD_INPUT)
    kind = type(error).__name__
    what = f"{kind}: {error}" if str(error) else kind
    return _say(f"a fault of l1emu, not of its input ({what}); L1EMU_DEBUG=traceback shows where", _FAULT)


def _place(error: OSError) -> str:
    """Where an error of the system happened, as the beginning of what is said."""
    if isinstance(error.filename, str | bytes):
        return f"{os.fsdecode(error.filename)}: "
    try:
        os.getcwd()
    except OSError:
        return "the working folder: "
    return ""


def _say(text: str, code: int) -> int:
    """Write one line, however many `text` has, and give `code` back."""
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 3] + "..."
    make_room()
    with suppress(OSError, ValueError):  # nobody can be told
        print(f"l1emu: {text}", file=sys.stderr, flush=True)
    return code


def _usage(error: Any) -> str:
    """What is wrong with the arguments, and where they are explained."""
    said = str(error.format_message()).strip().rstrip(".?").replace("Value error, ", "")
    said = re.sub(r" \(Possible options?: ([^)]*)\)$", r"; did you mean \1", said)
    said = said.replace(". Did you mean", "; did you mean")
    value = _value_of(getattr(error, "param", None))
    if value is not None and repr(value) not in said:
        said += f": got {value!r}"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "l1emu"
    return f"{said[:1].lower()}{said[1:]}; see {command} --help"


def _value_of(param: Any) -> str | None:
    """What stands behind the option `param` on the command line."""
    words = sys.argv[1:]
    for name in getattr(param, "opts", ()):
        for word, following in zip(words, [*words[1:], None], strict=True):
            if word == name:
                return following
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
    return None


def _open_streams() -> _Output:
    """Give every standard stream that is closed a place, or the next file opened would get what is written to it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", errors="backslashreplace")
    output = _Output(1, "w", closefd=False)
    if sys.stdout is not None and sys.stdout is not sys.__stdout__:  # somebody listens
        return output
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=getattr(sys.stdout, "encoding", "utf-8"),
        errors="backslashreplace",  # a file's name need not be text, nor a µ ASCII
        line_buffering=os.isatty(1),
    )
    return output


class _Output(io.FileIO):
    """Standard output, which knows why it took no more: an exception does not say in which file."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        make_room()
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


def _catch_signals(restored: ExitStack) -> None:
    """Let the signals that end a process raise `Stopped`, but those that it was started to ignore (`nohup`)."""
    last = 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _AGAIN_S:
            return
        last = now
        raise Stopped(number)

    def lost(unraisable: sys.UnraisableHookArgs) -> None:
        # raised where an exception goes nowhere, in a finalizer or a callback from C: once more, a moment later
        nonlocal last
        if isinstance(unraisable.exc_value, Stopped):
            last = 0.0
            number = unraisable.exc_value.number
            timer = threading.Timer(0.01, os.kill, (os.getpid(), number))
            timer.daemon = True
            timer.start()
        elif debug.wanted("traceback"):
            sys.__unraisablehook__(unraisable)

    _set(restored, sys, "unraisablehook", lost)
    for number in _STOPS:
        before = signal.getsignal(number)
        if before != signal.SIG_IGN:
            restored.callback(signal.signal, number, before)
            signal.signal(number, stop)


def _hush(restored: ExitStack) -> None:
    """Keep what libraries warn of off standard error, where one line says what is wrong."""
    if not sys.warnoptions:
        _set(restored, warnings, "showwarning", lambda *_, **__: None)
    _set(restored, threading, "excepthook", lambda _: None)  # it is raised again where the thread's result is asked for
    logging.getLogger().addHandler(logging.NullHandler())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _set(restored: ExitStack, module: ModuleType, name: str, value: Any) -> None:
    restored.callback(setattr, module, name, getattr(module, name))
    setattr(module, name, value)
