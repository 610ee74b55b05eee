"""From jets to firmware: QKeras layers that hls4ml lacks, quantization-aware training, conversion with hls4ml.

Everything that needs TensorFlow, QKeras or hls4ml lives in this package (extra: train). Importing the package itself
imports none of them; `require()` turns their absence into one line of advice.

against       where a Keras model and its firmware part
autoencoders  anomaly scores in firmware, and how autoencoders are trained
any_model     any model on disk, from its recipe
any_train     training of any model, its firmware, and the comparison with its C++
arrays_for    the arrays of a recipe's data, checked, on the grid of the input type, and split
bits          the network of a recipe at other bits, trained on in them or not
builders      registered builders of networks
card          the card of a trained tagger as text
custom_objects  the layers of this room by the names under which Keras saves them
data          labelled jets for training
event_arrays  arrays by a feature map from files of events or jets
evaluate      how well scores separate the classes
export        a QKeras model to an hls4ml project
figures       how well any model does its task
fitting       one pass of training
functions     functions of the user's, named `module:function` in a recipe
generators    registered generators of training data
golden        golden vectors
hgq_networks  registered builders of networks with HGQ2 layers, in Keras 3
hgq_train     training with HGQ2, in an environment of its own (extra: hgq)
handlers      hls4ml handlers that lead the layers of this room to the nodes that hls4ml has for them
heads         the end of a network: dense layers, and the numbers that it gives
image_networks  builders for images: vision transformer, attention in windows, mixtures with convolutions
jet_images    registered generator of jet images
jet_sequences  registered generators of jets as particles alone
jetclass_jets  jets in the layout of JetClass: a file, and a registered generator
level1_jets   a registered generator of whole crossings as a study sees them
layernorm_layer  layer normalization as firmware computes it
keras3        models that Keras 3 saved, rebuilt for the Keras 2 that QKeras needs
layers        thin Keras layers that QKeras lacks, of which attention is composed with stock QKeras layers
masks         masks of attention scores, and rows in another order, in fixed point
model         the default architecture: a transformer over jet constituents, in float and in QKeras, from one recipe
model_recipe  the recipe of any model: data, network, task, quantization and hardware
networks      builders of dense networks and of transformers over tokens, characters and particles
outcome       what training leaves, whatever it was done with
part_network  the Particle Transformer as its authors have it
part_scales   scales of a translated one, for hls4ml's table of variances
part_weights  the weights of one of PyTorch's as those of ours
post_training  Keras models without quantizers as hls4ml projects of given types
pruning       weights that become zero and stay so
pythia_jets   registered generators of jets, with Pythia 8
quantizers    which fixed-point type a QKeras quantizer stands for
rebuilding    a model built again: without batch normalizations, without quantizers, or with those of a rule
recipe        the recipe of a tagger: architecture, types and training, as YAML checked when read
recurrent     a GRU or LSTM in float and as hls4ml's firmware computes it, and networks that begin with it
sentences     a registered generator of text
sets          Deep Sets, and an interaction network over all pairs
starting_weights  the weights that a recipe's network starts from
steering      what steers the synthesis, layer by layer, as hls4ml's configuration has it
steps         a Keras model as steps that can be run one by one
strokes       a registered generator of sketches
substructure  sixteen high-level features of a jet
tagger        a trained tagger on disk: `recipe.yaml`
torch_state   the arrays of a PyTorch state_dict, without PyTorch
train         training: the float twin first, then the quantized network from its weights
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from l1emu.errors import L1emuError


def require_hgq() -> None:
    """Check that HGQ2, Keras 3 and hls4ml are installed.

    Raises
    ------
    L1emuError
        naming the packages that are absent and how to install them.
    """
    absent = [name for name in ("hgq", "keras", "jax", "hls4ml", "sklearn") if find_spec(name) is None]
    if absent:
        raise L1emuError(
            "training with HGQ2 needs packages that are not installed",
            value=", ".join(absent),
            expected="an environment of its own, without the extra train: `pip install 'l1emu[hgq]'`",
        )


def require() -> None:
    """Check that TensorFlow, QKeras and hls4ml are installed, and quieten TensorFlow's start-up messages.

    Raises
    ------
    L1emuError
        naming the packages that are absent and how to install them.
    """
    absent = [name for name in ("tensorflow", "qkeras", "hls4ml", "sklearn") if find_spec(name) is None]
    if absent:
        raise L1emuError(
            "training and conversion need packages that are not installed",
            value=", ".join(absent),
            expected="`pip install 'l1emu[train]'` (Python 3.11)",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
