"""How large the numbers of a trigger can be: beyond these they are slips, and would cost memory and hours."""

from __future__ import annotations

MOST_CROSSINGS = 100_000
"""A latency or a depth in crossings: 2.5 ms, 28 orbits; the largest Level-1 pipelines hold 500."""

MOST_MULTIPLEXING = 3564
"""Time-multiplexed boards: the slots of an orbit."""

MOST_CYCLES = 1_000_000
"""A latency or an interval in clock cycles: 2.8 ms at 360 MHz."""

MOST_CYCLES_REPORTED = 1_000_000_000
"""Cycles in a synthesis report of a design that is no trigger's, seconds long, and whose check fails."""

MOST_COPIES = 1024
"""Copies of a tagger on one board."""

MOST_JETS = 1024
"""Jets of one event: pile-up 200 makes some 100 of a few GeV."""

MOST_BUFFERED = 65_536
"""Jets or events in a buffer."""

MOST_ORBITS = 1_000_000_000
"""Orbits of a run: a day of LHC."""

LARGEST_SEED = 2**63 - 1
"""The largest seed of random draws."""
