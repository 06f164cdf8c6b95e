"""Writes a generator as an ONNX file, for programs that know neither PyTorch nor this project.

Inputs:  a generator; `onnx.<name>` of params.yaml: with which batch-norm statistics it draws.
Outputs: an ONNX file: z (N, latent_size) float32, and labels (N,) int64 for a conditional network, to images
         (N, channels, size, size) float32 in [-1, 1] (tanh) or [0, 1] (sigmoid).
Published: none.
"""

from dcgan.core.seeding import torch_generator
from dcgan.models.networks import Generator
from dcgan.models.onnx import export_generator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "out").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.onnx, args.name, "onnx")

    prepare(params.run)
    generator = Generator.from_file(args.generator)
    if section.statistics == "estimated":
        generator.estimate(section.statistics_batches, torch_generator(params.run.seed, "statistics"))
    export_generator(generator, args.out, section.statistics)


if __name__ == "__main__":
    run_stage(main)
