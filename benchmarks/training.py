"""Images a second of adversarial training, beside the loop that most people run, in one process and in turn.

The peer re-states, in words of its own, the training loop of the PyTorch examples' DCGAN: `nn.Sequential` networks of
the same architecture, float32, a DataLoader with two workers that normalizes image by image, sigmoid and binary
cross-entropy, plain Adam, the same fake batch for both updates, and four `.item()` an iteration for its log line.
Ours is timed with the schedule `both`, so that each minibatch updates both networks in either program: that is the
ratio to look at. The published schedule `alternate`, with half the updates an image, is timed beside it.

`--encoded` gives the peer what people give it, JPEG files of 256 x 256 in place of the same store: decoded, resized and
cropped by torchvision for every image, every epoch.

    python -m benchmarks.training --architecture demo32 --batch-size 64 --device cpu --rounds 5

prints a row a round and, last, the median ratio with its range; ours as a share of what the device multiplies large
matrices with, in the same precision and the same process (operations counted by dcgan/models/flops.py); and how long
one and five epochs of the 2.76 million bedrooms that de-duplication left the paper would take at that rate.
"""

import argparse
import io
import os
import statistics
import time
from collections.abc import Iterator
from itertools import count, islice

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from dcgan.data.minibatches import Batches
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.models.flops import training_flop
from dcgan.training.adversarial import AdversarialTraining, TrainingSettings

BEDROOMS = 2_760_000  # left of LSUN's three million in the paper
ENCODED_SIDE, ENCODED_QUALITY = 256, 75  # LSUN's
MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}


class PeerSet(Dataset[torch.Tensor]):
    """One normalized float image an item, as ToTensor and Normalize make it."""

    def __init__(self, images_uint8: np.ndarray) -> None:
        self.images = images_uint8

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1).float().div(255)
        return (image - 0.5) / 0.5


class EncodedPeerSet(Dataset[torch.Tensor]):
    """The same images as JPEG values, made larger, that every epoch decodes again."""

    def __init__(self, images_uint8: np.ndarray) -> None:
        size = images_uint8.shape[1]
        self.values = [encoded(image) for image in images_uint8]
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize((0.5,), (0.5,)),
            ]
        )

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> torch.Tensor:
        tensor: torch.Tensor = self.transform(Image.open(io.BytesIO(self.values[index])))
        return tensor


