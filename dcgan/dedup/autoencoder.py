"""The de-noising autoencoder whose code layer gives the hash codes (section 4.1.1).

"3072-128-3072 de-noising dropout regularized RELU autoencoder on 32x32 downsampled center-crops." The code layer's
activations, thresholded at zero, are the bits of a semantic hash.

In:  images (N, 32, 32, 3) uint8. Out: 128 bits per image (dcgan/dedup/hash_codes.py); weights as safetensors.
Unpublished and chosen here: Gaussian input noise, dropout on the code layer, a linear output layer with squared error,
Adam, and, as an option, bringing every image to the same mean and contrast first.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.core.tensor_files import read_weights, write_weights
from dcgan.models.pixel_range import to_rows

Codes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Fetch = Callable[[Indices], Images]

# An image's contrast counts as at least this (pixels in [0, 1]), so that an even wall is not amplified to noise.
LEAST_CONTRAST = 0.02
NORMALISED_CONTRAST = 0.25
ENCODED_AT_ONCE = 512


class Autoencoder(nn.Module):
    """pixels -> code_size, ReLU, dropout -> pixels; noise is added to the input in training only."""

    def __init__(self, image_shape: Sequence[int], code_size: int, normalise: bool) -> None:
        super().__init__()
        self.image_shape, self.code_size, self.normalise = tuple(image_shape), code_size, normalise
        pixels = int(np.prod(self.image_shape))
        self.encoder = nn.Linear(pixels, code_size)
        self.decoder = nn.Linear(code_size, pixels)

    def initialize(self, generator: torch.Generator) -> None:
        """Draws the weights: uniform with Glorot's bound; biases zero."""
        for layer in (self.encoder, self.decoder):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def input(self, images_uint8: Images | Tensor) -> Tensor:
        """images_uint8: (N, H, W, C) uint8 -> (N, H*W*C) in the encoder's precision, around 0.

        In [-0.5, 0.5], or, with `normalise`, of mean 0 and a standard deviation of at most 0.25 per image.
        """
        pixels = to_rows(images_uint8, self.encoder.weight.device, self.encoder.weight.dtype)
        if not self.normalise:
            return pixels - 0.5
        centred = pixels - pixels.mean(1, keepdim=True)
        contrast = centred.square().mean(1, keepdim=True).sqrt().clamp(min=LEAST_CONTRAST)
        return centred * (NORMALISED_CONTRAST / contrast)

    def code(self, x: Tensor) -> Tensor:
        """x: (N, H*W*C) -> (N, code_size), not below zero."""
        return torch.relu(self.encoder(x))

    def denoise(self, x: Tensor, noise: float, dropout: float, generator: torch.Generator) -> Tensor:
        """x: (N, H*W*C) -> its reconstruction (N, H*W*C).

        noise: standard deviation of what is added to x; dropout: share of code units that are set to 0.
        """
        noisy = x + noise * torch.randn(x.shape, generator=generator, device=x.device)
        code = self.code(noisy)
        kept = torch.rand(code.shape, generator=generator, device=x.device) >= dropout
        reconstruction: Tensor = self.decoder(code * kept / (1 - dropout))
        return reconstruction

    @torch.no_grad()
    def encode(self, images_uint8: Images) -> Codes:
        """images_uint8: (N, H, W, C) uint8 -> (N, code_size / 8) uint8, the first unit in the highest bit.

        It computes in double precision: sums in single precision depend on the number of images that are encoded at
        once, and a unit near zero would then be on in one shard and off in another.
        """
        double = copy.deepcopy(self).double()
        codes = [
            np.packbits((double.code(double.input(block)) > 0).cpu().numpy(), axis=1)
            for block in np.split(images_uint8, range(ENCODED_AT_ONCE, len(images_uint8), ENCODED_AT_ONCE))
            if len(block)
        ]
        return np.concatenate(codes) if codes else np.empty((0, self.code_size // 8), np.uint8)

    def save(self, path: Path) -> None:
        """Writes weights and shape as safetensors."""
        shape = {"image_shape": self.image_shape, "code_size": self.code_size, "normalise": self.normalise}
        write_weights(path, self, "autoencoder", shape)

    @classmethod
    def from_file(cls, path: Path) -> "Autoencoder":
        """Reads what `save` wrote; raises InputError for anything else."""
        return read_weights(
            path, "autoencoder", lambda shape: cls(shape["image_shape"], shape["code_size"], shape["normalise"])
        )


def passes(n_images: int, minibatches: int, batch_size: int) -> Iterator[int]:
    """The number of minibatches in each pass over the images, `minibatches` in all; the last pass may be shorter."""
    in_a_pass = -(-n_images // batch_size)
    for done in range(0, minibatches, in_a_pass):
        yield min(in_a_pass, minibatches - done)


class AutoencoderTraining:
    """Trains an autoencoder with Adam on images that are fetched one minibatch at a time, so they may lie on a disk."""

    def __init__(
        self, autoencoder: Autoencoder, *, noise: float, dropout: float, learning_rate: float, seed: int
    ) -> None:
        self.autoencoder, self.noise, self.dropout, self.seed = autoencoder, noise, dropout, seed
        self.optimizer = torch.optim.Adam(autoencoder.parameters(), learning_rate)

    def epoch(self, fetch: Fetch, indices: Indices, batch_size: int, number: int, minibatches: int) -> float:
        """One pass over the images of the given numbers in a seeded order; returns the mean squared error.

        The pass ends after `minibatches` minibatches; `number` is the number of the pass.
        """
        device = self.autoencoder.encoder.weight.device
        order = numpy_generator(self.seed, "autoencoder", "order", number).permutation(indices)
        order = order[: minibatches * batch_size]
        generator = torch_generator(self.seed, "autoencoder", "noise", number, device=device)
        total = torch.zeros((), device=device)
        for start in range(0, len(order), batch_size):
            x = self.autoencoder.input(fetch(order[start : start + batch_size]))
            loss = (self.autoencoder.denoise(x, self.noise, self.dropout, generator) - x).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(x)
        return float(total) / len(order)

    @torch.no_grad()
    def error(self, images_uint8: Images) -> float:
        """Mean squared error of the reconstructions of images without noise, (N, H, W, C) uint8."""
        x = self.autoencoder.input(images_uint8)
        return float((self.autoencoder.decoder(self.autoencoder.code(x)) - x).square().mean())
