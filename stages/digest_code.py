"""Digests of the code that each stage runs.

In:  dcgan/, stages/ and workflow/ of the working directory.
Out: a folder with <script>.txt for every script of stages/: SHA-256 and path of each file that the script's code comes
     from, as `sha256sum --check` reads them.

Every other stage depends on its script's list, so a change of code makes stale what it can change, and nothing else.
"""

import hashlib
from pathlib import Path

from dcgan.files import replace_when_done
from workflow.imports import code_of
from workflow.stage import run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the lists")
    options = parser.parse_args(arguments)

    root = Path.cwd()
    for script in sorted(path.stem for path in (root / "stages").glob("[a-z]*.py")):
        lines = [f"{digest_of(root / path)}  {path}\n" for path in code_of(f"stages.{script}", root)]
        with replace_when_done(options.out / f"{script}.txt") as partial:
            partial.write_text("".join(lines), encoding="utf-8")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    run_stage(main)
