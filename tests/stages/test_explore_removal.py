"""Forgetting on the page of generators: maps that are dropped, ranked, chosen one by one, as the library drops them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan.core.files import InputError, write_json
from dcgan.internals.window_removal import images_without
from dcgan.models.pixel_range import to_uint8
from tests.stages.explore_page import (
    DONE,
    POINTS,
    WEIGHTS,
    make_page,
    picture_of,
    pixels,
    points,
    trained,
)


def test_dropped_maps_are_dropped_as_the_library_drops_them(show: Callable[..., Any], networks: Path) -> None:
    page, generator = show("#network=faces&boxes=1.0:4-6-12-10,1.1:16-8-8-12"), trained(networks, "faces")
    z, _ = points(page)
    ranked = page.evaluate("rankedMaps(layerNow())")
    drawn = pixels(page, f"{POINTS}.map(point => drawPixels(network(), point, without(2, {ranked[:5]})))", 3)
    images = images_without(generator, z, -2, np.array(ranked[:5]), "estimated")
    assert page.evaluate("hiddenLayers()") == [1, 2] and sorted(ranked) == list(range(16))
    assert np.abs(drawn.astype(int) - to_uint8(images, "tanh")).max() <= 2
    with torch.no_grad():
        maps = generator.until(z[:2], -2, statistics="estimated").numpy()  # (2, 16, 16, 16): two pixels a position
    inside = np.zeros((2, 16, 16), bool)
    inside[0, 3:8, 2:8], inside[1, 4:10, 8:12] = True, True
    values = maps.transpose(1, 0, 2, 3)
    scores = (values[:, inside].mean(1) - values[:, ~inside].mean(1)) / values.std(axis=(1, 2, 3))
    assert np.all(np.diff(scores[ranked]) < 1e-3)


def test_maps_are_ranked_by_the_weights_of_the_regression_until_there_is_a_box(
    show: Callable[..., Any], networks: Path
) -> None:
    """Of the layer that they are of; elsewhere only boxes rank them."""
    page, generator = show("#network=bedrooms&drop=3"), trained(networks, "bedrooms")
    assert page.evaluate("[layerNow(), rankedMaps(3), rankedMaps(2)]") == [3, [6, 2, 0, 4, 7, 3, 5, 1], []]
    assert "which drops those above zero: 5 here" in page.locator("#ranked-by").inner_text()
    assert page.locator("#drop").input_value() == "3" and not page.locator("#drop").is_disabled()
    assert page.locator("#drop-hint").is_visible()
    z, _ = points(page)
    images = to_uint8(images_without(generator, z, -2, np.array([6, 2, 0]), "estimated"), "tanh")
    side = images.shape[1]
    for index in (0, 5):
        shown = np.array(picture_of(page, f"#without canvas:nth-child({index + 1})")).reshape(side, side, 4)[..., :3]
        assert np.abs(shown - images[index].astype(int)).max() <= 2
    page.get_by_label("16 maps").first.check()
    assert page.locator("#drop").is_disabled()
    page.get_by_label("8 maps").check()
    page.locator("#boxes .cell").first.press("Enter")
    assert page.evaluate("rankedMaps(3)") != [6, 2, 0, 4, 7, 3, 5, 1]
    assert page.locator("#ranked-by").inner_text() == "without the maps that are strongest in the boxes"


def test_maps_are_dropped_one_by_one(show: Callable[..., Any], networks: Path) -> None:
    """By keyboard, any set of them, and as many random ones; the address has a bit a map, the slider begins anew."""
    page, generator = show("#network=bedrooms&drop=1"), trained(networks, "bedrooms")
    buttons = page.locator("#maps button")
    names = [button.get_attribute("aria-label") for button in buttons.all()]
    assert names[:2] == ["map 7, weight 3", "map 3, weight 2"] and len(names) == 8
    pressed = "[...find('maps').children].map(one => one.ariaPressed === 'true')"
    assert page.evaluate(pressed) == [True] + [False] * 7
    buttons.first.focus()
    for key in ("Space", "ArrowRight", "ArrowRight", "Enter", "End", "Space"):  # 6 stays; of 2, 0, ..., 1 the last two
        page.keyboard.press(key)
    page.wait_for_function(DONE)
    assert page.evaluate("[state.drop, state.maps, droppedMaps(3), location.hash]") == [
        *(0, "3", [0, 1]),
        "#network=bedrooms&maps=3",
    ]
    buttons.nth(2).press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function(DONE)
    assert page.evaluate("location.hash") == "#network=bedrooms&maps=31" and page.evaluate(pressed)[2:4] == [True] * 2
    assert page.locator("#drop").input_value() == page.locator("output[for=drop]").inner_text() == "3"
    assert page.locator("#maps button[tabindex='0']").count() == 1 and buttons.nth(3).evaluate(
        "one => one.matches(':focus')"
    )

    z, _ = points(page)
    random = page.evaluate("randomMaps(8, state.other)")[:3]
    for row, maps in (("without", [0, 1, 4]), ("without-random", random)):
        images = to_uint8(images_without(generator, z, -2, np.array(maps), "estimated"), "tanh")
        side = images.shape[1]
        for index in range(8):
            shown = np.array(picture_of(page, f"#{row} canvas:nth-child({index + 1})")).reshape(side, side, 4)[..., :3]
            assert np.abs(shown - images[index].astype(int)).max() <= 2 and images[index].std() > 20

    again = show("#network=bedrooms&drop=7&maps=3100")
    assert again.evaluate("[location.hash, state]") == page.evaluate("[location.hash, state]")
    page.locator("#drop").fill("2")
    assert page.evaluate("[state.drop, state.maps, droppedMaps(3)]") == [2, "", [6, 2]]
    buttons.nth(2).click()
    assert page.evaluate("[state.drop, state.maps]") == [3, ""], "again the first ones"
    buttons.nth(5).click()
    page.get_by_label("16 maps").first.check()
    assert page.evaluate("[state.maps, droppedMaps(2)]") == ["", []], "those were of another layer"
    assert buttons.count() == 16 and buttons.first.get_attribute("aria-label") == "map 1", "nothing ranks them"
    buttons.nth(12).click()
    assert page.evaluate("[state.maps, droppedMaps(2)]") == ["0001", [12]]


def test_weights_of_another_layer_are_refused_and_without_any_only_boxes_rank(networks: Path, tmp_path: Path) -> None:
    assert '"regression"' not in make_page(tmp_path, networks, networks=["faces"]).read_text()
    shutil.copytree(networks, tmp_path / "networks")
    kept = tmp_path / "networks/window_maps/bedrooms.json"
    write_json(kept, {"layer": -2, "weights": []})
    assert '"regression"' not in make_page(tmp_path, tmp_path / "networks", networks=["bedrooms"]).read_text()
    write_json(kept, {"layer": 0, "weights": WEIGHTS})
    with pytest.raises(InputError, match="bedrooms: 8 weights of feature maps, its layer has 16"):
        make_page(tmp_path, tmp_path / "networks", networks=["bedrooms"])
