"""Files of weights: what is written comes back, and a file that does not fit is refused by its path."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dcgan.core.files import InputError
from dcgan.core.tensor_files import read_tensors, read_weights, write_tensors, write_weights


def build(about: dict[str, Any]) -> nn.Linear:
    return nn.Linear(about["inputs"], 2)


def test_weights_come_back_and_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    layer = nn.Linear(3, 2)
    for name in ("a", "b"):
        write_weights(tmp_path / name, layer, "layer", {"inputs": 3})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    header, tensors = read_tensors(tmp_path / "a", "layer")
    assert header == {"layer": '{"inputs": 3}'} and torch.equal(tensors["bias"], layer.bias)
    assert torch.equal(read_weights(tmp_path / "a", "layer", build).weight, layer.weight)


def test_a_tensor_that_is_a_view_is_written_whole(tmp_path: Path) -> None:
    view = torch.arange(6.0).reshape(2, 3).T.requires_grad_()
    write_tensors(tmp_path / "a", {"view": view}, {"note": "x"})
    assert torch.equal(read_tensors(tmp_path / "a", "file")[1]["view"], view)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        read_weights(path, "layer", build)
    assert "\n" not in str(refusal.value)
    return str(refusal.value).removeprefix(f"{path}: ")


def test_what_does_not_fit_is_refused_by_its_path(tmp_path: Path) -> None:
    fitting = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    path = tmp_path / "weights"
    assert refused(path).startswith("not a readable layer (No such file")
    for text, reason in (
        (json.dumps({"inputs": 4}), "size mismatch for weight"),
        (json.dumps({"outputs": 3}), "its description has no 'inputs'"),
        (json.dumps({"inputs": "three"}), "not a readable layer"),
        (json.dumps([3]), "not a readable layer"),
        ("{", "not a readable layer (Expecting property name"),
    ):
        write_tensors(path, fitting, {"layer": text})
        assert reason in refused(path)
    write_tensors(path, fitting, {"network": "{}"})
    assert refused(path) == "not a readable layer (its description has no 'layer')"
    save_file(fitting, path)
    assert refused(path) == "not a readable layer (its description has no 'layer')"
    write_tensors(path, {"weight": torch.zeros(2, 3)}, {"layer": json.dumps({"inputs": 3})})
    assert "Missing key(s) in state_dict" in refused(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert refused(path).startswith("not a readable layer (")


def test_the_path_stands_before_a_refusal_of_what_is_built(tmp_path: Path) -> None:
    def refuse(about: dict[str, Any]) -> nn.Linear:
        raise InputError("expected another layer")

    write_weights(tmp_path / "a", nn.Linear(3, 2), "layer", {})
    with pytest.raises(InputError, match=r"a: expected another layer$"):
        read_weights(tmp_path / "a", "layer", refuse)