def encoded(image_uint8: np.ndarray) -> bytes:
    """JPEG of an image of LSUN's size, as smooth as enlarging makes it."""
    large = cv2.resize(image_uint8, (ENCODED_SIDE, ENCODED_SIDE), interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(large).save(file, "JPEG", quality=ENCODED_QUALITY)
    return file.getvalue()


def peer_networks(a: Architecture) -> tuple[nn.Module, nn.Module]:
    """The same layers as ours in `nn.Sequential`, with PyTorch's own batch norm."""
    maps, side = a.projection
    g: list[nn.Module] = [
        nn.ConvTranspose2d(a.latent_size, maps, side, 1, 0, bias=False),
        nn.BatchNorm2d(maps),
        nn.ReLU(True),
    ]
    last = maps
    for index, (out, stride) in enumerate(a.generator_layers):
        extra = stride - 1 if a.kernel_size % 2 else 0
        g.append(nn.ConvTranspose2d(last, out, a.kernel_size, stride, (a.kernel_size - 1) // 2, extra, bias=False))
        g += [nn.Tanh()] if index == len(a.generator_layers) - 1 else [nn.BatchNorm2d(out), nn.ReLU(True)]
        last = out
    d: list[nn.Module] = []
    last = a.channels
    for index, (out, stride) in enumerate(a.discriminator_layers):
        d.append(nn.Conv2d(last, out, a.kernel_size, stride, (a.kernel_size - 1) // 2, bias=False))
        d += [nn.BatchNorm2d(out)] if index else []
        d.append(nn.LeakyReLU(0.2, inplace=True))
        last = out
    side = a.image_size // int(np.prod([stride for _, stride in a.discriminator_layers]))
    d += [nn.Conv2d(last, 1, side, 1, 0, bias=False), nn.Sigmoid()]
    return nn.Sequential(*g), nn.Sequential(*d)


def peer_iterations(
    a: Architecture, images: Dataset[torch.Tensor], batch_size: int, device: torch.device, workers: int = 2
) -> Iterator[None]:
    """The peer's loop without end, an iteration at a time; the example's default are two workers."""
    g, d = (network.to(device) for network in peer_networks(a))
    g_adam, d_adam = (torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (g, d))
    loss = nn.BCELoss()
    loader = DataLoader(images, batch_size, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        for real in loader:
            d.zero_grad()
            real = real.to(device)
            ones, zeros = torch.ones(len(real), device=device), torch.zeros(len(real), device=device)
            d_real = loss(d(real).view(-1), ones)
            d_real.backward()
            fake = g(torch.randn(len(real), a.latent_size, 1, 1, device=device))
            d_fake = loss(d(fake.detach()).view(-1), zeros)
            d_fake.backward()
            d_adam.step()
            g.zero_grad()
            logits = d(fake).view(-1)
            g_loss = loss(logits, ones)
            g_loss.backward()
            g_adam.step()
            _ = (d_real + d_fake).item(), g_loss.item(), logits.mean().item(), d_real.item()
            yield


def our_iterations(
    a: Architecture, images: np.ndarray, batch_size: int, device: torch.device, settings: TrainingSettings
) -> Iterator[None]:
    """Minibatches of ours without end, losses read back every 50."""
    training = AdversarialTraining(a, settings, device)
    rows = np.arange(len(images))
    batches = Batches(images, None, rows, batch_size, 1, device, needs_images=training.needs_images)
    for number in count():
        figures = training.step(*batches.batch(number))
        if number % 50 == 49:
            _ = {name: float(value) for name, value in figures.items()}
        yield


def settings_of(batch_size: int, schedule: str, precision: str, capture: bool) -> TrainingSettings:
    return TrainingSettings(
        batch_size=batch_size,
        learning_rate=2e-4,
        beta1=0.5,
        beta2=0.999,
        weight_decay=0.0,
        schedule=schedule,
        precision=precision,
        synchronised_norm=False,
        capture=capture,
        compile=False,
        seed=1,
    )


def seconds_of(iterations: Iterator[None], steps: int, device: torch.device) -> float:
    """Seconds of so many iterations after a warm-up of a fifth of them."""
    for _ in islice(iterations, steps // 5):
        pass
    synchronize(device)
    started = time.perf_counter()
    for _ in islice(iterations, steps):
        pass
    synchronize(device)
    return time.perf_counter() - started


def matrix_flops(device: torch.device, precision: str) -> float:
    """Operations a second of large square matrix products: the fastest of five, after one that warms up."""
    n = MATRIX_SIDE[device.type]
    a, b = (torch.randn(n, n, device=device, dtype=getattr(torch, precision)) for _ in range(2))
    seconds = []
    for _ in range(6):
        synchronize(device)
        started = time.perf_counter()
        _ = a @ b
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return 2 * n**3 / min(seconds[1:])


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="demo32", choices=sorted(ARCHITECTURES))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60, help="minibatches a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20_000, help="images in the store, random pixels")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="of ours")
    parser.add_argument("--encoded", action="store_true", help="the peer reads JPEG files, not the store")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--capture", action="store_true", help="ours on a GPU: each update as one CUDA graph")
    parser.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which deterministic products ask for
    torch.use_deterministic_algorithms(args.deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not args.deterministic
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # the ceiling as the convolutions
    a, device = ARCHITECTURES[args.architecture], torch.device(args.device)
    shape = (args.images, a.image_size, a.image_size, a.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    where = torch.cuda.get_device_name() if args.device == "cuda" else f"{args.threads} CPU threads"
    print(f"{a.name}, batch {args.batch_size}, {args.precision}, {where}, torch {torch.__version__}")
    peer_set = EncodedPeerSet(images) if args.encoded else PeerSet(images)
    ceiling = matrix_flops(device, args.precision)
    print(f"large {args.precision} matrix products: {ceiling / 1e9:,.0f} GFLOP/s")
    rates: dict[str, list[float]] = {"peer": [], "both": [], "alternate": []}
    for number in range(args.rounds):
        seconds = {"peer": seconds_of(peer_iterations(a, peer_set, args.batch_size, device), args.steps, device)}
        for schedule in ("both", "alternate"):
            settings = settings_of(args.batch_size, schedule, args.precision, args.capture)
            ours = our_iterations(a, images, args.batch_size, device, settings)
            seconds[schedule] = seconds_of(ours, args.steps, device)
        for name, value in seconds.items():
            rates[name].append(args.steps * args.batch_size / value)
        print(
            f"round {number + 1}: " + ", ".join(f"{name} {of[-1]:,.0f} images/s" for name, of in rates.items()),
            flush=True,
        )
    for name in ("both", "alternate"):
        ratios = [ours / peer for ours, peer in zip(rates[name], rates["peer"], strict=True)]
        print(f"{name} / peer: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    for name in ("both", "alternate"):
        rate = statistics.median(rates[name])
        share = rate * training_flop(a, name) / ceiling
        hours = BEDROOMS / rate / 3600
        print(
            f"{name}: {100 * share:.0f} % of the matrix products' rate; {BEDROOMS:,} images once: {hours:,.1f} hours, "
            f"five times: {5 * hours:,.1f}"
        )


if __name__ == "__main__":
    main()
