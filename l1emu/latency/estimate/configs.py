"""What a config struct says of a block: sizes, steering, matrices and tables."""

from __future__ import annotations

from l1emu.latency.estimate.design import Weights
from l1emu.latency.estimate.lenient import Members
from l1emu.latency.estimate.matrices import matrix, unknown_matrix
from l1emu.latency.estimate.sources import raw_weights


def pixels(members: Members, side: str) -> int:
    """Positions of a convolution's data, ``in``, or of its result, ``out``."""
    return members.integer(f"{side}_height", 1) * members.integer(f"{side}_width", members.integer(f"n_{side}", 1))


def strategy(members: Members, kind: str) -> str:
    """``latency``, ``resource`` or ``distributed_arithmetic``."""
    stated = members.symbol("strategy")
    if stated == "distributed_arithmetic":
        return "distributed_arithmetic"
    if stated in ("resource", "compressed", "resource_unrolled"):
        return "resource"
    if kind == "recurrent" and stated is None:
        inner = members.nested("mult_config1")
        return "resource" if inner.symbol("strategy") == "resource" else "latency"
    return "latency"


def sizes(function: str, kind: str, members: Members, stated: tuple[int, int]) -> tuple[int, int]:
    """Numbers in and out: from the config, else those of the arrays, which are `stated` and may be 0."""
    stated_in, stated_out = stated
    if members.has("n_free_data"):
        n_in = n_out = 0
    elif kind in ("conv", "depthwise") or (kind == "pooling" and members.has("n_filt")):
        n_in = pixels(members, "in") * members.integer("n_chan", members.integer("n_filt", 1))
        n_out = pixels(members, "out") * members.integer("n_filt", 1)
    elif kind == "merge" or kind == "product":
        n_in = n_out = members.integer("n_elem", members.integer("n_inp", stated_in))
    elif function.startswith(("zeropad", "resize", "cropping")):
        n_in = pixels(members, "in") * members.integer("n_chan", 1)
        height = members.integer("out_height", members.integer("new_height", 1))
        n_out = height * members.integer("out_width", members.integer("new_width", 1)) * members.integer("n_chan", 1)
    elif kind == "recurrent":
        n_in = members.integer("n_in", 1) * members.integer("n_sequence", 1)
        n_out = members.integer("n_out", 1) * members.integer("n_sequence_out", 1)
    elif function == "embedding":
        n_in = members.integer("n_in", stated_in)
        n_out = n_in * members.integer("n_out", 1)
    elif kind == "attention":
        n_in = members.integer("seq_len", 1) * members.integer("feature_dim", 1)
        n_out = n_in
    else:
        n_in = members.integer("n_in", stated_in)
        n_out = members.integer("n_out", stated_out or n_in)
        if kind == "einsum":
            n_in, n_out = stated_in, stated_out
    return n_in or stated_in or 1, n_out or stated_out or 1


def positions(kind: str, members: Members) -> int:
    """How often the same thing is done, see `Block`."""
    if members.has("n_free_data"):
        return members.integer("n_free_data", 1) * members.integer("n_inplace", 1)
    if kind in ("conv", "depthwise") or (kind == "pooling" and members.has("n_filt")):
        return pixels(members, "out")
    if kind == "layernorm":
        return members.integer("seq_len", 1)
    if kind == "softmax":
        return members.integer("n_outer", 1) * members.integer("n_inner", 1)
    if kind == "recurrent":
        return members.integer("n_sequence", 1)
    if kind == "attention":
        return members.integer("seq_len", 1)
    return 1


