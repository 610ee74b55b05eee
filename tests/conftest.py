"""How Hypothesis draws its examples, and what processes that tests start inherit."""

import os
import signal

from hypothesis import HealthCheck, settings

# no test depends on the time it takes: the machine may be busy
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# the same examples on every machine and every day; `make test-all` draws new ones
settings.register_profile("repeatable", settings.get_profile("patient"), derandomize=True)
settings.register_profile("drawn", settings.get_profile("patient"), derandomize=False)
settings.load_profile("repeatable")

# outputs that a run of the tests before this one kept would be counted as emulated by nobody
os.environ.setdefault("L1EMU_SCORE_CACHE_MB", "0")

# pytest-xdist tells its processes a width, that of its own terminal: tables are as wide as without a terminal
os.environ.pop("COLUMNS", None)

# A shell's background jobs ignore SIGINT, `nohup` SIGHUP, and so would all that tests start; what has a handler is the
# default again in a process that is started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
