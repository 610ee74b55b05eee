"""What one block costs: cycles and resources, each formula with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.matrices import FULL_PARTITION, products, steps_in_a_row
from l1emu.latency.estimate.target import DSP_BLOCK_REGISTERS, Target

_DSP_REGISTERS = 2
"""Cycles that a product of data spends in a DSP block's registers, and not in one of look-up tables."""

_LONGEST_TURNS = 10_000
"""Turns up to which the tool unrolls the loop that finds their outputs' places; measured: 10,000 yes, 39,200 no."""

SETTLED = 0.75
"""A reuse factor up to this share of the latency is the interval even if the latency is off by a fourth."""

PORTS = 2
"""Ports of a memory: numbers that it takes in a cycle."""


@dataclass(frozen=True)
class Cost:
    """What a block costs.

    Attributes
    ----------
    latency, interval
        Cycles from its first input to its last output, and between two inputs of the whole design.
    light
        Whether it is so short that it shares its cycle with its neighbours.
    settled
        Whether the interval follows from the project alone, as a reuse factor does, and not from how many cycles the
        tool gives to something.
    longest
        What an interval that is not settled can be at most.
    restarts
        Whether as a process of a dataflow it works through one input before it takes the next, and needs a cycle in
        between.
    dsp, lut, ff, bram
        Multiplier blocks, look-up tables, registers and block RAMs of 18 Kb.
    extrapolated
        Why the formula is used beyond the measured designs; empty where it is not.
    """

    latency: float
    interval: float = 1
    light: bool = False
    settled: bool = True
    longest: float = math.inf
    restarts: bool = False
    dsp: float = 0
    lut: float = 0
    ff: float = 0
    bram: float = 0
    extrapolated: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Case:
    """A block in its surroundings."""

    block: Block
    design: Design
    target: Target

    @property
    def stream(self) -> bool:
        return self.design.io == "io_stream"

    def cycle(self, name: str) -> float:
        return float(self.target.constants["cycles"][name])

    def per(self, name: str) -> float:
        return float(self.target.constants["resources"][name])


def cost(block: Block, design: Design, target: Target) -> Cost:
    """The cost of one block; over streams no interval is settled, since every process counts its items and cycles."""
    case = Case(block, design, target)
    found = FORMULAS[block.kind](case)
    return replace(found, settled=False) if case.stream else found


# Multiplications ----------------------------------------------------------------------------------------------------


def _in_fabric(case: Case, width_a: int, width_b: int) -> bool:
    """Whether a product is too narrow for a DSP block to be worth it, or DSP blocks are forbidden.

    Measured: 6 by 6 bits and less take look-up tables, 8 by 8 and more a DSP block.
    """
    return case.design.fabric or width_a + width_b <= 12


def dsp_per_product(width_a: int, width_b: int) -> int:
    """DSP blocks for one product of two numbers.

    A block multiplies 27 by 18 bits with sign (25 by 18 in 7 series); a wider factor is cut into pieces of which all
    but the first are unsigned and so lose a bit.
    """
    wide, narrow = max(width_a, width_b), min(width_a, width_b)
    return max(1, math.ceil((wide - 1) / 26)) * max(1, math.ceil((narrow - 1) / 17))


@dataclass(frozen=True)
class Product:
    """A matrix product with constants, once."""

    latency: float
    interval: float
    dsp: float
    lut: float
    ff: float
    settled: bool = True


def _tree_cycles(case: Case, terms: int) -> float:
    """Cycles of a balanced tree that adds `terms` numbers and a bias: its levels by how many fit into a cycle."""
    return math.log2(terms + 1) / case.target.levels_per_cycle + case.cycle("tree_offset")


def _last_product_cycles(case: Case, terms: int) -> float:
    """Cycles from the last product of a limited multiplier to the sum.

    The adders keep up with the multipliers, and the last product enters where its way is shortest. The tree's adders
    take three numbers (a look-up table of six inputs adds three bits as easily as two), so that of n numbers the
    shortest way has floor(log3 n) levels.
    """
    levels, reached = 0, 3
    while reached <= terms + 1:
        levels, reached = levels + 1, 3 * reached
    return math.ceil(levels / case.target.levels_per_cycle)


