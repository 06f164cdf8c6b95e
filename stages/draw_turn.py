"""Turns heads: moves faces along the vector from faces looking left to faces looking right (section 6.3.2, Figure 8).

Inputs:  a generator; the judge of faces, which finds the faces that look left and right, and measures poses;
         `figures.turn.<name>` of params.yaml.
Outputs: a PNG: the mean left face and the mean right face, and five random faces in 11 steps, the middle one as it
         was; a JSON: of how many random faces the pose grows with every step, the mean rank correlation of pose and
         step, how far a head turns in degrees, and the same along random directions of the same length.
Published: pictures; "we were able to reliably transform their pose".
Differs: batch-norm statistics are estimated: the 11 steps of a face have none of their own.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan.concepts import most_typical
from dcgan.drawing import above, beside, draw, estimate_generator, title
from dcgan.files import write_json
from dcgan.judges import FaceJudge, Floats
from dcgan.latents import along, turn_vector
from dcgan.networks import Generator
from dcgan.pixels import Images, enlarge, tile, write_png
from dcgan.random import torch_generator
from workflow.figures import figure_parser, section_named
from workflow.params import TurnFigure
from workflow.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "judge", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.turn, args.name, "figures.turn")
    seed = params.run.seed

    device = prepare(params.run)
    generator, judge = Generator.from_file(args.generator, device), FaceJudge.from_file(args.judge)
    estimate_generator(generator, section.statistics_batches, torch_generator(seed, "turn", "statistics"))
    left, right = extremes(generator, judge, section, torch_generator(seed, "turn", "candidates"))
    direction = turn_vector(left, right)
    faces = generator.draw_latents(max(section.measured, section.shown), torch_generator(seed, "turn", "faces"))
    elsewhere = torch.randn(faces.shape, generator=torch_generator(seed, "turn", "random directions"))
    elsewhere *= direction.norm() / elsewhere.norm(dim=1, keepdim=True)

    turned = draw_steps(generator, faces, direction, section)
    metrics: dict[str, Any] = {"faces": section.measured, "steps": section.steps}
    for suffix, images in (
        ("", turned),
        ("_random_direction", draw_steps(generator, faces, elsewhere, section)),
    ):
        figures = pose_figures(pose_tracks(judge, images, section), section.tolerance, section.least_turn)
        metrics |= {f"{name}{suffix}": value for name, value in figures.items()}
    ends = draw(generator, torch.stack([left.mean(0), right.mean(0)]), "estimated")
    write_png(args.figure, picture(ends, turned, section))
    write_json(args.metrics, metrics)


def extremes(
    generator: Generator, judge: FaceJudge, section: TurnFigure, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents of the samples that look farthest left and farthest right: (exemplars, Z) each."""
    z = generator.draw_latents(section.candidates, random)
    poses = judge.predict(draw(generator, z, "estimated"))[:, -1]
    return z[most_typical(-poses, section.exemplars)], z[most_typical(poses, section.exemplars)]


def draw_steps(generator: Generator, faces: Tensor, direction: Tensor, section: TurnFigure) -> Images:
    """Every face at every step, one after the other: (F * steps, H, W, C) uint8."""
    return draw(generator, along(faces, direction, section.steps, section.span).flatten(0, 1), "estimated")


def pose_tracks(judge: FaceJudge, turned: Images, section: TurnFigure) -> Floats:
    """The pose in degrees along the steps of each face that is measured: (F, steps)."""
    return judge.predict(turned)[:, -1].reshape(-1, section.steps)[: section.measured]


def pose_figures(tracks: Floats, tolerance: float, least_turn: float) -> dict[str, float]:
    """How steadily poses grow along the steps: tracks (F, steps) in degrees.

    Monotone: no step goes back by more than `tolerance`, and the face turns by `least_turn` or more.
    """
    steps = np.diff(tracks, axis=1)
    turns = tracks[:, -1] - tracks[:, 0]
    ranks = tracks.argsort(axis=1, kind="stable").argsort(axis=1)
    places = np.arange(tracks.shape[1])
    correlations = [np.corrcoef(row, places)[0, 1] for row in ranks]
    return {
        "monotone_share": float(((steps >= -tolerance).all(axis=1) & (turns >= least_turn)).mean()),
        "strictly_monotone_share": float((steps > 0).all(axis=1).mean()),
        "rank_correlation": float(np.mean(correlations)),
        "turned_degrees": float(turns.mean()),
    }


def picture(ends: Images, turned: Images, section: TurnFigure) -> Images:
    """The two mean faces over the rows of faces that turn."""
    rows = turned[: section.shown * section.steps]
    means = [
        title(text, enlarge(image, 2 * section.enlargement))
        for text, image in zip(("mean left", "mean right"), ends, strict=True)
    ]
    return above([beside(means, 24), enlarge(tile(rows, section.steps), section.enlargement)], 12)


if __name__ == "__main__":
    run_stage(main)
