"""Trigger rules: at most n Level-1 accepts in any m consecutive crossings."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class TriggerRules:
    """The state of a list of rules, fed with crossings in ascending order.

    Parameters
    ----------
    rules
        Pairs (n, m): no m consecutive crossings, colliding or not, may hold more than n accepts.
    """

    def __init__(self, rules: Sequence[tuple[int, int]]) -> None:
        self._rules = tuple(rules)
        deepest = max((n for n, _ in self._rules), default=1)
        self._accepts: deque[int] = deque(maxlen=deepest)  # newest first

    def blocking(self, crossing: int) -> int | None:
        """The first rule, by its place in the list, that an accept of this crossing would break; None if none."""
        for place, (n, m) in enumerate(self._rules):
            if len(self._accepts) >= n and crossing - self._accepts[n - 1] < m:
                return place
        return None

    def accept(self, crossing: int) -> None:
        """Remember that this crossing was accepted."""
        self._accepts.appendleft(crossing)
