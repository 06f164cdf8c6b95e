"""Draws with a trained generator: a grid of samples, a walk from one sample to another, or arrays.

    python -m dcgan.generate NETWORK [--grid 8x8 | --walk [IMAGES] | --npz [N]] [--seed 0] [--label K] [--out FILE]

Inputs:  a generator's file, or the folder that training put it in.
Outputs: a PNG, or an NPZ of images (N, size, size, channels) uint8, z (N, latent_size) float32 and, for a conditional
         network, labels (N,) int64.
Batch-norm statistics are estimated ones, so a sample depends on its own z alone: of a seed, the first are always the
same. Exit status 2: the input is wrong; one line on stderr tells what.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.pixels import tile, write_png
from dcgan.internals.latent_space import WalkPath, walk
from dcgan.models.networks import Generator


def main(arguments: list[str] | None = None) -> int:
    """Draws what the command line asks for; returns the exit status."""
    args = parse(arguments)
    try:
        generate(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; `out` has its default by what is drawn."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m dcgan.generate", description=__doc__, formatter_class=form)
    parser.add_argument("network", type=Path, help="generator.safetensors, or its folder")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--grid", type=grid, default=(8, 8), metavar="ROWSxCOLUMNS", help="samples (default: 8x8)")
    what.add_argument("--walk", type=above_zero, nargs="?", const=10, metavar="IMAGES", help="a strip (default: 10)")
    what.add_argument("--npz", type=above_zero, nargs="?", const=64, metavar="N", help="arrays (default: 64 samples)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other samples (default: %(default)s)")
    parser.add_argument("--label", type=int, help="class of a conditional network (default: all in turn; of a walk, 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="file to write (default: samples.png, walk.png or samples.npz)")
    args = parser.parse_args(arguments)
    args.out = args.out or Path("walk.png" if args.walk else "samples.npz" if args.npz else "samples.png")
    return args


def grid(text: str) -> tuple[int, int]:
    """Rows and columns."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is not like 8x8")
    return above_zero(found[1]), above_zero(found[2])


def above_zero(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def generate(args: argparse.Namespace) -> None:
    """Draws and writes; raises InputError if network, device, label or file name do not do."""
    suffix = ".npz" if args.npz else ".png"
    if args.out.suffix.lower() != suffix:
        raise InputError(f"--out {args.out}: its name has to end in {suffix}")
    path = args.network / "generator.safetensors" if args.network.is_dir() else args.network
    generator = Generator.from_file(path, device_named(args.device))
    rows, columns = (1, args.walk) if args.walk else args.grid
    z = latents(generator, args.walk, args.npz or rows * columns, args.seed)
    labels = labels_of(generator, args, len(z))
    images = generator.draw(z, labels)
    if not args.npz:
        write_png(args.out, tile(images, columns))
        return
    arrays = {"images": images, "z": z.numpy()} | ({} if labels is None else {"labels": labels.numpy()})
    with replace_when_done(args.out) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stubs take `allow_pickle` for an array


def device_named(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU if there is one. Raises InputError if it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        probe = torch.zeros(1, device=name)
        probe.item()  # a device may make tensors and have no memory for numbers: meta
        return probe.device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {name}: {str(error).splitlines()[0]}") from error


def latents(generator: Generator, walked: int | None, n: int, seed: int) -> Tensor:
    """z of n samples, or of a walk from the first sample to the second in as many images."""
    if not walked:
        return generator.latents(n, seed)
    # Normal z lie near a sphere: a straight way between them leads through a middle where no z ever was.
    path: WalkPath = "spherical" if generator.architecture.latent == "normal" else "linear"
    return walk(generator.latents(2, seed), walked, path)


def labels_of(generator: Generator, args: argparse.Namespace, n: int) -> Tensor | None:
    """(n,) int64 of one class, or of all in turn; None for a network without classes."""
    classes = generator.architecture.classes
    if args.label is not None and not 0 <= args.label < classes:
        known = f"classes are 0 to {classes - 1}" if classes else "the network has no classes"
        raise InputError(f"--label {args.label}: {known}")
    if not classes:
        return None
    return torch.arange(n) % classes if args.label is None and not args.walk else torch.full((n,), args.label or 0)


if __name__ == "__main__":
    sys.exit(main())