def _constant_product(case: Case, weights: Weights, reuse: int) -> Product:
    """`nnet::dense_latency`: all products side by side, with at most `multiplier_limit` multipliers.

    A weight is a constant in the circuit. Zero costs nothing, one signed digit is a wire, two digits are one addition;
    only from three digits on a multiplier is built, and equal weights of one input share it. With the multipliers
    limited, each does several products one after the other, and a single DSP block for all of them is taken with all
    its registers (the tools' name for it ends in ``_5_1``: five stages). The interval is then the reuse factor, or the
    latency and one more where that is shorter, since the next input need not wait for longer.
    """
    block = case.block
    wanted, shift_adds = products(weights)
    fabric = _in_fabric(case, block.width_in, weights.width)
    size = weights.n_in * weights.n_out
    limit = max(1, math.ceil(size / reuse) - (size - weights.nonzeros) // reuse)
    built = min(wanted, limit)
    multiplier = case.target.multiplier_cycles(fabric) if wanted else 0
    serial = 0.0
    if wanted > limit:
        stages = DSP_BLOCK_REGISTERS if limit == 1 and not fabric else multiplier
        serial = math.ceil(wanted / limit) - 1 + stages + _last_product_cycles(case, weights.terms)
    if block.extra.get("saturating"):
        # Every step saturates, so that the order of the sum must stay: an addition, a comparison and a choice each.
        row = weights.terms * case.target.cycles(2 * case.target.delay("add"))
        cycles = max(row + multiplier, serial)
    elif weights.n_in * weights.n_out > FULL_PARTITION:
        # An adder of three numbers does two steps of the row; the products are there after the first cycle.
        adders = max(1, math.floor(case.target.usable_ns / case.target.delay("add_row")))
        cycles = max(1 + math.ceil(steps_in_a_row(weights) / 2 / adders) + multiplier, serial)
    else:
        cycles = max(_tree_cycles(case, weights.terms) + multiplier, serial)
    latency = max(0, round(cycles))
    each = 0 if fabric else dsp_per_product(block.width_in, min(weights.width, 17))
    adder_bits = (weights.nonzeros + weights.n_out) * block.width_accum + shift_adds * (block.width_in + weights.width)
    lut = case.per("lut_adder_bit") * adder_bits
    if fabric:
        lut += case.per("lut_product_bit") * built * block.width_in * weights.width
    return Product(
        latency=latency,
        interval=min(reuse, latency + 1) if reuse > 1 else 1,
        dsp=built * each,
        lut=lut,
        ff=case.per("ff_stage_bit") * adder_bits * min(1.5, latency / max(1.0, math.log2(weights.terms + 1))),
        settled=reuse == 1 or reuse <= SETTLED * (latency + 1),
    )


def _turn_cycles(case: Case, weights: Weights, reuse: int, fabric: bool) -> int:
    """Cycles of one turn of the loop in the resource strategy: read the weights, multiply, add to the sums.

    Each sum takes n_in / reuse products in a turn, in a tree with what it was before. A multiplier and the adder behind
    it, which is the DSP block's own, share a cycle with the tree if they fit; else they have their registers. Above
    n_in turns the inputs are chosen by a remainder, which is one cycle more.
    """
    levels = math.ceil(math.log2(max(1.0, weights.n_in / reuse) + 1))
    target = case.target
    registers = _wide_multiplier_cycles(case, weights.width, fabric)
    if registers == 0 and target.delay("multiply_add") <= target.usable_ns:
        chain = math.ceil(target.cycles(target.delay("multiply_add") + (levels - 1) * target.delay("add")))
    else:
        chain = 1 + registers + math.ceil(levels / target.levels_per_cycle)
    return 1 + chain + (1 if reuse > weights.n_in else 0)


def _wide_multiplier_cycles(case: Case, width: int, fabric: bool) -> int:
    """Extra cycles of a product by a number of `width` bits, which may take several DSP blocks.

    Each doubling of the blocks is a sum more behind them. Four blocks that do not fit into a cycle have all registers.
    """
    blocks = 1 if fabric else dsp_per_product(case.block.width_in, width)
    delay = case.target.delay("multiply_fabric" if fabric else "multiply") * (1 + math.log2(blocks) / 4)
    if delay <= case.target.usable_ns:
        return 0
    registers = math.ceil(delay / case.target.usable_ns)
    return DSP_BLOCK_REGISTERS if blocks >= 4 else min(DSP_BLOCK_REGISTERS, registers)


def _resource_product(case: Case, weights: Weights, reuse: int) -> Product:
    """`nnet::dense_resource`: weights in memory, ceil(n_in n_out / reuse) multipliers that work for `reuse` cycles.

    A block RAM of 18 Kb is 36 bits wide; few weights stay in look-up tables.
    """
    block = case.block
    reuse = min(reuse, weights.n_in * weights.n_out)  # there are no more turns than weights
    multipliers = math.ceil(weights.n_in * weights.n_out / reuse)
    fabric = _in_fabric(case, block.width_in, weights.width)
    each = 0 if fabric else dsp_per_product(block.width_in, weights.width)
    adder_bits = multipliers * block.width_accum
    lut = case.per("lut_resource_bit") * adder_bits
    if fabric:
        lut += case.per("lut_product_bit") * multipliers * block.width_in * weights.width
    return Product(
        latency=reuse - 1 + _turn_cycles(case, weights, reuse, fabric),
        interval=reuse,
        dsp=multipliers * each,
        lut=lut,
        ff=case.per("ff_resource_bit") * (adder_bits + weights.n_out * block.width_accum),
        settled=reuse <= _LONGEST_TURNS,
    )


def _weight_memory(case: Case, weights: Weights, reuse: int) -> int:
    """Block RAMs for the weights of the resource strategy: words of all multipliers' weights, `reuse` deep."""
    bits = math.ceil(weights.n_in * weights.n_out / reuse) * weights.width
    if bits <= 36 or reuse * bits <= 1024:
        return 0
    return math.ceil(bits / 36) * math.ceil(reuse / 512)


def _adder_graph(case: Case) -> Product:
    """A matrix product written out as sums of shifted inputs: its additions are counted, and no product is left."""
    depth, bits = int(case.block.extra.get("adder_depth", 0)), int(case.block.extra["adder_bits"])
    latency = max(0, round(depth / case.target.levels_per_cycle + (case.cycle("tree_offset") if depth else 0)))
    return Product(
        latency=latency,
        interval=1,
        dsp=0,
        lut=case.per("lut_adder_bit") * bits,
        ff=case.per("ff_stage_bit") * bits * min(1.5, latency / max(1, depth)),
    )


def _matrix_product(case: Case, weights: Weights, reuse: int) -> tuple[Product, int]:
    """One matrix product with constants in the layer's strategy, and its block RAMs."""
    if case.block.strategy == "distributed_arithmetic" and "adder_bits" in case.block.extra:
        return _adder_graph(case), 0
    if case.block.strategy == "resource":
        return _resource_product(case, weights, reuse), _weight_memory(case, weights, reuse)
    found = _constant_product(case, weights, reuse)
    if case.block.strategy == "distributed_arithmetic":
        found = replace(found, dsp=0.0, interval=1, settled=True)
    return found, 0


# Layers with weights ------------------------------------------------------------------------------------------------


def _dense(case: Case) -> Cost:
    """A dense layer: one matrix product; in io_stream it waits for its whole input."""
    found, memory = _matrix_product(case, case.block.weights[0], case.block.reuse)
    latency, interval = found.latency, found.interval
    if case.stream:
        items = case.block.n_in // int(case.block.extra.get("pack", case.block.n_in))
        latency += 2 + (items + 1 if items > 1 else 0)
        interval = max(interval, latency)
    beyond: tuple[str, ...] = ()
    weights = case.block.weights[0]
    reuse = min(case.block.reuse, weights.n_in * weights.n_out)
    looped = case.block.strategy == "resource" and reuse > max(_LONGEST_TURNS, weights.n_in)
    if looped:
        # The kernel finds the turns' outputs in a loop before, with a division as long as its numbers and four cycles;
        # a cycle before, between and after the loops.
        latency += reuse * (math.ceil(math.log2(reuse)) + 4) + 3
        interval = latency
        beyond = (f"a reuse factor above {_LONGEST_TURNS:,} with a loop for the outputs' places: one measured design",)
    return Cost(
        latency,
        interval,
        settled=found.settled,
        longest=math.inf if case.stream or looped else reuse,
        restarts=looped,
        dsp=found.dsp,
        lut=found.lut,
        ff=found.ff,
        bram=memory,
        extrapolated=beyond,
    )


def _convolution(case: Case) -> Cost:
    """A convolution: one matrix product for each pixel.

    io_parallel: the pixels are dealt to `n_partitions` rounds, so many products stand side by side. io_stream: one
    pixel of the input after the other; a product in the resource strategy is not overlapped with the next one, nor is
    any in Vitis, where each pixel takes the product's latency and the hand-over to and from the line buffer.
    """
    block, weights = case.block, case.block.weights[0]
    found, memory = _matrix_product(case, weights, block.reuse)
    pixels_out = block.positions
    if not case.stream:
        return _pixels_of_arrays(case, found, memory)
    height = int(block.extra.get("in_height", 1))
    width = int(block.extra.get("in_width", block.extra.get("n_in", pixels_out)))
    pixels_in = height * width
    # A depthwise product has no more turns than taps.
    turns = min(block.reuse, weights.n_in) if block.kind == "depthwise" else block.reuse
    counting = _counting_cycles(case) if height > 1 else 0
    if block.strategy == "resource":
        # Read, shift, count and call: no pipeline, so the cycles add.
        pixel = turns - block.reuse + found.latency + 4 + counting
        latency = pixels_in * pixel + (1 if height > 1 and counting == 0 else 0)
    elif case.target.tool == "Vitis":
        pixel = max(1.0, found.latency) + round(case.cycle("vitis_pixel"))
        latency = pixels_in * pixel + found.latency + 1
    else:
        # A pixel need not wait for more turns than the product and its call take.
        pixel = float(min(turns, found.latency + 3))
        latency = (pixels_in - 1) * pixel + max(pixel + 2, found.latency + 3)
    buffer_bits = width * int(block.extra.get("n_chan", 1)) * block.width_in
    rows = int(block.extra.get("filt_height", 1)) - 1
    return Cost(
        latency,
        pixels_in * pixel if case.target.tool == "Vitis" else latency,
        restarts=case.target.tool != "Vitis",
        dsp=found.dsp,
        lut=found.lut + rows * buffer_bits / 32,
        ff=found.ff,
        bram=memory,
    )


def _pixels_of_arrays(case: Case, found: Product, memory: int) -> Cost:
    """The pixels of a convolution of arrays, or the rows of an einsum with constants.

    A pipelined top function unrolls the loop over the rounds, whatever the config says. In a dataflow each round takes
    the reuse factor, and an einsum's loop, which has no pragma, waits for each product in Vivado HLS.
    """
    block, pixels = case.block, case.block.positions
    side_by_side = block.extra.get("side_by_side")
    if side_by_side is not None:
        # All pixels at once and no multiplier limit that binds; a pipeline that takes an input every few cycles
        # shares its multipliers over them.
        shared = block.reuse if side_by_side == "shared" else 1
        one = _constant_product(case, block.weights[0], 1)
        dsp = math.ceil(one.dsp * pixels / shared)
        return Cost(one.latency, shared, dsp=dsp, lut=one.lut * pixels, ff=one.ff * pixels)
    rounds = max(1, int(block.extra.get("n_partitions", 1)))
    looped = "n_free_data" in block.extra
    if looped:
        at_once = max(1, int(block.extra.get("parallelization_factor", pixels)))
        rounds = math.ceil(int(block.extra["n_free_data"]) / at_once)
    if case.design.pipeline == "pipeline":
        rounds = 1
    copies = math.ceil(pixels / rounds)
    each = max(1, found.interval if block.reuse > 1 else 1)
    waits = looped and rounds > 1 and case.target.tool == "Vivado"
    if waits:
        each = found.latency + 1
    interval = rounds * each
    # the last round begins after all others; a cycle to leave the loop
    latency = found.latency + interval if rounds > 1 else found.latency
    return Cost(
        latency,
        interval,
        settled=found.settled and not waits,
        longest=math.inf if waits else rounds * block.reuse,
        dsp=found.dsp * copies,
        lut=found.lut * copies,
        ff=found.ff * copies,
        bram=memory * copies,
    )


def _counting_cycles(case: Case) -> int:
    """Cycles more that a pixel takes to count columns and rows: a chain of three additions, in one cycle or not."""
    return min(3, math.ceil(case.target.cycles(3 * case.target.delay("add")))) - 1


def _depthwise(case: Case) -> Cost:
    """A depthwise convolution: one small product for each channel."""
    found = _convolution(case)
    return replace(found, extrapolated=(*found.extrapolated, "depthwise convolutions: one measured design"))


def _recurrent(case: Case) -> Cost:
    """GRU, LSTM and simple RNN: two matrix products, the gates' tables, and products with the state, for each step.

    The two products run side by side. With a static state the cell is one circuit that works step after step; without,
    there is a cell for each step, and the steps form a pipeline.
    """
    block = case.block
    parts = [_matrix_product(case, weights, _reuse(block, i)) for i, weights in enumerate(block.weights)]
    state = int(block.extra.get("n_state", block.n_out))
    gates = int(block.extra.get("gates", 3))
    narrow = _in_fabric(case, block.width_in, block.width_in)
    cell = max(part.latency for part, _ in parts) + _gate_cycles(case, gates, narrow) + case.cycle("recurrent_step")
    # Three products with the state in a GRU or an LSTM; of narrow numbers only the one with a table's value is wide.
    elementwise = (0 if gates < 3 else 1 if narrow else 3) * state * dsp_per_product(block.width_in, block.width_in)
    tables = sum(_table_memory(size, width) for size, width in block.tables[:1]) * state * max(1, gates - 1)
    tables += sum(_table_memory(size, width) for size, width in block.tables[1:2]) * state
    tables = math.ceil(tables / 2)
    dsp = sum(part.dsp for part, _ in parts) + elementwise
    lut = sum(part.lut for part, _ in parts) + state * gates * block.width_accum * case.per("lut_table_bit")
    ff = sum(part.ff for part, _ in parts) + state * gates * block.width_accum * 4
    bram = sum(memory for _, memory in parts) + tables
    steps = block.positions
    if int(block.extra.get("use_static", 1)):
        latency = float(steps * round(cell) + 1)
        return Cost(latency, latency, settled=False, restarts=True, dsp=dsp, lut=lut, ff=ff, bram=bram)
    latency = steps * (cell + 1)
    interval = max(part.interval for part, _ in parts)
    return Cost(
        latency,
        interval,
        settled=False,
        dsp=dsp * steps,
        lut=lut * steps,
        ff=ff * steps,
        bram=bram * steps,
        extrapolated=("recurrent layers without a static state: no measured design",),
    )


def _gate_cycles(case: Case, gates: int, narrow: bool) -> int:
    """Cycles of a recurrent cell behind its matrix products.

    A simple RNN adds the two products' results and looks up one table. A GRU adds and looks up a table, multiplies,
    adds and looks up the next, then mixes with the old state by a product and an addition; an LSTM has as many tables
    and products one behind the other. The cell is no pipeline: a call of a table's function is its latency and one
    cycle. Additions and products of narrow numbers fit into the cycle of the call that follows.
    """
    looked_up = _table_cycles(case) + 1
    steps = 0 if narrow else 1
    if gates == 1:
        return steps + looked_up
    product_cycles = 0 if narrow else 1 + case.target.multiplier_cycles(False)
    return steps + 2 * looked_up + 2 * product_cycles


def _reuse(block: Block, index: int) -> int:
    return int(block.extra.get(f"reuse_{index}", block.reuse))


def _attention(case: Case) -> Cost:
    """`nnet::multiheadattention`: projections, scores, softmax, weighted sum and projection, handed on row by row.

    In a pipelined top the loops are unrolled, and the stages stand one after the other, since each waits for all rows
    of the one before: the scores for all keys, the sums for all values. A row goes in and out a cycle. The function is
    no pipeline, so that the next input waits for the last output.

    In a dataflow the loops stay loops: see `_looped_attention`.
    """
    block = case.block
    seq, heads = int(block.extra.get("seq_len", 1)), int(block.extra.get("num_heads", 1))
    key = int(block.extra.get("head_dim_key", 1))
    value = int(block.extra.get("head_dim_value", key))
    projections = [_constant_product(case, weights, block.reuse) for weights in block.weights]
    wide = dsp_per_product(block.width_out, block.width_out)
    # In a dataflow one row's circuit does all rows, and each of its multipliers as many products as a row has cycles.
    looped = case.design.pipeline == "dataflow"
    rows, shared = (1, max(1, block.reuse)) if looped else (seq, 1)
    scores, sums = (rows * math.ceil(seq * size / shared) * wide for size in (key, value))
    exponent = rows * math.ceil(2 * seq / shared)
    softmax = _softmax_cycles(case, seq, "legacy")
    score = _score_cycles(case, key, shared)
    if looped:
        latency, interval = _looped_attention(case, projections, score + softmax)
    else:
        stages = (
            seq - 1 + _projection_cycles(case, projections, heads) + 1,
            seq - 1 + score + softmax + 1,
            2 * (seq - 1) + 1 + case.target.multiplier_cycles(False) + math.ceil(_levels(case, seq)),
            seq - 1 + max(1, projections[-1].latency) + 1,
        )
        # One cycle to hand out the rows, one for the call; Vivado HLS has a process of its own for the arguments.
        latency = sum(stages) + (3 if case.target.tool == "Vivado" else 2)
        interval = latency + 1
    return Cost(
        latency,
        interval,
        settled=False,
        dsp=sum(p.dsp for p in projections) + heads * (scores + sums + exponent),
        lut=sum(p.lut for p in projections) + heads * (scores + sums) * case.per("lut_data_product_bit") * 16,
        ff=sum(p.ff for p in projections) + heads * (scores + sums) * 16,
        bram=heads * rows * 33,
        extrapolated=("attention: three measured designs of one shape",),
    )


def _looped_attention(case: Case, projections: list[Product], scored: float) -> tuple[float, float]:
    """Latency and interval of an attention whose loops over rows stay loops, with a row every `reuse` cycles.

    One process after the other: the projections, whose keys the next process keeps as they come; the scores, row by
    row; then, as the scores are an array, the values are kept and mixed row by row, and each row is projected at once.
    The process of the scores is the slowest: it keeps all keys, then works through the rows, and starts again a cycle
    later. A score is three products one behind the other (query and key, the constant factor, the softmax's), each in
    the registers of a DSP block and in as many turns as its multipliers are shared. The intervals that arXiv:2409.05207
    gives for three such networks at three reuse factors come out within 4 %.
    """
    seq, reuse = int(case.block.extra.get("seq_len", 1)), max(1, case.block.reuse)
    rows = (seq - 1) * reuse
    kept = seq * min(reuse, _keeping_cycles(seq))
    depth = scored + 3 + 3 * (_DSP_REGISTERS + reuse - 1)
    mixed = 1 + case.target.multiplier_cycles(False) + math.ceil(_levels(case, seq)) + reuse - 1
    projected = max(part.latency for part in projections[:-1])
    latency = (rows + projected + 1) + (rows + depth) + kept + (rows + mixed) + (projections[-1].latency + 1)
    return latency, kept + rows + depth + 2


def _keeping_cycles(rows: int) -> int:
    """Cycles to put a row of a stream into its registers.

    A look-up table finds one of 16 by the four bits of its number and the two signals of the handshake; one of more
    takes a second table, in a cycle of its own.
    """
    return 1 if rows <= 16 else 2


def _projection_cycles(case: Case, projections: list[Product], heads: int) -> float:
    """Cycles of a row's projection to keys, queries and values.

    The heads' weights are parts of one array. Vivado HLS leaves it a memory of two ports, and the products wait.
    """
    cycles = max(1.0, *(part.latency for part in projections[:-1]))
    if case.target.tool == "Vivado":
        first = case.block.weights[0]
        cycles = max(cycles, 1 + math.ceil(first.n_in * first.n_out / heads / PORTS))
    return cycles


def _score_cycles(case: Case, key: int, shared: int) -> float:
    """Cycles of a score: the products, their sum, and the constant factor; with `shared` multipliers of the last turn.

    The sum of products that come in turns is there after the last one's way through the adders, as in a dense layer.
    """
    target = case.target
    if shared > 1:
        return 1 + target.multiplier_cycles(False) + _last_product_cycles(case, key)
    scale = target.delay("multiply") + math.ceil(math.log2(max(2, key))) * target.delay("add")
    return 1 + target.multiplier_cycles(False) + math.ceil(target.cycles(scale))


def _levels(case: Case, terms: int) -> float:
    """Cycles of a tree of adders over so many terms."""
    return math.ceil(math.log2(max(2, terms))) / case.target.levels_per_cycle


# Layers without weights ---------------------------------------------------------------------------------------------


def _einsum(case: Case) -> Cost:
    """A product of two tensors of data: every pair of factors has its multiplier, shared `reuse` times."""
    block = case.block
    sizes = [int(block.extra.get(name, 1)) for name in ("n_inplace", "n_free0", "n_free1", "n_contract")]
    inplace, free0, free1, contract = sizes
    pairs = inplace * free0 * free1 * contract
    fabric = _in_fabric(case, block.width_in, block.width_in)
    each = 0 if fabric else dsp_per_product(block.width_in, block.width_in)
    latency = max(0, round(_tree_cycles(case, contract) + case.target.multiplier_cycles(fabric)))
    if block.reuse > 1:
        latency += block.reuse - 1
    built = math.ceil(pairs / block.reuse)
    bits = pairs * block.width_accum
    lut = case.per("lut_adder_bit") * bits
    if fabric:
        lut += case.per("lut_product_bit") * built * block.width_in**2
    return Cost(latency, block.reuse, dsp=built * each, lut=lut, ff=case.per("ff_stage_bit") * bits)


def _relu(case: Case) -> Cost:
    """A comparison with zero and the cast: less than a cycle."""
    block = case.block
    lut = case.per("lut_activation_bit") * block.n_in * block.width_in
    return _elementwise(case, Cost(0, light=True, lut=_side_by_side(case, lut)))


def _wires(case: Case) -> Cost:
    """Transposes, reshapes, copies: wires in io_parallel, a pass over the stream in io_stream."""
    return _elementwise(case, Cost(0, light=True))


def _merge(case: Case) -> Cost:
    """One addition for each element."""
    block = case.block
    lut = block.n_in * (max(block.width_in, block.width_out) + 1)
    return _elementwise(case, Cost(0, light=True, lut=_side_by_side(case, lut)))


def _product(case: Case) -> Cost:
    """One product of data for each element."""
    block = case.block
    fabric = _in_fabric(case, block.width_in, block.width_in)
    number = block.n_in if not case.stream else _channels(block)
    each = 0 if fabric else dsp_per_product(block.width_in, block.width_in)
    latency = max(0, case.target.multiplier_cycles(fabric))
    lut = number * block.width_in**2 * case.per("lut_product_bit") if fabric else number * block.width_in
    return _elementwise(case, Cost(latency, light=latency == 0, dsp=number * each, lut=lut))


def _multiply(case: Case) -> Cost:
    """A constant factor and a shift for each element, as in batch normalization."""
    block = case.block
    constants = block.weights[0] if block.weights else None
    number = _channels(block) if case.stream else block.n_in
    wanted = number if constants is None else min(number, products(constants)[0] * number / max(1, constants.n_in))
    fabric = _in_fabric(case, block.width_in, constants.width if constants else block.width_in)
    each = 0 if fabric else dsp_per_product(block.width_in, constants.width if constants else block.width_in)
    built = math.ceil(wanted / max(1, block.reuse)) if wanted else 0
    latency = case.target.multiplier_cycles(fabric) if built else 0
    if case.stream and built:
        latency += math.ceil(wanted / built) - 1
    lut = number * (block.width_in + block.width_out)
    return _elementwise(case, Cost(latency, light=latency == 0, dsp=built * each, lut=lut))


def _table_cycles(case: Case) -> int:
    """Cycles of a look-up: the address by scaling and clamping, and the memory."""
    return max(1, round(case.target.cycles(case.target.delay("table"))))


def _table(case: Case) -> Cost:
    """A look-up for each number: one cycle for the memory, and the scaling and clamping of the address."""
    block = case.block
    number = _channels(block) if case.stream else block.n_in
    latency = _table_cycles(case)
    size, width = block.tables[0] if block.tables else (1024, 18)
    # A block RAM has two ports: two numbers share one.
    memory = math.ceil(number / 2) * _table_memory(size, width)
    lut = number * case.per("lut_table_bit") * block.width_in
    return _elementwise(case, Cost(latency, lut=lut, ff=number * width / 8, bram=memory))


def _softmax(case: Case) -> Cost:
    """The largest input, exponentials, their sum, one inverse, and a product for each output.

    The largest and the sum are trees of log2(n) levels; subtraction, two tables and the product take a fixed time.
    """
    block = case.block
    slices = int(block.extra.get("n_slice", block.n_in))
    rows = max(1, block.positions)
    implementation = str(block.extra.get("implementation", "stable"))
    latency = _softmax_cycles(case, slices, implementation)
    if implementation == "argmax":
        return _elementwise(case, Cost(latency, lut=block.n_in * block.width_in * 2))
    tables = block.tables or ((1024, 18), (1024, 18))
    # A block RAM has two ports; Vitis HLS does not share them between copies of a table.
    copies = slices - 1 if case.target.tool == "Vitis" else math.ceil(slices / 2)
    exponents = copies * _table_memory(*tables[0])
    inverse = _table_memory(*tables[-1])
    shared = min(block.reuse, slices) if case.stream else 1
    multipliers = 0 if case.design.fabric else math.ceil(slices / shared)
    # A pipeline that takes an input every few cycles sends several rows through one circuit.
    turns = 1 if case.stream or rows == 1 else min(rows, max(1, block.reuse))
    side_by_side = 1 if case.stream else math.ceil(rows / turns)
    lut = slices * case.per("lut_softmax") * (1 if implementation == "stable" else 0.3)
    found = Cost(
        latency + turns - 1,
        turns,
        dsp=multipliers * side_by_side,
        lut=lut * side_by_side,
        ff=slices * tables[0][1] * max(1.0, latency / 2) * side_by_side,
        bram=(exponents + inverse) * side_by_side,
    )
    if case.stream:
        total = latency + rows + shared
        return replace(found, latency=total, interval=total)
    return found


def _softmax_cycles(case: Case, n: int, implementation: str = "stable") -> int:
    levels = case.cycle("softmax_levels") * math.log2(max(n, 2)) / case.target.levels_per_cycle
    fixed = case.target.cycles(case.target.delay("softmax"))
    if implementation == "latency":
        levels, fixed = levels / 2, fixed / 2
    elif implementation == "legacy":
        # No largest input; but both addresses are whole numbers of C, rounded towards zero and clamped at either end.
        address = math.ceil(case.target.cycles(3 * case.target.delay("add")))
        levels, fixed = levels / 2, fixed + 2 * address
    elif implementation == "argmax":
        fixed = 0
    elif case.design.fabric:
        fixed -= _DSP_REGISTERS
    return max(1, round(levels + fixed))


def _layernorm(case: Case) -> Cost:
    """Mean, squares, variance, inverse root and scale, row by row, all rows side by side.

    A row of d numbers takes d products for the squares, d for the normalization, and those of the scales that are no
    sums of two powers of two. Where d is no power of two its reciprocal takes d + 2 products more, and time. So does
    rounding and saturating every step, where the layer has a type of its own for its sums.
    """
    block = case.block
    rows = max(1, block.positions)
    dim = max(1, block.n_in // rows)
    size, width = block.tables[0] if block.tables else (1024, 18)
    delay = case.target.delay("layernorm")
    if dim & (dim - 1):
        delay += case.target.delay("layernorm_division")
    if block.extra.get("rounded"):
        delay += case.target.delay("layernorm_rounding")
    levels = 2 * math.log2(max(dim, 2)) / case.target.levels_per_cycle
    latency = max(1, round(levels + case.target.cycles(delay)))
    scales = products(block.weights[0])[0] if block.weights else dim
    division = 0 if dim & (dim - 1) == 0 else dim + 2
    per_row = (2 * dim + scales + division) * dsp_per_product(min(block.width_accum, 18), 18)
    if case.design.fabric:
        per_row = 0
    return Cost(
        latency,
        max(1, block.reuse),
        dsp=per_row * rows,
        lut=rows * dim * case.per("lut_softmax"),
        ff=rows * dim * block.width_out * latency,
        bram=rows * _table_memory(size, width),
    )


def _pooling(case: Case) -> Cost:
    """Comparisons or a sum over the window; in io_stream a pass over the input's pixels."""
    block = case.block
    window = max(1, round(block.n_in / max(1, block.n_out)))
    latency = max(0, round(_tree_cycles(case, window)))
    divided = bool(block.extra.get("average")) and window & (window - 1) != 0
    if divided:  # by a window that is no power of two: a wide product with its reciprocal
        latency += 1 + case.target.multiplier_cycles(False) + (0 if case.stream else max(1, block.reuse) - 1)
    dsp = 0.0 if not divided or case.design.fabric else 2.0 * math.ceil(block.n_out / max(1, block.reuse))
    lut = block.n_in * block.width_in * 1.5
    registers = block.n_out * block.width_out * latency
    if not case.stream:
        return Cost(latency, max(1, block.reuse), light=latency == 0, dsp=dsp, lut=lut, ff=registers)
    channels = max(1, _channels(block))
    pixels = max(1, block.n_in // channels)
    two_dimensional = int(block.extra.get("in_height", 1)) > 1
    steps = pixels * (1 + (_counting_cycles(case) if two_dimensional and case.target.tool == "Vivado" else 0))
    whole = block.n_out <= channels
    latency = steps + 3
    taps = 1 if whole else window
    return Cost(latency, latency, lut=channels * block.width_in * 1.5 * taps, ff=channels * block.width_in * 4)


def _elementwise(case: Case, found: Cost) -> Cost:
    """In io_stream a layer without memory passes the stream's items on, one a cycle."""
    if not case.stream:
        return found
    items = max(1, max(case.block.n_in, case.block.n_out) // _channels(case.block))
    total = items + found.latency + 2
    return replace(found, latency=total, interval=total, light=False)


def _channels(block: Block) -> int:
    """Numbers that travel together in a stream."""
    for name in ("pack", "n_filt", "n_chan"):
        if int(block.extra.get(name, 0)) > 0:
            return int(block.extra[name])
    return block.n_in


def _side_by_side(case: Case, lut: float) -> float:
    return lut if not case.stream else lut * _channels(case.block) / max(1, case.block.n_in)


def _table_memory(size: int, width: int) -> int:
    """Block RAMs of 18 Kb for a table; a small one is made of look-up tables."""
    if size * width <= 1024:
        return 0
    return math.ceil(size * width / 18432)


FORMULAS: dict[str, Callable[[Case], Cost]] = {
    "dense": _dense,
    "conv": _convolution,
    "depthwise": _depthwise,
    "recurrent": _recurrent,
    "attention": _attention,
    "einsum": _einsum,
    "relu": _relu,
    "wires": _wires,
    "merge": _merge,
    "product": _product,
    "multiply": _multiply,
    "table": _table,
    "softmax": _softmax,
    "layernorm": _layernorm,
    "pooling": _pooling,
}
"""The formula of each kind of block."""
