"""Speed and memory of the 1-nearest-neighbour search, beside scikit-learn's brute force, in one run on one core.

    python -m benchmarks.nearest_neighbour [--queries 2000] [--references 20000] [--rounds 3]

Images are noise of 28 x 28: the cost does not depend on what they show. Ours takes the references in batches of 200, as
samples come; scikit-learn needs all of them at once. Rates are pixels compared a second of processor time (queries x
references x 784); rounds alternate; both have to give the same distances. Memory: what each adds to the process's peak.
"""

import argparse
import resource
import statistics
import time

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from dcgan.representation.one_nn import NearestNeighbour

BATCH = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--references", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    queries, references = (
        random.integers(0, 256, (n, 28, 28, 1), dtype=np.uint8) for n in (options.queries, options.references)
    )
    pixels, rates = queries.size * len(references), []
    with threadpool_limits(1):
        for _ in range(options.rounds):
            seconds, distances, memory = [], [], []
            for search in (ours, scikit_learn):
                before, started = peak_mb(), time.process_time()
                distances.append(search(queries, references))
                seconds.append(time.process_time() - started)
                memory.append(peak_mb() - before)
            assert np.allclose(distances[0], distances[1], rtol=1e-5)
            rates.append([pixels / s for s in seconds])
            print(
                f"10^9 pixels a second: ours {rates[-1][0] / 1e9:.2f}, scikit-learn {rates[-1][1] / 1e9:.2f}:"
                f" {rates[-1][0] / rates[-1][1]:.2f}; memory +{memory[0]:.0f} MB, +{memory[1]:.0f} MB"
            )
    ratios = [a / b for a, b in rates]
    print(f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}] times scikit-learn")


def ours(queries: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The distance of every query to its nearest reference."""
    neighbours, labels = NearestNeighbour(queries, torch.device("cpu")), np.zeros(BATCH, np.int64)
    for start in range(0, len(references), BATCH):
        batch = references[start : start + BATCH]
        neighbours.add(batch, labels[: len(batch)], start)
    return neighbours.distances


def scikit_learn(queries: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The same by `NearestNeighbors(algorithm="brute")` in float32."""
    flat = [images.reshape(len(images), -1).astype(np.float32) for images in (queries, references)]
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(flat[1]).kneighbors(flat[0])[0][:, 0]


def peak_mb() -> float:
    """This process's peak of resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
