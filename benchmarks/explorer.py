"""How many pictures a second the page of `explore_networks` draws in Chromium, each from a z of its own.

Target: 30, so that what a slider moves looks like a film. A page that a run has made, or one of networks with random
weights, which take as long: those of the preset `demo`.

    python -m benchmarks.explorer [--page results/explore.html] [--pictures 100] [--rounds 5]

prints for each network the median of the rounds and their range.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from dcgan.core.seeding import torch_generator
from tests.browser import browser

TARGET = 30
# Drawn before the clock starts: browsers compile what runs often.
WARM_UP = 20
DRAW = """([from, count]) => {
  const points = Array.from({ length: count }, (_, n) => samplePoint(sampleId(from + n)));
  const started = performance.now();
  for (const point of points) drawPixels(network(), point);
  return 1000 * count / (performance.now() - started);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="of a run; without it, one with random weights is made")
    parser.add_argument("--pictures", type=int, default=100, help="a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        path = args.page or untrained_page(Path(folder))
        page = chromium.new_page()
        page.goto(path.resolve().as_uri())
        for name in page.evaluate("[...known.keys()]"):
            rates = measured(page, name, args.pictures, args.rounds)
            found = f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"
            print(f"{name}: {found} pictures/s, target {TARGET}", flush=True)


def measured(page: Any, network: str, pictures: int, rounds: int) -> list[float]:
    """Pictures a second of a network, a number a round."""
    page.evaluate("name => change(freshState(name))", network)
    page.wait_for_function("!working")
    page.evaluate(DRAW, [0, WARM_UP])
    return [page.evaluate(DRAW, [WARM_UP + round_ * pictures, pictures]) for round_ in range(rounds)]


def untrained_page(folder: Path) -> Path:
    """A page of the demo's networks before any training."""
    from dcgan.models.architectures import ARCHITECTURES
    from dcgan.models.networks import Generator
    from workflow.annotation.page import explorer_page
    from workflow.presets.merge import preset_params

    params = preset_params("demo")
    generators = {
        name: Generator(ARCHITECTURES[params.train[name].network]).initialize(torch_generator(1, name))
        for name in params.explore.networks
    }
    path = folder / "explore.html"
    path.write_text(explorer_page(generators, [], params.explore, 1, served=False))
    return path


if __name__ == "__main__":
    main()
