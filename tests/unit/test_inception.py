"""KID and FID: asked for rightly, and refused in plain words. The weights are not here: the network is a random one."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.core.files import InputError
from dcgan.metrics.inception import inception_scores


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, 32, 32, 3), np.uint8)


def draw_weights(network: torch.nn.Module, _: object) -> None:
    random = torch.Generator().manual_seed(3)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, generator=random)


@pytest.mark.slow
def test_equal_sets_are_nearer_than_different_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fidelity = pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed")
    extractor = fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    monkeypatch.setattr(extractor, "load_state_dict", draw_weights)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "weights.pth")
    real, flat = images(0), np.full((3, 32, 32, 3), 90, np.uint8)
    same = inception_scores(real, real.copy(), tmp_path / "weights.pth", 1, cuda=False)
    other = inception_scores(flat, real, tmp_path / "weights.pth", 1, cuda=False)
    assert set(same) == {"fid", "kid"}
    assert abs(same["fid"]) < 1e-3 * other["fid"] and same["kid"] < other["kid"]


def test_missing_weights_say_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth: no such file; get torch-fidelity's"):
        inception_scores(images(0), images(1), tmp_path / "nowhere.pth", 1, cuda=False)


def test_a_file_that_would_run_code_is_never_given_to_the_package(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(pickle.dumps(Path(tmp_path)))
    with pytest.raises(InputError, match="no file of weights"):
        inception_scores(images(0), images(1), tmp_path / "weights.pth", 1, cuda=False)


def test_grey_images_have_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 channel"):
        inception_scores(images(0)[..., :1], images(1)[..., :1], tmp_path / "weights.pth", 1, cuda=False)
