"""Writes a page in which trained generators run: samples, arithmetic, walks, turns, dropped maps, at a reader's choice.

Inputs:  the folder of networks, NAME/generator.safetensors each; `explore` of params.yaml: which, and how large.
Outputs: one HTML file that opens offline. It holds each generator with its batch norm folded into float16 weights
         (dcgan/models/folded.py) and a script that draws with them. Generators above `max_megabytes` are left out.
Published: none; the page shows what Figures 4 (walk), 6 (windows), 7 (arithmetic) and 8 (turn) show, for other choices.
Differs: batch-norm statistics are estimated, so that a sample depends on its own z alone.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.seeding import torch_generator
from dcgan.models.folded import FoldedLayer, draw_folded, fold, folded_bytes
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.report.page import fill_template

TITLE = "DCGAN, to play with"
MEGABYTE = 1_000_000
COMPARED = 32  # samples on which the page's weights are compared with the network's own


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.explore

    device = prepare(params.run)
    files = {name: args.networks / name / "generator.safetensors" for name in section.networks}
    generators = {name: Generator.from_file(path, device) for name, path in files.items()}
    megabytes = {name: folded_bytes(generator) / MEGABYTE for name, generator in generators.items()}
    large = {name: size for name, size in megabytes.items() if size > section.max_megabytes}
    if len(large) == len(megabytes):
        smallest = f"{min(megabytes.values()):.1f} MB at least"
        raise InputError(f"explore.max_megabytes: {section.max_megabytes} leaves no generator ({smallest})")
    kept = {name: generator for name, generator in generators.items() if name not in large}
    networks = [
        portable(name, generator, section.statistics_batches, params.run.seed) for name, generator in kept.items()
    ]
    page = fill_template(
        "explore.html.j2", title=TITLE, networks=networks, large=large, count=section.count, compared=COMPARED
    )
    with replace_when_done(args.out) as partial:
        partial.write_bytes(page.encode())


@torch.no_grad()
def portable(name: str, generator: Generator, statistics_batches: int, seed: int) -> dict[str, Any]:
    """A generator as the page's script reads it: what describes it, and its weights as base64."""
    a = generator.architecture
    random = torch_generator(seed, "explore", name)
    generator.estimate(statistics_batches, random)
    layers = fold(generator)
    about = {
        "name": name,
        "latent": a.latent,
        "latentSize": a.latent_size,
        "classes": a.classes,
        "size": a.image_size,
        "channels": a.channels,
        "range": a.pixel_range,
        "leak": a.leak,
        "side": a.projection[1],
        "layers": [layer.description for layer in layers],
        "difference": largest_difference(generator, layers, random),
    }
    arrays = [array for layer in layers for array in (layer.weights, layer.bias)]
    weights = b"".join(array.astype("<f2").tobytes() for array in arrays)
    return {"name": name, "about": about, "weights": base64.b64encode(weights).decode()}


def largest_difference(generator: Generator, layers: list[FoldedLayer], random: torch.Generator) -> int:
    """Grey levels by which pixels drawn with folded weights differ from the network's own, at most."""
    a = generator.architecture
    z = generator.draw_latents(COMPARED, random)
    labels = torch.arange(COMPARED) % a.classes if a.classes else None
    own = generator(z.to(generator.device), None if labels is None else labels.to(generator.device), "estimated")
    folded = draw_folded(layers, generator, z, None if labels is None else F.one_hot(labels, a.classes).float())
    return int(np.abs(to_uint8(own, a.pixel_range).astype(int) - folded).max())


if __name__ == "__main__":
    run_stage(main)
