"""KID and FID through torch-fidelity, for people whose machine has the Inception weights.

Nothing is downloaded: the weights are a file that the person names (torch-fidelity's
weights-inception-2015-12-05-6726825d.pth). Inputs: samples and real images, (N, H, W, 3) uint8.
Sources: FID, Heusel et al. (2017); KID, Binkowski et al. (2018). The paper has neither.
"""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch.utils.data import Dataset

from dcgan.core.files import InputError
from dcgan.core.pixels import Images

LARGEST_SUBSET = 1000  # of KID, torch-fidelity's own
SUBSETS = 100


class FidelityDataset(Dataset[torch.Tensor]):
    """Images one by one, (3, H, W) uint8, as torch-fidelity reads them."""

    def __init__(self, images_uint8: Images) -> None:
        self.images = images_uint8

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor(self.images[index]).permute(2, 0, 1).contiguous()


def inception_scores(samples: Images, real: Images, weights: Path, seed: int, cuda: bool) -> dict[str, float]:
    """`fid` and `kid` (mean over subsets) of samples against real images.

    Raises InputError if the weights or torch-fidelity are missing, or images are not of three channels.
    """
    if samples.shape[3] != 3:
        raise InputError(f"images of {samples.shape[3]} channel have no KID and FID")
    check_weights(weights)
    metrics: dict[str, Any] = fidelity().calculate_metrics(
        input1=FidelityDataset(samples),
        input2=FidelityDataset(real),
        fid=True,
        kid=True,
        kid_subset_size=min(LARGEST_SUBSET, len(samples), len(real)),
        kid_subsets=SUBSETS,
        feature_extractor_weights_path=str(weights),
        rng_seed=seed,
        cuda=cuda,
        verbose=False,
        save_cpu_ram=True,
    )
    return {
        "fid": float(metrics["frechet_inception_distance"]),
        "kid": float(metrics["kernel_inception_distance_mean"]),
    }


def check_weights(weights: Path) -> None:
    """Raises InputError if the file is missing or holds anything but tensors: the package would unpickle it."""
    try:
        torch.load(weights, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        advice = "get torch-fidelity's weights-inception-2015-12-05-6726825d.pth"
        raise InputError(f"{weights}: no such file; {advice}") from error
    except (OSError, EOFError, RuntimeError, ValueError, UnpicklingError) as error:
        raise InputError(f"{weights}: no file of weights ({str(error).splitlines()[0]})") from error


def fidelity() -> Any:
    """The package; raises InputError if it is not installed."""
    try:
        import torch_fidelity
    except ImportError as error:
        raise InputError(f"{error}; `pip install torch-fidelity`") from error
    return torch_fidelity
