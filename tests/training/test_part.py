"""Weights of a PyTorch Particle Transformer: the same scores here, refused by name, and converted as its C++."""

from __future__ import annotations

import os
import pickle
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from tensorflow import keras

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.training.any_model import network_of
from l1emu.training.any_train import train_model
from l1emu.training.model import weights_by_name
from l1emu.training.model_recipe import ModelRecipe, NetworkChoice
from l1emu.training.part_scales import scale_to_table
from l1emu.training.part_weights import part_weights
from l1emu.training.starting_weights import start_from
from l1emu.training.tagger import save_arrays
from l1emu.training.torch_state import read_state

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

HERE = Path(__file__).parent
PARTS = HERE / "parts"
"""What `part_in_torch.py` wrote; `make test-torch` makes it anew and compares."""

INPUTS = ("particles", "pairs", "mask")
COMMON = {
    "input": "particles", "shape": [4, 6], "mask": "mask", "outputs": 3, "heads": 2, "embed": [7, 8],
    "feed_forward": 32,
}  # fmt: skip
PAIRS = {"input": "pairs", "features": 4, "hidden": [6]}
SIZES: dict[str, dict[str, Any]] = {
    "gelu": {**COMMON, "blocks": 2, "class_blocks": 2, "head": [5], "pairs": {**PAIRS, "activated": True}},
    "relu": {**COMMON, "blocks": 1, "class_blocks": 1, "pairs": PAIRS},
}
BUILDER = "reference-particle-transformer"
RECIPE: dict[str, Any] = {
    "name": "part",
    "description": "For tests.",
    "data": {"file": "rows.npz", "target": "label"},
    "network": {"builder": BUILDER, "sizes": SIZES["relu"], "weights": "relu.pt"},
    "task": {"kind": "classify", "classes": ["a", "b", "c"]},
    "quantization": {
        "method": "post-training",
        "input": {"width": 12, "integer": 4},
        "rule": {"weight": {"bits": 12}, "bias": {"bits": 12}, "result": {"bits": 12}, "softmax_bits": 12},
        "layers": {"*_biased": {"result": {"bits": 11}}, "class*_score": {"result": {"bits": 11}}},
    },
    "training": {"seed": 5, "batch": 64},
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}


def rows_of(folder: Path, kind: str) -> dict[str, Any]:
    """Inputs and what PyTorch gave for them."""
    with np.load(folder / f"{kind}.npz") as archive:
        return {name: archive[name] for name in archive.files}


def recipe_of(kind: str, weights: str | None = None, epsilon: float = 1e-5) -> ModelRecipe:
    """A recipe for the network as it is in PyTorch."""
    sizes = SIZES[kind] | {"activation": kind, "epsilon": epsilon}
    network = {"builder": BUILDER, "sizes": sizes, "weights": weights or f"{kind}.pt"}
    return ModelRecipe.model_validate(RECIPE | {"network": network})


def translated(folder: Path, kind: str, epsilon: float = 1e-5) -> keras.Model:
    """The translated float network."""
    recipe = recipe_of(kind, epsilon=epsilon)
    network = network_of(recipe, folder)
    assert start_from(network, recipe.network, folder)
    return network


def scores_here(folder: Path, kind: str) -> Any:
    """What the translated float network gives."""
    rows = rows_of(folder, kind)
    return translated(folder, kind).predict([rows[name] for name in INPUTS], verbose=0)


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_a_translated_network_gives_the_scores_of_pytorch(kind: str) -> None:
    expected = rows_of(PARTS, kind)["scores"]
    np.testing.assert_allclose(scores_here(PARTS, kind), expected, atol=1e-5)
    assert expected.std(axis=0).max() > 0.02  # something there is to be equal in


@pytest.mark.torch
def test_a_particle_transformer_of_pytorch_made_now_is_translated(tmp_path: Path) -> None:
    python = os.environ.get("L1EMU_TORCH_PYTHON")
    assert python, "L1EMU_TORCH_PYTHON: a Python with torch and numpy; `make test-torch` sets it"
    subprocess.run([python, str(HERE / "part_in_torch.py"), str(tmp_path)], check=True)
    for kind in SIZES:
        np.testing.assert_allclose(scores_here(tmp_path, kind), rows_of(tmp_path, kind)["scores"], atol=1e-5)
        # the machine draws other last digits perhaps, and no other numbers
        for name, array in read_state(PARTS / f"{kind}.pt").items():
            np.testing.assert_allclose(read_state(tmp_path / f"{kind}.pt")[name], array, atol=1e-6)


def written(folder: Path, weights: str = "relu.pt", **changes: Any) -> Path:
    """The recipe with its data, in `folder`."""
    rows = rows_of(PARTS, "relu")
    again = {name: np.concatenate([array] * 5) for name, array in rows.items()}
    label = np.random.default_rng(2).integers(0, 3, len(again["mask"]))
    np.savez(folder / "rows.npz", **again, label=label)
    for kind in SIZES:
        (folder / f"{kind}.pt").write_bytes((PARTS / f"{kind}.pt").read_bytes())
    document = RECIPE | changes
    document["network"] = document["network"] | {"weights": weights}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder / "recipe.yaml"


