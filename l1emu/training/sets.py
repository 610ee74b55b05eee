"""Networks of sets of particles: Deep Sets, and an interaction network over all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.heads import with_head


def deep_sets(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    each: Sequence[int] = (32, 32),
    hidden: Sequence[int] = (32,),
    softmax: bool = True,
) -> keras.Model:
    """Dense layers of each particle, the mean over particles, and dense layers of that.

    Zaheer et al., arXiv:1703.06114; for jets on an FPGA, Odagiu et al., arXiv:2402.01876.

    Parameters
    ----------
    shape
        (particles, features); a power of two of particles, by which the mean divides exactly.
    each, hidden
        Units of the layers of each particle, and of those behind the mean.
    """
    inputs = x = _particles(input, shape)
    for number, units in enumerate(each):
        x = _dense_relu(x, units, f"each{number}")
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return with_head(inputs, x, hidden, outputs, softmax, "deep_sets")


def interaction_network(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    edge: Sequence[int] = (16, 8),
    node: Sequence[int] = (16, 16),
    hidden: Sequence[int] = (16,),
    softmax: bool = True,
) -> keras.Model:
    """An interaction network: dense layers of each pair, their mean by receiver, layers of each particle with that.

    Battaglia et al., arXiv:1612.00222; for jets Moreno et al., arXiv:1908.05318, and on an FPGA Odagiu et al.,
    arXiv:2402.01876. The first layer of a pair is one matrix of the receiver and one of the sender, added: the same as
    a matrix of both side by side, with 2 n in the place of n² products. Pairs of a particle with itself take part, so
    that the mean is over a power of two.

    Parameters
    ----------
    shape
        (particles, features); a power of two of particles.
    edge, node, hidden
        Units of the layers of pairs, of particles, and behind the mean over particles.
    """
    inputs = x = _particles(input, shape)
    count = int(shape[0])
    if not edge or not node:
        raise L1emuError("no layer of pairs or of particles", where="network.sizes", value=(tuple(edge), tuple(node)))
    receiver = keras.layers.Dense(edge[0], name="edge_receiver")(x)
    sender = keras.layers.Dense(edge[0], name="edge_sender")(x)
    receivers = keras.layers.UpSampling1D(count, name="receivers")(receiver)  # row i * count + j: receiver i
    row = keras.layers.Reshape((1, count * edge[0]), name="sender_row")(sender)
    rows = keras.layers.UpSampling1D(count, name="sender_rows")(row)
    senders = keras.layers.Reshape((count * count, edge[0]), name="senders")(rows)  # row i * count + j: sender j
    pairs = keras.layers.Add(name="edge0")([receivers, senders])
    pairs = keras.layers.Activation("relu", name="edge0_relu")(pairs)
    for number, units in enumerate(edge[1:], 1):
        pairs = _dense_relu(pairs, units, f"edge{number}")
    received = keras.layers.AveragePooling1D(count, name="received")(pairs)
    own = keras.layers.Dense(node[0], name="node_own")(x)
    other = keras.layers.Dense(node[0], name="node_received")(received)
    x = keras.layers.Activation("relu", name="node0_relu")(keras.layers.Add(name="node0")([own, other]))
    for number, units in enumerate(node[1:], 1):
        x = _dense_relu(x, units, f"node{number}")
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return with_head(inputs, x, hidden, outputs, softmax, "interaction_network")


def _particles(input: str, shape: Sequence[int]) -> Any:
    if len(shape) != 2:
        raise L1emuError(
            "no particles", where="network.sizes.shape", value=tuple(shape), expected="(particles, features)"
        )
    count = int(shape[0])
    if count & (count - 1):
        raise L1emuError(
            "the number of particles is no power of two, by which a mean divides exactly",
            where="network.sizes.shape",
            value=tuple(shape),
            expected="2, 4, 8, 16 ... particles",
        )
    return keras.layers.Input(tuple(shape), name=input)


def _dense_relu(x: Any, units: int, name: str) -> Any:
    return keras.layers.Activation("relu", name=f"{name}_relu")(keras.layers.Dense(units, name=name)(x))
