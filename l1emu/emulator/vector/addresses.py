"""Places in a kernel's text in their shortest form: most of what numba has to go through are places.

Strategies write a place as they think of it, as in ``w + 0 + (o * 4 + 1) * 6 + 3``. Sums of multiples of names become
``w + o * 24 + 9``, and what several of them have in common is named where the loop begins that it belongs to:
``w_o = w + o * 24``, and then ``w_o + 9``. What is compiled is the same; numba, which takes the same steps for every
literal and every addition, is done sooner.
"""

from __future__ import annotations

import ast
from collections import Counter
from functools import lru_cache

_Terms = dict[str, int]
"""A sum: by names of integers how often each is taken, and under "" a constant."""
_Part = tuple[tuple[str, int], ...]
"""A sum without its constant."""


@lru_cache(maxsize=256)  # of a network's equal layers, and of the two times that they are written
def shortened(kernel: str) -> str:
    """A kernel's text, from its arguments on, with short places.

    Names that stand for an integer are arguments and what loops count, if nothing else is assigned to them.
    """
    function = ast.parse("def kernel" + kernel).body[0]
    assert isinstance(function, ast.FunctionDef)
    nodes = list(ast.walk(function))
    counts = {id(node.target) for node in nodes if isinstance(node, ast.For)}
    assigned = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    integers = {argument.arg for argument in function.args.args} | {n.id for n in assigned if id(n) in counts}
    places = _Places(integers - {n.id for n in assigned if id(n) not in counts}, {n.id for n in assigned} | integers)
    places.count(function)
    places.write(function)
    return ast.unparse(function).removeprefix("def kernel")


class _Places(ast.NodeTransformer):
    """Goes through a kernel twice: what places have in common is counted, and then named."""

    def __init__(self, integers: set[str], taken: set[str]) -> None:
        self._integers, self._taken = integers, taken
        self._counted: Counter[tuple[int, _Part]] = Counter()  # by the loop, or the function, that it belongs to
        self._names: dict[tuple[int, _Part], str] = {}
        self._loops: list[tuple[str, int]] = []  # that are being gone through, and what they count
        self._writes = False

    def count(self, function: ast.FunctionDef) -> None:
        self._go_through(function, "")

    def write(self, function: ast.FunctionDef) -> None:
        self._writes = True
        self._go_through(function, "")

    def _go_through(self, node: ast.FunctionDef | ast.For, count: str) -> None:
        self._loops.append((count, id(node)))
        body = [self.visit(statement) for statement in node.body]
        self._loops.pop()
        named = [(part, name) for (loop, part), name in self._names.items() if loop == id(node)]
        node.body = [*ast.parse("\n".join(f"{name} = {_text(dict(part))}" for part, name in named)).body, *body]

    def visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self.visit(node.iter)
        self._go_through(node, node.target.id if isinstance(node.target, ast.Name) else "")
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        terms = _terms(node, self._integers)
        if terms is None:
            return self.generic_visit(node)
        order = sorted(terms, key=lambda name: (self._is_counted(name), name))  # arguments first
        part = tuple((name, terms[name]) for name in order if name and terms[name])
        known = {name for name, _ in part}
        key = next(id_ for count, id_ in reversed(self._loops) if count in known or id_ == self._loops[0][1]), part
        if not self._writes:
            self._counted[key] += 1
            return node
        if len(part) > 1 and self._counted[key] > 1:
            name = self._names.get(key) or self._new_name(key)
            part = ((name, 1),)
        return ast.parse(_text(dict(part) | {"": terms.get("", 0)}), mode="eval").body

    def _new_name(self, key: tuple[int, _Part]) -> str:
        stem = name = "_".join(name for name, _ in key[1])
        while name in self._taken:
            name = f"{stem}_{len(self._names)}"
        self._taken.add(name)
        self._names[key] = name
        return name

    def _is_counted(self, name: str) -> bool:
        return any(name == count for count, _ in self._loops)


def _terms(node: ast.expr, integers: set[str]) -> _Terms | None:
    """An expression as a sum of multiples of integers; None if it is something else."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return {"": node.value}
    if isinstance(node, ast.Name) and node.id in integers:
        return {node.id: 1}
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _terms(node.left, integers), _terms(node.right, integers)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Add | ast.Sub):
        sign = 1 if isinstance(node.op, ast.Add) else -1
        return {name: left.get(name, 0) + sign * right.get(name, 0) for name in left | right}
    for factor, terms in ((left, right), (right, left)):
        if isinstance(node.op, ast.Mult) and factor.keys() == {""}:
            return {name: factor[""] * times for name, times in terms.items()}
    return None


def _text(terms: _Terms) -> str:
    """A sum as it is written."""
    text = ""
    for name, times in terms.items():
        if times:
            size = abs(times)
            part = str(size) if not name else name if size == 1 else f"{name} * {size}"
            text += f" {'-' if times < 0 else '+'} {part}"
    return text.removeprefix(" + ").strip() or "0"
