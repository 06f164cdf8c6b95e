"""Time, memory, objective and accuracy of the L2-SVM, beside scikit-learn's, in one run on one core.

    python -m benchmarks.svm --train TABLE --test TABLE [--rows 1000 4000 10000] [--costs ...] [--rounds 3] [--out CSV]
    python -m benchmarks.svm --train TABLE --protocol [--draws 100]      (the SVHN protocol against LinearSVC)

Tables are feature tables as `stages/extract_features.py` writes them; the rows are n random ones of the training table.
Peers: `LinearSVC` in the dual and in the primal, `SGDClassifier` (same loss; it stops early and does not penalise the
intercept). Each measurement is a process of its own, so that its peak memory is its own. Reading the rows is counted;
importing is not. Seconds are processor time, because the peers use one core; rounds alternate.
Ours solves the whole grid of costs at once; a peer needs one fit a cost, timed apart and summed.
Promises: at least 15 times faster than LinearSVC (dual) on the grid at n = 4,000; 20 times on the SVHN protocol; the
objective within 1e-3, at least 99.5 % of the predictions the same.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC

from dcgan.representation.feature_tables import FeatureTable
from dcgan.representation.linear_classifier import Solver, fit_draws, fit_rows, predict, whole
from dcgan.representation.protocol import draw_rows

GRID = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3]
SVHN_GRID = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2]
PEERS = ("LinearSVC dual", "LinearSVC primal", "SGDClassifier")
Weights = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 4000, 10000])
    parser.add_argument("--costs", type=float, nargs="+", default=GRID)
    parser.add_argument("--solvers", nargs="+", default=["ours", *PEERS], choices=["ours", *PEERS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="CSV of every measurement")
    parser.add_argument("--protocol", action="store_true")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.measure:
        print(json.dumps(measure(options.measure, options)))
    elif options.protocol:
        compare_protocol(options)
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Every solver at every n in rounds, then one table."""
    found = []
    for n in options.rows:
        for round_number in range(options.rounds):
            for solver in options.solvers:
                found += [{"round": round_number, **row} for row in in_a_process(solver, n, options)]
                if options.out:
                    pd.DataFrame(found).drop(columns="answers").to_csv(options.out, index=False)
        report(pd.DataFrame(found), n, options.costs)


def in_a_process(solver: str, n: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One measurement of the grid: one row a cost."""
    command = [sys.executable, "-m", "benchmarks.svm", "--measure", solver, "--rows", str(n)]
    command += ["--train", str(options.train), "--test", str(options.test), "--costs", *map(str, options.costs)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows: list[dict[str, Any]] = json.loads(output.splitlines()[-1])
    return rows


def measure(solver: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fits, in this process, and judges what was fitted."""
    n, seconds = options.rows[0], []
    table = FeatureTable(options.train)
    train = whole(table).part(np.sort(np.random.default_rng(0).permutation(len(table))[:n]))
    if solver == "ours":
        started = time.process_time()
        weights = (
            fit_rows(train, options.costs, Solver(tolerance=1e-4, memory_bytes=8 << 30, device=torch.device("cpu")))
            .weights.double()
            .numpy()
        )
        seconds = [time.process_time() - started] + [0.0] * (len(options.costs) - 1)
    else:
        fits = []
        for cost in options.costs:
            started = time.process_time()
            fits.append(fit_peer(solver, train.table.read(train.rows), train.labels, cost))
            seconds.append(time.process_time() - started)
        weights = np.stack(fits)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    test = whole(FeatureTable(options.test))
    x, answers = train.table.read(train.rows), predict(test, torch.from_numpy(weights).float())
    rows = []
    for place, cost in enumerate(options.costs):
        value = objective(x, train.labels, weights[place], cost)
        accuracy = float((answers[place] == test.labels).mean())
        row = {"solver": solver, "n": n, "cost": cost, "seconds": seconds[place], "memory_mb": memory}
        answered = "".join(map(str, answers[place]))
        rows.append({**row, "objective": value, "accuracy": accuracy, "answers": answered})
    return rows


def fit_peer(solver: str, x: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], cost: float) -> Weights:
    """scikit-learn with its defaults where they are the paper's: (classes, d + 1)."""
    model: Any
    if solver == "SGDClassifier":
        model = SGDClassifier(loss="squared_hinge", alpha=1 / (cost * len(x)), random_state=0)
    else:
        model = LinearSVC(C=cost, dual=solver == "LinearSVC dual", random_state=0)
    model.fit(x, labels)
    return np.hstack([model.coef_, model.intercept_[:, None]]).astype(np.float64)


