"""What a GPU does with the paper's networks and figures, in ten minutes at most and without data: `make benchmark-gpu`.

    python -m benchmarks.gpu [--minutes 9] [--only tests training features neighbours kmeans compiled] [--out results]

First the tests of the CUDA paths. Then images per second of `lsun64` and `tutorial64` beside the loop of the PyTorch
examples (benchmarks/gpu_training.py), each as a share of the GPU's rate of bfloat16 matrix products, and as hours for
one and five epochs of LSUN; then features, SVM, nearest neighbours and K-means (benchmarks/gpu_features.py); last
`run.compile`, which takes the longest to begin.

Writes benchmark_gpu.md, which docs/performance.md can take, benchmark_gpu.csv, and gpu_rates.yaml, which `make plan`
reads in place of data sheets. What does not come to an end in time, or fails, has a row that says so; after a failure
the status is 1. Without a GPU it runs at small sizes and writes no rates. Needs neither DVC nor Snakemake nor LMDB.
"""

import argparse
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import torch

from benchmarks.as_stages import as_stages_run
from benchmarks.gpu_features import feature_rows, kmeans_rows, neighbour_row
from benchmarks.gpu_table import Row, markdown, plan_rates, write_csv
from benchmarks.gpu_training import compiled_row, small_network_row, training_rows
from benchmarks.training import matrix_flops
from dcgan.core.files import replace_when_done

ROOT = Path(__file__).parents[1]
TESTS = ("tests/unit/test_cuda.py", "tests/unit/test_cuda_figures.py")
PARTS = ("tests", "training", "features", "neighbours", "kmeans", "compiled")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    networks: tuple[str, ...]
    batch_size: int
    seconds: float  # of each rate of training
    images: int  # in the store that is trained on
    encoded: int  # JPEG files
    rows: int  # of the feature table
    queries: int
    references: int
    patches: int
    centroids: int
    iterations: int
    kmeans_images: int


ON_GPU = Sizes(
    networks=("lsun64", "tutorial64"),
    batch_size=128,
    seconds=8.0,
    images=20_000,
    encoded=2000,
    rows=50_000,
    queries=10_000,
    references=200_000,
    patches=400_000,
    centroids=4800,
    iterations=10,
    kmeans_images=2000,
)
ON_CPU = Sizes(
    networks=("demo32",),
    batch_size=16,
    seconds=0.5,
    images=200,
    encoded=20,
    rows=200,
    queries=100,
    references=2000,
    patches=2000,
    centroids=20,
    iterations=2,
    kmeans_images=20,
)


class TimeUp(BaseException):
    """The minutes are over; like an interrupt, nothing that catches errors may catch it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="after which the rest is left out")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the three files")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 60 * options.minutes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sizes, machine = prepare(device), name_of(device)
    print(f"{machine}, torch {torch.__version__}")
    if device.type == "cpu":
        print("No GPU: small sizes on the CPU, which show that everything runs; their rates say nothing of a GPU.")
    with tempfile.TemporaryDirectory() as folder:
        rows, failed = measure(options.only, sizes, device, Path(folder))
    signal.setitimer(signal.ITIMER_REAL, 0)
    write(options.out, rows, device, machine)
    sys.exit(failed)


def prepare(device: torch.device) -> Sizes:
    """PyTorch as its examples have it on a GPU, where nothing else is said; returns the sizes for this device.

    Containers of NVIDIA round the factors of matrix products to TF32, PyTorch by itself does not.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which deterministic products ask for
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("highest")
    return ON_GPU if device.type == "cuda" else ON_CPU


def name_of(device: torch.device) -> str:
    """The GPU's name, or the CPU's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} CPU cores ({models[0] if models else 'unknown'})"


def measure(parts: list[str], sizes: Sizes, device: torch.device, folder: Path) -> tuple[list[Row], bool]:
    """All rows, printed as they come, and whether any part failed."""
    rows: list[Row] = []
    failed = False
    for part in parts:
        torch.cuda.empty_cache()  # nothing without a GPU
        try:
            for row in rows_of(part, sizes, device, folder):
                rows.append(row)
                print(f"{row.what}: {', '.join(row.texts)}", flush=True)
        except TimeUp:
            rows.append(Row(f"{part}: not done in time", None, ""))
            break
        except Exception as error:  # the other parts are worth having, and the status tells
            traceback.print_exc()
            rows.append(Row(f"{part}: failed", None, "", note=f"{type(error).__name__}: {error}".splitlines()[0]))
            failed = True
    return rows, failed


def rows_of(part: str, sizes: Sizes, device: torch.device, folder: Path) -> Iterator[Row]:
    """The rows of one part, as they are measured; what comes after training in true float32, as stages compute it."""
    s = sizes
    if part == "tests":
        yield tests_row(device)
    elif part == "training":
        ceiling = matrix_flops(device, "bfloat16")
        yield Row("large bfloat16 matrix products", ceiling / 1e9, "GFLOP/s")
        for name in s.networks:
            yield from training_rows(name, s.batch_size, s.seconds, s.images, s.encoded, ceiling, device)
        yield small_network_row("demo32", s.batch_size, s.seconds, s.images, device)
    elif part == "compiled":
        ceiling = matrix_flops(device, "bfloat16")
        yield compiled_row(s.networks[0], s.batch_size, s.seconds, s.images, ceiling, device)
    else:
        with as_stages_run(deterministic=False):
            if part == "features":
                yield from feature_rows(folder, s.rows, device)
            elif part == "neighbours":
                yield neighbour_row(s.queries, s.references, device)
            else:
                yield from kmeans_rows(s.patches, s.centroids, s.iterations, s.kmeans_images, device)


def tests_command() -> list[str]:
    """Runs the tests of the CUDA paths, without the fixtures of others, which need DVC."""
    return [sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider", *TESTS]


def tests_row(device: torch.device) -> Row:
    """What these tests say; raises RuntimeError if one fails."""
    done = subprocess.run(tests_command(), cwd=ROOT, capture_output=True, text=True, check=False)
    last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1].strip("= ")
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
        raise RuntimeError(last)
    return Row(f"tests of CUDA paths, {'this GPU' if device.type == 'cuda' else 'simulated GPU'}", None, "", note=last)


def write(out: Path, rows: list[Row], device: torch.device, machine: str) -> None:
    """The table twice, and rates for `make plan` if a GPU was measured as a whole."""
    write_csv(out / "benchmark_gpu.csv", rows, machine)
    texts = {"benchmark_gpu.md": markdown(rows, machine)}
    if device.type == "cuda":
        about = f"{machine}, torch {torch.__version__}, {datetime.date.today()}"
        texts["gpu_rates.yaml"] = plan_rates(rows, machine, about) or ""
    for name, text in texts.items():
        if text:
            with replace_when_done(out / name) as partial:
                partial.write_text(text, encoding="utf-8")
            print(f"wrote {out / name}")


def end(_: int, __: FrameType | None) -> NoReturn:
    """What the alarm of the last minute does."""
    raise TimeUp


if __name__ == "__main__":
    main()
