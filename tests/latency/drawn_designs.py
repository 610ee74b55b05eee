"""Designs and partitions drawn by Hypothesis: layers of several kinds in a graph with branches and skips."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from l1emu.latency.estimate import Block, Design, Weights
from l1emu.latency.partition import Partition

PART, CLOCK = "xcvu13p-flga2577-2-e", 2.5


def block(name: str, kind: str, inputs: tuple[str, ...], n: int, width: int, reuse: int) -> Block:
    matrices = (Weights(n, n, 8, n * n, n, n * n // 2, n),) if kind == "dense" else ()
    return Block(
        name,
        kind,
        kind,
        n,
        n,
        inputs=inputs,
        output=f"{name}_out",
        width_in=width,
        width_out=width,
        width_accum=width + 8,
        reuse=reuse,
        weights=matrices,
        tables=((1024, 18), (1024, 18)) if kind == "softmax" else (),
        extra={"pack": n} if n > 1 else {},
    )


@st.composite
def designs(draw: st.DrawFn, most: int = 8) -> Design:
    """A design in one of the three ways in which a top function runs its layers."""
    io, pipeline = draw(
        st.sampled_from([("io_parallel", "pipeline"), ("io_parallel", "dataflow"), ("io_stream", "dataflow")])
    )
    tensors, blocks = ["x"], []
    for number in range(draw(st.integers(2, most))):
        kind = draw(st.sampled_from(["dense", "dense", "relu", "merge", "softmax", "wires"]))
        before = [tensors[-1]] if number else ["x"]
        if kind == "merge":
            before.append(draw(st.sampled_from(tensors)))
        elif draw(st.booleans()):
            before = [draw(st.sampled_from(tensors))]
        n = draw(st.sampled_from([4, 16, 30]))
        made = block(
            f"l{number}", kind, tuple(before), n, draw(st.sampled_from([6, 12])), draw(st.sampled_from([1, 4]))
        )
        blocks.append(made)
        tensors.append(made.output)
    return Design("top", io, pipeline, tuple(blocks), "drawn", "Vitis", PART, CLOCK)


@st.composite
def partitions(draw: st.DrawFn, design: Design, link: Mapping[str, object], most: int = 4) -> Partition:
    """Any dealing of the layers to boards on which data only goes on, and links between all of them."""
    made = {one.output: number for number, one in enumerate(design.blocks)}
    owner: list[int] = []
    for one in design.blocks:
        earliest = max([owner[made[name]] for name in one.inputs if name in made], default=0)
        owner.append(draw(st.integers(earliest, most - 1)))
    used = sorted({0, *owner})
    if 0 not in owner:
        owner[0] = 0 if all(name not in made for name in design.blocks[0].inputs) else owner[0]
        used = sorted(set(owner))
    boards = [
        {
            "name": f"b{board}",
            "layers": [one.name for one, mine in zip(design.blocks, owner, strict=True) if mine == board],
        }
        for board in used
    ]
    links = [
        {"from": f"b{a}", "to": f"b{b}", "source": "drawn", "status": "unverified", **link}
        for i, a in enumerate(used)
        for b in used[i + 1 :]
    ]
    return Partition.model_validate({"name": "drawn", "boards": boards, "links": links})
