"""Digests of the code that each stage runs.

In:  dcgan/, demo/, stages/ and workflow/ of the working directory.
Out: a folder with <script>.txt per script of stages/: path and SHA-256 of each file that the script's code comes from.
     The digest is that of the syntax tree without docstrings (workflow/engines/code_dependencies.py).

Under DVC every other stage depends on its script's list. So editing a module reruns only the stages that import it.
"""

from pathlib import Path

from dcgan.core.files import InputError, remove_others, replace_when_done
from workflow.engines.code_dependencies import code_digests, list_text
from workflow.engines.stage import run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the lists")
    options = parser.parse_args(arguments)

    root = Path.cwd()
    scripts = sorted(path.stem for path in (root / "stages").glob("[a-z]*.py"))
    if not scripts:
        raise InputError("stages: there is no code here; run this from the root of a checkout")
    for script in scripts:
        with replace_when_done(options.out / f"{script}.txt") as partial:
            partial.write_text(list_text(code_digests(f"stages.{script}", root)), encoding="utf-8")
    remove_others(options.out.glob("*.txt"), [options.out / f"{script}.txt" for script in scripts])


if __name__ == "__main__":
    run_stage(main)
