"""Training on threads that spin while they wait for each other, beside threads that sleep, in processes and in turn.

`stages/__init__.py` says who does which, and why. A round trains a small network for some steps in each of both ways,
first in one process alone, then in as many at once as `--together` says, which is more threads than there are cores.

    python -m benchmarks.waiting --architecture demo32 --threads 2 --rounds 5

prints steps a second, a row a round, and the median of the ratios of spinning to sleeping with their range.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

from stages import SPIN

SLEEP = {"GOMP_SPINCOUNT": "0"}
BATCH, WARM_UP = 32, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--architecture", default="demo32", help="of dcgan/models/architectures.py (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="of a process (default: %(default)s)")
    parser.add_argument("--together", type=int, default=2, help="processes at once (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="that are timed (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--child", action="store_true", help="train and print steps a second")
    args = parser.parse_args()
    if args.child:
        print(steps_a_second(args.architecture, args.threads, args.steps))
        return
    for processes in (1, args.together):
        ratios = []
        for _ in range(args.rounds):
            spinning, sleeping = (trained_at_once(processes, way) for way in (SPIN, SLEEP))
            ratios.append(spinning / sleeping)
            print(f"{processes} at once: spinning {spinning:.1f}, sleeping {sleeping:.1f} steps/s", flush=True)
        print(f"{processes} at once: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def trained_at_once(processes: int, way: dict[str, str]) -> float:
    """Steps a second of all processes together."""
    command = [sys.executable, "-m", "benchmarks.waiting", *sys.argv[1:], "--child"]
    environment = {**os.environ, **way}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    said = [process.communicate()[0] for process in running]
    assert not any(process.returncode for process in running), said
    return sum(map(float, said))


def steps_a_second(architecture: str, threads: int, steps: int) -> float:
    """Trains on random images."""
    import torch

    from dcgan.models.architectures import ARCHITECTURES
    from dcgan.training.adversarial import AdversarialTraining, TrainingSettings

    torch.set_num_threads(threads)
    a = ARCHITECTURES[architecture]
    settings = TrainingSettings(
        batch_size=BATCH,
        learning_rate=2e-4,
        beta1=0.5,
        beta2=0.999,
        weight_decay=0.0,
        schedule="alternate",
        precision="float32",
        synchronised_norm=False,
        capture=False,
        compile=False,
        seed=1,
    )
    training = AdversarialTraining(a, settings, torch.device("cpu"))
    images = torch.randint(0, 256, (BATCH, a.image_size, a.image_size, a.channels), dtype=torch.uint8)
    labels = torch.arange(BATCH) % a.classes if a.classes else None
    for _ in range(WARM_UP):
        training.step(images, labels)
    started = time.perf_counter()
    for _ in range(steps):
        training.step(images, labels)
    return steps / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
