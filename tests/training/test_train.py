"""Training learns, is reproducible, leaves whole files; what it leaves can be converted, and the card is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from typer.testing import CliRunner

import l1emu.training.train as room
from l1emu.cli import app
from l1emu.config import load_config
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.goldenfile import values_digest
from l1emu.latency.estimate import load_design
from l1emu.training.data import read_jets, split_jets
from l1emu.training.evaluate import auc_table
from l1emu.training.golden import EXTREME_JETS, golden_inputs, write_golden
from l1emu.training.model import build, multiplications, weights_by_name
from l1emu.training.recipe import Recipe
from l1emu.training.tagger import fill, load_tagger
from l1emu.training.train import predict, train
from tests.training.training_toys import TINY, toy_jets

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recipe.yaml`, `jets.npz` and the tagger trained from them in `tagger/`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "recipe.yaml").write_text(TINY, encoding="utf-8")
    np.savez(folder / "jets.npz", **toy_jets())
    train(folder / "recipe.yaml", folder / "jets.npz", folder / "tagger")
    return folder


def card_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "tagger" / "card.json").read_text())
    return document


def test_training_learns(trained: Path) -> None:
    card = card_of(trained)
    loss = card["history"]["float_twin"]["loss"]
    assert loss[-1] < 0.9 * loss[0]
    assert loss[-1] < 0.9 * np.log(2)
    assert card["auc"]["float"]["versus_rest"]["b"] > 0.8
    assert card["auc"]["emulated"]["versus_rest"]["b"] > 0.8


def test_folder_holds_whole_files_and_no_checkpoint(trained: Path) -> None:
    names = sorted(p.name for p in (trained / "tagger").iterdir())
    assert names == sorted(["recipe.yaml", "weights.npz", "float_weights.npz", "tagger.l1fw", "card.json", "card.md"])
    assert (trained / "tagger" / "recipe.yaml").read_text() == TINY
    assert "b against light" in (trained / "tagger" / "card.md").read_text()
    kept = load_design(trained / "tagger" / "tagger.l1fw")
    assert (kept.part, kept.clock_ns, kept.pipeline) == ("xcvu13p-flga2577-2-e", 2.78, "dataflow")


def test_card_can_be_computed_again_from_weights_and_firmware(trained: Path) -> None:
    card, tagger = card_of(trained), load_tagger(trained / "tagger")
    jets = read_jets(trained / "jets.npz", tagger.recipe)
    held_out = jets[split_jets(jets, tagger.recipe.training)[2]]
    firmware = Firmware.read(trained / "tagger" / "tagger.l1fw")
    twin = build(tagger.recipe, quantized=False)
    fill(twin, trained / "tagger" / "float_weights.npz")
    x, ones = held_out.inputs(), np.ones(len(held_out))
    scores = {
        "float": predict(twin, x),
        "quantized": predict(tagger.model, x),
        "emulated": np.asarray(Emulator(firmware)(x)),
    }
    for name, values in scores.items():
        again = auc_table(values, held_out.label, ones, ("b", "light"))
        for group in ("versus_rest", "b_versus"):
            assert again[group] == pytest.approx(card["auc_unweighted"][name][group], abs=2e-6)
    assert firmware.content_hash == card["firmware"]
    assert card["jets"]["sha256"] == jets.content_hash()
    assert sum(card["jets"]["held_out"].values()) == len(held_out)
    np.testing.assert_allclose(scores["emulated"], scores["quantized"], atol=2**-11)
    assert card["largest_difference_quantized_emulated"] == np.abs(scores["emulated"] - scores["quantized"]).max()


def test_interrupted_training_takes_up_after_the_float_twin_and_ends_alike(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, stages = room._fit, []

    def stopping(*args: Any) -> float:
        stages.append(args[4])
        if stages == ["float twin", "quantized"]:
            raise KeyboardInterrupt
        return fit(*args)

    monkeypatch.setattr(room, "_fit", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(trained / "recipe.yaml", trained / "jets.npz", tmp_path)
    assert [p.suffix for p in tmp_path.iterdir()] == [".npz"]
    assert next(tmp_path.iterdir()).name.startswith(".float-")
    train(trained / "recipe.yaml", trained / "jets.npz", tmp_path)
    assert stages == ["float twin", "quantized", "quantized"]
    for name in ("weights.npz", "float_weights.npz", "tagger.l1fw", "card.md"):
        assert (tmp_path / name).read_bytes() == (trained / "tagger" / name).read_bytes(), name


def test_of_several_seeds_the_lowest_validation_loss_is_kept_and_all_are_in_the_card(
    trained: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(TINY.replace("seed: 7", "seed: 7\n  seeds: 3"), encoding="utf-8")
    card = train(recipe, trained / "jets.npz", tmp_path / "tagger").card
    assert [run["seed"] for run in card["seeds"]] == [7, 9, 11]
    best = min(card["seeds"], key=lambda run: run["validation_loss"])
    assert card["seed"] == best["seed"]
    assert best["validation_loss"] == min(card["history"]["quantized"]["val_loss"])
    assert len({run["auc"]["float"] for run in card["seeds"]}) == 3
    for name in ("float", "quantized"):
        assert card["auc"][name]["versus_rest"]["b"] == best["auc"][name]
    # the first of them is the network that the seed alone gives, with the same jets held out
    alone = card_of(trained)
    assert alone["seeds"] == [card["seeds"][0]]
    assert alone["jets"] == card["jets"]
    assert not list((tmp_path / "tagger").glob(".float-*"))
    text = (tmp_path / "tagger" / "card.md").read_text()
    areas = [run["auc"]["quantized"] for run in card["seeds"]]
    assert f"that of seed {best['seed']}, which has the lowest validation loss" in text
    assert f"{np.mean(areas):.4f} ± {np.std(areas, ddof=1):.4f} |\n" in text
    assert "## Seeds" not in (trained / "tagger" / "card.md").read_text()


def test_a_file_that_cannot_take_its_place_leaves_the_others_as_they_were(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "tagger.l1fw").mkdir()
    (tmp_path / "weights.npz").write_bytes(b"old")
    with pytest.raises(L1emuError, match=r"tagger\.l1fw"):
        train(trained / "recipe.yaml", trained / "jets.npz", tmp_path)
    assert (tmp_path / "weights.npz").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".float-")) == [
        "tagger.l1fw",
        "weights.npz",
    ]


def test_a_class_without_jets_is_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "jets.npz"
    np.savez(path, **toy_jets(label=np.zeros(3000, np.int8)))
    with pytest.raises(L1emuError, match="no training jets of class light"):
        train(tiny_recipe, path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_or_foreign_weights_are_refused(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(TINY, encoding="utf-8")
    with pytest.raises(L1emuError, match=r"weights\.npz: no such file"):
        load_tagger(tmp_path)
    weights = dict(np.load(trained / "tagger" / "weights.npz"))
    for change, message in (
        ({"embed/kernel": np.zeros((2, 2))}, "wrong shape of weights"),
        ({"embed/kernel": np.full((3, 4), np.inf)}, "not finite"),
        ({"extra/kernel": np.zeros(1)}, "weights of no layer"),
    ):
        np.savez(tmp_path / "weights.npz", **(weights | change))
        with pytest.raises(L1emuError, match=message):
            load_tagger(tmp_path)
    np.savez(tmp_path / "weights.npz", **{k: v for k, v in weights.items() if k != "embed/bias"})
    with pytest.raises(L1emuError, match="embed/bias: these weights are missing"):
        load_tagger(tmp_path)
    (tmp_path / "weights.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(L1emuError, match="not a readable npz"):
        load_tagger(tmp_path)


def test_multiplications_of_a_network_counted_by_hand(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(TINY, encoding="utf-8")
    model = build(load_config(tmp_path / "recipe.yaml", Recipe), quantized=False)
    dense = 4 * (3 * 4) + 4 * 4 * (4 * 4) + 4 * (4 * 4 + 4 * 4) + 4 * 4 + 4 * 2
    attention = 2 * (4 * 4 * 4)
    assert multiplications(model) == dense + attention
    assert sum(v.size for v in weights_by_name(model).values()) == model.count_params()


def test_auc_table_of_known_scores() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.0, 0.0], [0.1, 0.9]])
    label, ones = np.array([0, 0, 1, 1]), np.ones(4)
    table = auc_table(scores, label, ones, ("b", "light"))
    assert table["versus_rest"] == {"b": 1.0, "light": 0.5}
    assert table["b_versus"] == {"light": 1.0}
    heavy = auc_table(scores, label, np.array([1, 1, 1, 3.0]), ("b", "light"))
    assert heavy["versus_rest"]["light"] == 0.75
    assert auc_table(scores[:2], label[:2], ones[:2], ("b", "light"))["versus_rest"]["b"] is None


def test_command_line_converts_and_writes_the_firmware(trained: Path, tmp_path: Path) -> None:
    golden = tmp_path / "golden.npz"
    call = ["convert", str(trained / "tagger"), "--output", str(tmp_path / "p"), "--backend", "Vivado", "--json"]
    result = CliRunner().invoke(
        app,
        [*call, "--firmware", str(tmp_path / "f.l1fw"), "--golden", str(golden), "--data", str(trained / "jets.npz")],
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["content_hash"] == Firmware.read(tmp_path / "f.l1fw").content_hash
    assert (tmp_path / "p" / "firmware" / "defines.h").exists()
    check_golden(golden, Firmware.read(tmp_path / "f.l1fw"))
    again = tmp_path / "again.npz"
    with_own = trained / "tagger" / "golden.npz"
    with_own.write_bytes(golden.read_bytes())
    write_golden(
        load_tagger(trained / "tagger").recipe,
        tmp_path / "p",
        Firmware.read(tmp_path / "f.l1fw"),
        trained / "tagger",
        again,
    )
    with_own.unlink()
    assert again.read_bytes() == golden.read_bytes()
    wrong = CliRunner().invoke(app, [*call[:5], "Quartus"])
    assert isinstance(wrong.exception, L1emuError)


def check_golden(path: Path, firmware: Firmware) -> None:
    """The answers of the C++ are those of the emulator, layer by layer."""
    golden = np.load(path)
    assert str(golden["firmware"]) == firmware.content_hash
    inputs, label = golden["inputs"], golden["label"]
    assert np.sum(label < 0) == EXTREME_JETS
    assert np.sum(label >= 0) > 500
    assert {inputs.min(), inputs.max()} == {-512, 511}
    emulator = Emulator(firmware)
    np.testing.assert_array_equal(np.asarray(emulator.raw(inputs.astype(np.int64))), golden["outputs"])
    trace = emulator.trace(inputs / 64.0)
    digests = dict(zip(golden["layer"].tolist(), golden["digest"].tolist(), strict=True))
    assert len(digests) >= 15
    assert {name: values_digest(trace[name]) for name in digests} == digests
    assert len(np.unique(golden["outputs"])) > 50


def test_golden_vectors_need_jets(trained: Path, tmp_path: Path) -> None:
    recipe = load_tagger(trained / "tagger").recipe
    with pytest.raises(L1emuError, match="no jets for the golden vectors"):
        golden_inputs(recipe, tmp_path, None)
