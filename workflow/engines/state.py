"""Where checkpoints live: outside every output, because both engines delete a stage's outputs before they run it.

`.state/<stage>-<digest>` in the working directory, or under the folder that DCGAN_STATE names (experiments in temporary
folders, clusters with a fast scratch). The digest covers everything that determines the result.
"""

import os
from pathlib import Path


def state_folder(stage: str, digest: str) -> Path:
    """The folder of one run's checkpoints."""
    return Path(os.environ.get("DCGAN_STATE", ".state")) / f"{stage}-{digest}"
