"""Speed and memory of the export, beside torchvision's LSUN data set, in one run on one core.

    python -m benchmarks.export --source data/demo/bedrooms/bedroom_train_lmdb [--images 3000] [--rounds 5]
        [--only jpeg webp memory]

Peer: `torchvision.datasets.LSUN` with Resize(64) and CenterCrop(64), read from the first to the last image; its index
of keys is made beforehand and not counted. Ours: the export as the stage runs it, from the LMDB to both stores on the
disk. Decoding alone: the same values, decoded as the export decodes them, kept nowhere.

Rates are images per second of processor time. Rounds alternate between all of them; a ratio is the median of the
rounds' ratios, with the lowest and the highest. Promises: at least 3 times the peer on JPEG, 1.1 times on WebP; at
least 0.85 of decoding alone; below 500 MB and no more with four times the images.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import lmdb

from dcgan.data.archives import open_source
from dcgan.data.decoding import Scratch, decode, decode_reduced
from dcgan.data.image_store import StoreWriter
from dcgan.data.preprocessing import Rule, export_images
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import Resampling

SIZE, MIN_SIDE = 64, 32
RESAMPLINGS = {
    "paper's rule": Resampling(antialias=False, reducing_gap=None),
    "antialias, gap 2": Resampling(antialias=True, reducing_gap=2),
    "antialias, gap 1": Resampling(antialias=True, reducing_gap=1),
}
JPEG_QUALITY, WEBP_QUALITY = 90, 80
MEMORY_PROMISE_MB = 500
PARTS = ("jpeg", "webp", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="LMDB, folder or tar of images")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--export-only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    use_one_core()
    if options.export_only:
        export(options.source, options.export_only, RESAMPLINGS["paper's rule"])
        print(peak_resident_mb())
        return
    with tempfile.TemporaryDirectory() as folder:
        for form in (part for part in PARTS[:2] if part in options.only):
            source = Path(folder) / form / "bedroom_train_lmdb"
            write_copies(source, options.source, form, options.images)
            compare(form, source, Path(folder) / "out", options.rounds)
        if "memory" in options.only:
            report_memory(options.source, Path(folder), options.images)


def peak_resident_mb() -> int:
    """The most memory this process has had in RAM at once, files mapped into it included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def use_one_core() -> None:
    """One core for this process and everything it starts."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)


def write_copies(path: Path, source: Path, form: str, images: int) -> None:
    """An LMDB of the source's images, in one form; those that have it already are copied as they are."""
    path.mkdir(parents=True)
    with (
        lmdb.open(str(path), map_size=1 << 36, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for number, value in enumerate(islice(encoded_values(source), images)):
            transaction.put(f"{number:040x}".encode(), as_form(value, form), append=True)


def encoded_values(source: Path) -> Iterator[bytes]:
    """The source's values, over and over."""
    values = [item.content for item in open_source(source).items(0, 1) if item.content]
    return cycle(values)


def as_form(value: bytes, form: str) -> bytes:
    """A value in one form."""
    if form == ("jpeg" if value[:2] == b"\xff\xd8" else "webp" if value[:4] == b"RIFF" else ""):
        return value
    image = cv2.cvtColor(decode(value), cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if form == "jpeg" else [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY]
    return cv2.imencode(".jpg" if form == "jpeg" else ".webp", image, quality)[1].tobytes()


def export(source_path: Path, out: Path, resampling: Resampling) -> None:
    """What the stage does."""
    source = open_source(source_path)
    rejects = Rejects(0.0, source.count, "max_rejects")
    with (
        StoreWriter(out / "images.h5", (SIZE, SIZE, 3), {}) as images,
        StoreWriter(out / "crops32.h5", (32, 32, 3), {}) as crops,
    ):
        for block in export_images(
            source.items(0, 1), Rule(size=SIZE, resampling=resampling, min_side=MIN_SIDE), rejects
        ):
            images.append(block.images_uint8, block.keys)
            crops.append(block.crops_uint8, block.keys)


def decode_all(values: list[bytes], resampling: Resampling) -> None:
    """Decoding alone."""
    scratch = Scratch()
    for value in values:
        decode_reduced(value, resampling.enough_side(SIZE), scratch)


def torchvision_peer(source: Path) -> Any:
    """torchvision's data set with its transforms, on one thread."""
    import torch
    from torchvision import datasets, transforms

    torch.set_num_threads(1)
    # LMDB opens a file once in a process, and torchvision writes its index of keys into the working directory.
    root = source.parent / "peer"
    (root / source.name).mkdir(parents=True)
    shutil.copy(source / "data.mdb", root / source.name)
    os.chdir(root)
    transform = transforms.Compose([transforms.Resize(SIZE), transforms.CenterCrop(SIZE)])
    return datasets.LSUN(str(root), classes=["bedroom_train"], transform=transform)


def compare(form: str, source: Path, out: Path, rounds: int) -> None:
    """Times all of them in turn and prints rates and ratios."""
    peer = torchvision_peer(source)
    count = len(peer)
    values = [item.content for item in open_source(source).items(0, 1) if item.content]
    tasks: dict[str, Callable[[], object]] = {"torchvision": lambda: [peer[number][0] for number in range(count)]}
    for name, resampling in RESAMPLINGS.items():
        tasks[f"export, {name}"] = partial(export, source, out, resampling)
        tasks[f"decode, {name}"] = partial(decode_all, values, resampling)
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.process_time()
            task()
            rates[name].append(count / (time.process_time() - started))
    print(f"{form}: {count} images, {rounds} rounds, one core")
    for name, values in rates.items():
        print(f"  {name:24} {statistics.median(values):8,.0f} images/s")
    for name in RESAMPLINGS:
        print_ratio(f"export, {name} / torchvision", rates[f"export, {name}"], rates["torchvision"])
        print_ratio(f"export, {name} / decoding alone", rates[f"export, {name}"], rates[f"decode, {name}"])
        print_ratio(f"decoding alone, {name} / torchvision", rates[f"decode, {name}"], rates["torchvision"])


def print_ratio(label: str, ours: list[float], other: list[float]) -> None:
    """Median, lowest and highest of the rounds' ratios."""
    ratios = [a / b for a, b in zip(ours, other, strict=True)]
    print(f"  {label:48} {statistics.median(ratios):5.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")


def report_memory(source: Path, folder: Path, images: int) -> None:
    """Peak resident memory of the export of as many, and of four times as many images, each in its own process."""
    for times in (1, 4):
        larger = folder / f"times{times}" / "bedroom_train_lmdb"
        write_copies(larger, source, "jpeg", images * 4 * times)
        command = [
            sys.executable,
            "-m",
            "benchmarks.export",
            "--source",
            str(larger),
            "--export-only",
            str(folder / "m"),
        ]
        root = Path(__file__).parent.parent
        done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
        size_mb = (larger / "data.mdb").stat().st_size >> 20
        count, peak = images * 4 * times, done.stdout.strip()
        print(f"memory: {count:6} images ({size_mb} MB): {peak} MB (promise: {MEMORY_PROMISE_MB})")


if __name__ == "__main__":
    main()