@pytest.mark.exhaustive  # a minute of compiling: 60 layers
def test_a_translated_network_is_converted_without_training_and_equals_its_cpp(tmp_path: Path) -> None:
    card = train_model(written(tmp_path), tmp_path / "out").card
    assert card["differ"] == 0 < card["verified_values"]
    assert card["history"] == {}
    rows = rows_of(PARTS, "relu")
    emulator = Emulator(Firmware.read(tmp_path / "out" / "model.l1fw"))
    inputs = {name: rows[name] for name in INPUTS}
    scores = np.asarray(emulator(inputs)).reshape(-1, 3)
    assert (
        np.corrcoef(scores.ravel(), rows["scores"].ravel())[0, 1] > 0.7
    )  # of a random network whose variances spread over three orders
    padded = rows["mask"] == 0
    other = {name: array.copy() for name, array in inputs.items()}
    other["particles"][padded] = -other["particles"][padded]
    other["pairs"][padded] = 0.5
    other["pairs"].transpose(0, 2, 1, 3)[padded] = 0.25
    assert np.array_equal(np.asarray(emulator(other)).reshape(-1, 3), scores)


def test_scales_for_the_table_change_no_score_but_by_epsilon() -> None:
    network, rows = translated(PARTS, "relu", epsilon=1e-9), rows_of(PARTS, "relu")
    inputs = [rows[name] for name in INPUTS]
    before = network.predict(inputs, verbose=0)
    scale_to_table(network, inputs)
    np.testing.assert_allclose(network.predict(inputs, verbose=0), before, atol=1e-4)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.LayerNormalization)]
    read = keras.Model(network.inputs, [layer.input for layer in norms]).predict(inputs, verbose=0)
    largest = [np.quantile(np.var(x, axis=-1), 0.999) for x in read]
    assert max(largest) < 1.001 and min(largest) > 0.004 and len(largest) == 2 + 4 + 4 + 1


def test_weights_of_an_earlier_training_are_taken_up(tmp_path: Path) -> None:
    network, rows = translated(PARTS, "relu"), rows_of(PARTS, "relu")
    save_arrays(tmp_path / "earlier.npz", weights_by_name(network))
    other = network_of(recipe_of("relu"), PARTS)
    assert not start_from(other, recipe_of("relu", "earlier.npz").network, tmp_path)
    inputs = [rows[name] for name in INPUTS]
    np.testing.assert_array_equal(other.predict(inputs, verbose=0), network.predict(inputs, verbose=0))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"blocks": 2}, r"network\.sizes\.blocks: the weights are of a network of another size: got '?2'?; expected 1"),
    ({"shape": [4, 5]}, r"network\.sizes\.shape, features: the weights are of a network of another size"),
    ({"pairs": PAIRS | {"hidden": [5]}}, r"expected \{\"features\": 4, \"hidden\": \[6\]\}"),
    ({"activation": "gelu"}, r"embed0_gelu: an activation that hls4ml computes by a table of a default type"),
    ({"epsilon": 1e-5}, r"another epsilon than that of the trained layer"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_does_not_fit_or_convert_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    network = RECIPE["network"] | {"sizes": SIZES["relu"] | change}
    with pytest.raises(L1emuError, match=message) as caught:
        train_model(written(tmp_path, network=network), tmp_path / "out")
    assert "\n" not in str(caught.value)


STATES: list[tuple[str, str]] = [
    ("pair_embed.fts_embed.0.weight", r"no translation: further features of pairs \(pair_extra_dim\)"),
    ("blocks.0.attn.bias_k", r"no translation: learned keys"),
    ("blocks.0.attn.in_proj.weight", r"no translation: the layout of later versions"),
    ("blocks.0.ls1.gamma", r"blocks\.0\.ls1\.gamma: this of the state has no translation"),
    (
        "-blocks.0.post_fc_norm.weight",
        r"blocks\.0\.post_fc_norm\.weight: the state of a Particle Transformer lacks this",
    ),
    ("-embed.input_bn.running_var", r"embed\.input_bn\.running_var: the state .* lacks this"),
]


@pytest.mark.parametrize(("name", "message"), STATES)
def test_a_state_with_more_or_less_is_refused_by_name(name: str, message: str) -> None:
    state = read_state(PARTS / "relu.pt")
    if name.startswith("-"):
        del state[name[1:]]
    else:
        state[name] = np.ones((1, 8))
    with pytest.raises(L1emuError, match=message):
        part_weights(state)


def test_a_checkpoint_with_the_model_as_a_part_is_read_and_an_npz_as_well(tmp_path: Path) -> None:
    state = read_state(PARTS / "relu.pt")
    np.savez(tmp_path / "state.npz", **{f"mod.{name}": array for name, array in state.items()})
    sizes, weights = part_weights(read_state(tmp_path / "state.npz"))
    plain_sizes, plain = part_weights(state)
    assert sizes == plain_sizes and all(np.array_equal(weights[name], plain[name]) for name in plain)


class _Harm:
    def __reduce__(self) -> Any:
        return print, ("harm",)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", "harm", "model", "numbers"])
def test_what_is_no_state_is_refused_in_one_line_and_runs_nothing(
    content: bytes | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        held = {"harm": _Harm(), "model": NetworkChoice(builder="part"), "numbers": {"cls_token": 1.0}}[content]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(held))
    with pytest.raises(L1emuError, match=r"not a readable state_dict|not arrays of numbers") as caught:
        read_state(path)
    assert "\n" not in str(caught.value) and "harm" not in capsys.readouterr().out


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    with zipfile.ZipFile(PARTS / "relu.pt") as old, zipfile.ZipFile(path, "w") as archive:
        for info in old.infolist():
            content = old.read(info)
            archive.writestr(info.filename, content[:-4] if "/data/" in info.filename else content)
    with pytest.raises(L1emuError, match=r"not a readable state_dict: \d+ numbers in place of \d+"):
        read_state(path)
