"""Parameters, and images that are wrong, for the stages of data preparation; the page of generators."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.dag.demo import preset_values
from tests.dag.test_params import write as write_params
from tests.stages.explore_page import make_page, page_opener, write_networks
from tests.stages.sources import Configure


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Writes the preset `demo` with some changes, section by section; returns the file."""

    def write(**sections: Mapping[str, Any]) -> Path:
        params = preset_values()
        params["run"].update(threads=1, device="cpu")
        for name, changes in sections.items():
            sets = params[name].get("sets")
            params[name].update(changes)
            if isinstance(sets, dict):  # the preset's sets stay: other sections name them
                params[name]["sets"] = {**sets, **params[name]["sets"]}
        return write_params(tmp_path / "params.yaml", params)

    return write


@pytest.fixture
def corpus(
    tmp_path: Path, unusable_images: Mapping[str, bytes], odd_images: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Every kind of bad and of unusual value."""
    return {f"bad {name}": value for name, value in unusable_images.items()} | {
        f"odd {name}": value for name, value in odd_images.items()
    }


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of generators with random weights."""
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def explore(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of these generators."""
    return make_page(tmp_path_factory.mktemp("page"), networks)


@pytest.fixture
def show(browser: Any, explore: Path) -> Iterator[Callable[..., Any]]:
    """Opens that page at a place, without a network; what the browser complains of or asks for fails the test."""
    with page_opener(browser, explore) as opened:
        yield opened
