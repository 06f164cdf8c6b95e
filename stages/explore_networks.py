"""Writes a page in which trained generators run: samples, arithmetic, walks, turns, dropped maps, at a reader's choice.

Inputs:  the folder of networks, NAME/generator.safetensors each; `explore` of params.yaml: which, and how large;
         `figures`: which samples a person annotates, and what for; the folder of what `draw_windows` learned, NAME.json
         each, of those whose windows it removes.
Outputs: one HTML file that opens offline (workflow/annotation/page.py). Generators above `max_megabytes` are left out.
         What is annotated in it can be downloaded as the file that `make annotate` writes, also if a classifier
         annotates for the figures.
Published: none; the page shows what Figures 4 (walk), 6 (windows), 7 (arithmetic) and 8 (turn) show, for other choices.
Differs: batch-norm statistics are estimated, so that a sample depends on its own z alone.
"""

from pathlib import Path

from dcgan.core.files import replace_when_done
from dcgan.models.networks import Generator
from workflow.annotation.file import possible_tasks
from workflow.annotation.page import draw_sheet, explorer_page, learned_weights, origin_of
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--weights", type=Path, required=True, help="folder of weights that feature maps are ranked by")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.explore

    device = prepare(params.run)
    files = {name: args.networks / name / "generator.safetensors" for name in section.networks}
    generators = {name: Generator.from_file(path, device) for name, path in files.items()}
    tasks = {task.network: task for task in possible_tasks(params) if task.network in files}
    sheets = [draw_sheet(task, files[name], generators[name]) for name, task in tasks.items()]
    page = explorer_page(
        generators,
        sheets,
        section,
        params.run.seed,
        served=False,
        origin=origin_of(files),
        weights=learned_weights(args.weights, [name for name in params.figures.windows if name in files]),
    )
    with replace_when_done(args.out) as partial:
        partial.write_bytes(page.encode())


if __name__ == "__main__":
    run_stage(main)