def objective(x: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], weights: Weights, cost: float) -> float:
    """P summed over classes, in float64 block by block."""
    loss = 0.0
    for start in range(0, len(x), 1024):
        rows = slice(start, start + 1024)
        signs = np.where(labels[rows, None] == np.unique(labels), 1.0, -1.0)
        slack = np.maximum(0, 1 - signs * (x[rows].astype(np.float64) @ weights[:, :-1].T + weights[:, -1]))
        loss += float((slack**2).sum())
    return float((weights**2).sum()) / 2 + cost * loss


def report(found: pd.DataFrame, n: int, costs: list[float]) -> None:
    """The table of one n: seconds for the grid with their spread, ratio to ours, memory, objective, accuracy."""
    found = found[found.n == n]
    print(
        f"\nn = {n:,}, {len(costs)} costs from {costs[0]:g} to {costs[-1]:g}; seconds of one core, median [least, most]"
    )
    ours = found[found.solver == "ours"]
    for solver in found.solver.unique():
        rows = found[found.solver == solver]
        grid, base = (r.groupby("round").seconds.sum() for r in (rows, ours))
        ratios = (grid / base).dropna()
        worst = (rows.groupby("cost").objective.first() / ours.groupby("cost").objective.first() - 1).max()
        same = agreement(rows, ours)
        print(
            f"{solver:17} {statistics.median(grid):9.1f} s [{grid.min():.1f}, {grid.max():.1f}]"
            f"  {statistics.median(ratios):6.1f} times ours [{ratios.min():.1f}, {ratios.max():.1f}]"
            f"  {rows.memory_mb.max():7.0f} MB  objective {worst:+.1e} of ours at worst"
            f"  accuracy {rows.groupby('cost').accuracy.first().max():.4f}  same answers {same:.4f} at worst"
        )


def agreement(rows: pd.DataFrame, ours: pd.DataFrame) -> float:
    """The least share of equal answers over the costs."""
    theirs, mine = (part.groupby("cost").answers.first() for part in (rows, ours))
    shares = [np.mean(np.array(list(theirs[cost])) == np.array(list(mine[cost]))) for cost in theirs.index]
    return float(min(shares))


def compare_protocol(options: argparse.Namespace) -> None:
    """7 costs on 10 draws of 1,000 rows, then 100 draws at one cost; LinearSVC on a sample of these fits, scaled up."""
    split = whole(FeatureTable(options.train))
    random = np.random.default_rng(0)
    draws = [draw_rows(split.labels, 100, random) for _ in range(10 + options.draws)]
    solver = Solver(tolerance=1e-4, memory_bytes=4 << 30, device=torch.device("cpu"))
    started = time.process_time()
    grid = [fit.weights for fit in fit_draws(split, draws[:10], SVHN_GRID, solver)]
    final = list(fit_draws(split, draws[10:], [SVHN_GRID[2]], solver))
    ours = time.process_time() - started
    print(f"ours: {len(grid)} draws at 7 costs and {len(final)} at one: {ours:.1f} s of one core")
    times, worst, same = peer_times(split.table, draws, grid)
    theirs = 10 * sum(times.values()) + options.draws * times[SVHN_GRID[2]]
    for cost, seconds in times.items():
        print(f"LinearSVC, C = {cost:g}: {seconds:.2f} s a fit")
    print(f"LinearSVC for the same fits: {theirs:.0f} s, {theirs / ours:.1f} times ours")
    print(f"its objective is {worst:+.1e} of ours at worst; the same answer on {same:.4f} of all rows at worst")


def peer_times(
    table: FeatureTable, draws: list[npt.NDArray[np.int64]], grid: list[torch.Tensor]
) -> tuple[dict[float, float], float, float]:
    """Median seconds a LinearSVC fit at each cost over some draws, and how far it is from ours."""
    assert table.labels is not None
    everything = table.read(slice(0, len(table)))
    seconds: dict[float, list[float]] = {cost: [] for cost in SVHN_GRID}
    worst, same = -np.inf, 1.0
    for number, rows in enumerate(draws[:3]):
        x, labels = table.read(rows), table.labels[rows]
        for place, cost in enumerate(SVHN_GRID):
            started = time.process_time()
            theirs = fit_peer("LinearSVC dual", x, labels, cost)
            seconds[cost].append(time.process_time() - started)
            ours = grid[number][place].double().numpy()
            worst = max(worst, objective(x, labels, theirs, cost) / objective(x, labels, ours, cost) - 1)
            answers = [(everything @ w[:, :-1].T + w[:, -1]).argmax(1) for w in (theirs, ours)]
            same = min(same, float((answers[0] == answers[1]).mean()))
    return {cost: statistics.median(found) for cost, found in seconds.items()}, float(worst), same


if __name__ == "__main__":
    main()