def matrices(members: Members, kind: str, names: list[str]) -> tuple[Weights, ...]:
    """The matrices that a layer multiplies with, whose weights are in the arrays `names`, in the call's order."""
    width = members.width("weight_t") or 16
    if kind == "dense":
        return (_matrix(members, members.integer("n_in", 1), members.integer("n_out", 1), width, names),)
    if kind == "conv" and members.has("n_free_data"):
        inner = members.nested("dense_conf")
        width = inner.width("weight_t") or width
        rows, columns = members.integer("n_contract", 1), members.integer("n_free_kernel", 1)
        return (_matrix(inner, rows, columns, width, names),)
    if kind in ("conv", "depthwise"):
        taps = members.integer("filt_height", 1) * members.integer("filt_width", 1)
        channels, filters = members.integer("n_chan", 1), members.integer("n_filt", 1)
        if kind == "depthwise":
            return (_matrix(members, taps, max(channels, filters), width, names),)
        inner = members.nested("mult_config")
        width = members.width("weight_t") or inner.width("weight_t") or width
        return (_matrix(inner, taps * channels, filters, width, names),)
    if kind == "recurrent":
        first, second = members.nested("mult_config1"), members.nested("mult_config2")
        return tuple(
            _matrix(m, m.integer("n_in", 1), m.integer("n_out", 1), width, names[i : i + 1])
            for i, m in enumerate((first, second))
        )
    if kind == "attention":
        dim, heads = members.integer("feature_dim", 1), members.integer("num_heads", 1)
        key = members.integer("head_dim_key", 1)
        value = members.integer("head_dim_value", key)
        places = ((dim, key, 2), (dim, key, 4), (dim, value, 6))
        projections = [
            _heads(members, (heads, rows, columns), width, names[at : at + 1]) for rows, columns, at in places
        ]
        return (*projections, _matrix(members, heads * value, dim, width, names))
    if kind in ("multiply", "layernorm") and names:
        if kind == "layernorm":
            size = max(1, members.integer("n_in", 1) // max(1, members.integer("seq_len", 1)))
            return (_matrix(members, size, 1, members.width("scale_t") or 16, names),)
        size = members.integer("n_filt", -1)
        size = size if size > 0 else members.integer("n_in", 1)
        return (_matrix(members, size, 1, width, names),)
    return ()


def _heads(members: Members, shape: tuple[int, int, int], width: int, names: list[str]) -> Weights:
    """The matrices of an attention's heads, side by side; one head's weights stand behind the other's."""
    heads, n_in, n_out = shape
    raw = raw_weights(members.project, (*names, "")[0], heads * n_in * n_out)
    if raw is None:
        return unknown_matrix(n_in, heads * n_out, width, None)
    return matrix(raw.reshape(heads, n_in, n_out).transpose(1, 0, 2).reshape(n_in, heads * n_out), width)


def _matrix(members: Members, n_in: int, n_out: int, width: int, names: list[str]) -> Weights:
    """A matrix, its weights those of the first name."""
    stated = members.integer("n_nonzeros", -1)
    raw = raw_weights(members.project, (*names, "")[0], n_in * n_out)
    if raw is not None:
        # hls4ml writes the transpose for the resource strategy.
        turned = strategy(members, "dense") == "resource"
        shaped = raw.reshape(n_out, n_in).T if turned else raw.reshape(n_in, n_out)
        return matrix(shaped, width)
    return unknown_matrix(n_in, n_out, width, stated if stated >= 0 else None)


def table_sizes(members: Members, kind: str) -> tuple[tuple[int, int], ...]:
    """Numbers in each look-up table and their bits."""
    if kind == "softmax":
        sizes = [members.integer(f"{n}_table_size", members.integer("table_size", 1024)) for n in ("exp", "inv")]
        shared = members.width("table_t") or 18
        legacy = members.symbol("implementation") == "legacy"  # it has one type for both
        names = ("table_t", "table_t") if legacy else ("exp_table_t", "inv_table_t")
        widths = [members.width(name) or shared for name in names]
        return ((sizes[0], widths[0]), (sizes[1], widths[1]))
    if kind == "table" and members.has("vocab_size"):  # an embedding
        size = members.integer("vocab_size", 1) * members.integer("n_out", 1)
        return ((size, members.width("embeddings_t") or 18),)
    if kind in ("table", "layernorm"):
        return ((members.integer("table_size", 1024), members.width("table_t") or 18),)
    if kind == "attention":
        inner = members.nested("softmax_config1")
        return table_sizes(inner, "softmax")
    if kind == "recurrent":
        found = []
        for nested in ("ACT_CONFIG_GRU", "ACT_CONFIG_LSTM", "ACT_CONFIG_T"):
            inner = members.nested(nested)
            if inner.known:
                found += list(table_sizes(inner, "table"))
        return tuple(found)
    return ()
