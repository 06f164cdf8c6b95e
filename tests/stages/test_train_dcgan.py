"""The training stage as a process: it stops when it is told to, goes on, and ends with the bytes of a whole run."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from dcgan.networks import Discriminator, Generator
from dcgan.store import StoreWriter

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of noise and parameters that train the demo's network on it for some seconds."""
    parameters = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    parameters["run"] |= {"threads": 1, "device": "cpu"}
    parameters["train"]["bedrooms"] |= {
        "epochs": 6,
        "batch_size": 8,
        "held_out": 10,
        "sample_epochs": [1, 6],
        "frame_images": 200,
        "keep_images": 300,
        "curve_interval": 2,
        "checkpoint_seconds": 0.2,
    }
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(parameters, file)
    with StoreWriter(tmp_path / "images.h5", (32, 32, 3), {}) as store:
        images = np.random.default_rng(0).integers(0, 256, (90, 32, 32, 3), np.uint8)
        store.append(images, [f"{n:03}" for n in range(90)])
    return tmp_path


def start(folder: Path, out: str, *changes: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "stages.train_dcgan", "--params", f"{folder}/params.yaml", "--name", "bedrooms"]
    command += ["--images", f"{folder}/images.h5", "--out", f"{folder}/{out}", "--samples", f"{folder}/{out}/samples"]
    command += ["--frames", f"{folder}/{out}/frames"]
    command += ["--curves", f"{folder}/{out}/curves.csv", "--metrics", f"{folder}/{out}/metrics.json", *changes]
    environment = os.environ | {"DCGAN_STATE": f"{folder}/state"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def wait_for_checkpoint(folder: Path, process: "subprocess.Popen[str]") -> None:
    while not list(folder.glob("state/*/checkpoint.safetensors")):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)


def test_stopped_and_killed_runs_end_with_the_bytes_of_a_whole_one(folder: Path) -> None:
    assert start(folder, "whole").wait() == 0
    assert not list((folder / "state").iterdir()), "a finished run leaves no checkpoint behind"

    stopped = start(folder, "parts")
    wait_for_checkpoint(folder, stopped)
    stopped.send_signal(signal.SIGTERM)
    _, message = stopped.communicate()
    assert stopped.returncode == 75 and "goes on from there" in message

    killed = start(folder, "parts")
    time.sleep(4)
    killed.kill()
    killed.communicate()
    assert start(folder, "parts").wait() == 0

    assert digests(folder / "whole") == digests(folder / "parts")
    assert set(digests(folder / "whole")) == {
        "generator.safetensors",
        "discriminator.safetensors",
        "best_generator.safetensors",
        "kept.csv",
        *(f"kept/{role}-{seen:010d}.safetensors" for seen in (304, 480) for role in ("generator", "discriminator")),
        *(f"frames/frame-{seen:010d}.png" for seen in (200, 400, 480)),
        "samples/epoch-0001.png",
        "samples/epoch-0006.png",
        "curves.csv",
        "metrics.json",
    }
    assert Generator.from_file(folder / "whole/generator.safetensors").sample(2, seed=1).shape == (2, 32, 32, 3)
    Discriminator.from_file(folder / "whole/discriminator.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--name", "kitchens"], "train.kitchens: no such section"),
        (["--images", "nowhere.h5"], "nowhere.h5: not a readable image store"),
        (["--name", "mnist"], "network demo_mnist28 needs (28, 28, 1)"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(folder: Path, changes: list[str], message: str) -> None:
    process = start(folder, "out", *changes)
    _, errors = process.communicate()
    assert process.returncode == 2
    assert message in errors and errors.count("\n") == 1
