"""Images a second of training on a GPU, beside the loop of the PyTorch examples: a part of `benchmarks/gpu.py`.

The peer reads the same store, or JPEG files of LSUN's size that lie in memory, with the example's two workers and with
one per core. Both sides may use TF32 in convolutions, PyTorch's default, except in rows "as the preset `demo` runs".
Last come networks that `run.compile` has compiled, as that takes minutes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Dataset

from benchmarks.as_stages import as_stages_run
from benchmarks.gpu_table import Row
from benchmarks.training import (
    BEDROOMS,
    EncodedPeerSet,
    PeerSet,
    our_iterations,
    peer_iterations,
    settings_of,
    synchronize,
)
from dcgan.core.pixels import Images
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.models.flops import training_flop
from dcgan.training.adversarial import TrainingSettings
from dcgan.training.compiled import can_compile

STEPS_A_LOOK = {"cpu": 1, "cuda": 25}  # at the clock, for which a GPU is waited for
LONG_EPOCH = 100_000  # images, so that workers are started once
LSUN_SIDE = 64


def training_rows(
    name: str, batch_size: int, seconds: float, n_images: int, n_encoded: int, ceiling: float, device: torch.device
) -> Iterator[Row]:
    """One network: the peer on the store and on JPEG files, then ours; `seconds` of each after a third as much.

    ceiling: operations a second of large bfloat16 matrix products.
    """
    a = ARCHITECTURES[name]
    images = noise(n_images, a)

    def peer(data: Dataset[torch.Tensor], workers: int) -> float:
        return images_a_second(peer_iterations(a, data, batch_size, device, workers), batch_size, seconds, device)

    def ours(schedule: str, precision: str, capture: bool) -> float:
        settings = settings_of(batch_size, schedule, precision, capture)
        return images_a_second(our_iterations(a, images, batch_size, device, settings), batch_size, seconds, device)

    what, beside = f"training, `{name}`, batch {batch_size}", "loop of the PyTorch examples"
    store = peer(PeerSet(images), 2)
    yield Row(f"{what}: {beside}, the same store", store, "images/s")
    encoded = EncodedPeerSet(images[:n_encoded])
    repeated = ConcatDataset([encoded] * (1 + LONG_EPOCH // n_encoded))
    for workers in sorted({2, max(2, len(os.sched_getaffinity(0)))}):
        on_files = f"{what}: the same on JPEG files, {workers} workers"
        try:
            rate = peer(repeated, workers)
        except RuntimeError as error:  # so many workers' batches do not fit into a container's shared memory, say
            yield Row(on_files, None, "images/s", note=f"failed: {error}".splitlines()[0])
        else:
            yield Row(on_files, rate, "images/s", "on the store", rate / store)
    for schedule, precision, capture in (
        ("both", "float32", False),
        ("both", "bfloat16", True),
        ("alternate", "bfloat16", True),
    ):
        rate = ours(schedule, precision, capture)
        how = f"{what}, `{schedule}`, {in_words(precision, device)}{', graph' * capture}"
        as_paper = (schedule, precision, capture) == ("alternate", "bfloat16", True)  # what `make plan` goes by
        work = ("large", rate * training_flop(a, schedule) / 1e9) if as_paper else None
        yield Row(how, rate, "images/s", beside, rate / store, epochs(a, schedule, rate, ceiling), work)
    with as_stages_run(deterministic=True):
        rate = ours("alternate", "float32", False)
    how = f"{what}, as the preset `demo` runs (`alternate`, true float32, deterministic)"
    yield Row(how, rate, "images/s", beside, rate / store, epochs(a, "alternate", rate, ceiling))


def compiled_row(
    name: str, batch_size: int, seconds: float, n_images: int, ceiling: float, device: torch.device
) -> Row:
    """A network whose updates are graphs of fused kernels, beside the same without `run.compile`."""
    a = ARCHITECTURES[name]
    what = f"training, `{name}`, batch {batch_size}, `alternate`, bfloat16, graph, compiled"
    if device.type == "cpu" or not can_compile(device):
        return Row(what, None, "", note="not on a CPU" if device.type == "cpu" else "no compiler for this GPU")
    images, settings = noise(n_images, a), settings_of(batch_size, "alternate", "bfloat16", capture=True)

    def rate(one: TrainingSettings) -> float:
        return images_a_second(our_iterations(a, images, batch_size, device, one), batch_size, seconds, device)

    plain, started = rate(settings), time.perf_counter()
    fused = rate(replace(settings, compile=True))
    note = f"{epochs(a, 'alternate', fused, ceiling)}; took {time.perf_counter() - started:.0f} s, compiling included"
    return Row(what, fused, "images/s", "not compiled", fused / plain, note)


def small_network_row(name: str, batch_size: int, seconds: float, n_images: int, device: torch.device) -> Row:
    """A network of the demo, as its preset runs it."""
    a = ARCHITECTURES[name]
    images = noise(n_images, a)
    with as_stages_run(deterministic=True):
        settings = settings_of(batch_size, "alternate", "float32", capture=False)
        rate = images_a_second(our_iterations(a, images, batch_size, device, settings), batch_size, seconds, device)
    flop = training_flop(a, "alternate")
    return Row(
        f"training, `{name}`, as the preset `demo` runs", rate, "images/s", gflops=("training", rate * flop / 1e9)
    )


def in_words(precision: str, device: torch.device) -> str:
    """The precision, and whether a GPU's convolutions are TF32 as long as nobody forbids it."""
    in_tf32 = precision == "float32" and device.type == "cuda" and torch.backends.cudnn.allow_tf32
    return f"{precision} with convolutions in TF32" if in_tf32 else precision


def noise(n: int, a: Architecture) -> Images:
    """Random pixels: training takes as long on any others."""
    return np.random.default_rng(0).integers(0, 256, (n, a.image_size, a.image_size, a.channels), np.uint8)


def epochs(a: Architecture, schedule: str, rate: float, ceiling: float) -> str:
    """Share of the ceiling, and hours of one and five epochs of LSUN, if images are as large."""
    share, hours = rate * training_flop(a, schedule) / ceiling, BEDROOMS / rate / 3600
    text = f"{100 * share:.0f} % of the bfloat16 matrix products"
    if a.image_size < LSUN_SIDE:
        return text
    return f"{text}; {BEDROOMS / 1e6:.2f} million images once {hours:.2f} h, five times {5 * hours:.2f} h"


def images_a_second(iterations: Iterator[None], batch_size: int, seconds: float, device: torch.device) -> float:
    """The rate over so many seconds, after a third as much of warm-up; ends the loop's workers."""
    with closing(iterations):  # type: ignore[type-var]
        run_for(iterations, seconds / 3, device)
        steps, took = run_for(iterations, seconds, device)
    return steps * batch_size / took


def run_for(iterations: Iterator[None], seconds: float, device: torch.device) -> tuple[int, float]:
    """Iterations done and the seconds that they took: at least one look's."""
    synchronize(device)
    started, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - started < seconds:
        for _ in range(STEPS_A_LOOK[device.type]):
            next(iterations)
        synchronize(device)
        steps += STEPS_A_LOOK[device.type]
    return steps, time.perf_counter() - started
