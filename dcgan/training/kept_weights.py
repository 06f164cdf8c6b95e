"""The weights that a training kept on its way: `kept/generator-<images>.safetensors` in its folder of networks."""

from pathlib import Path


def first_kept(networks: Path) -> Path | None:
    """The generator that was kept first, as a stand-in for "early"; None if none was kept before the last."""
    found = sorted((networks / "kept").glob("generator-*.safetensors"), key=images_seen)
    return found[0] if len(found) > 1 else None


def images_seen(kept: Path) -> int:
    """How many images the training had seen, as the file's name tells."""
    return int(kept.stem.rpartition("-")[2])
