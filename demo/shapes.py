"""Twenty kinds of things as a handful of polygons each, in the square from -1 to 1 with y down.

The colours of the tones are drawn elsewhere, so that colour says nothing about the class.
"""

from collections.abc import Callable

import numpy as np

from demo.outlines import DARK, LIGHT, MAIN, SECOND, Part, box, oval, polygon, ring


def house(generator: np.random.Generator) -> list[Part]:
    """Walls, roof, door and a pane."""
    half, eaves, door = generator.uniform(0.5, 0.75), generator.uniform(-0.3, 0.05), generator.uniform(-0.3, 0.1)
    roof = polygon(SECOND, (-half - 0.15, eaves), (generator.uniform(-0.1, 0.1), -0.9), (half + 0.15, eaves))
    pane = box(LIGHT, door + 0.35, eaves + 0.15, door + 0.6, eaves + 0.4)
    return [box(MAIN, -half, eaves, half, 0.85), roof, box(DARK, door, 0.35, door + 0.25, 0.85), pane]


def tree(generator: np.random.Generator) -> list[Part]:
    """A fir, or a crown of several ovals."""
    trunk = box(DARK, -0.1, 0.2, 0.1, 0.95)
    if generator.random() < 0.4:
        return [
            trunk,
            *(polygon(MAIN, (-w, y), (0, y - 0.75), (w, y)) for y, w in ((0.5, 0.6), (0.15, 0.48), (-0.2, 0.35))),
        ]
    crowns = generator.uniform((-0.3, -0.6, 0.35), (0.3, 0.1, 0.55), (4, 3))
    return [trunk, *(oval(MAIN if i else SECOND, x, y, r, 0.9 * r) for i, (x, y, r) in enumerate(crowns))]


def car(generator: np.random.Generator) -> list[Part]:
    """A saloon from the side."""
    roof, front = generator.uniform(-0.5, -0.3), generator.uniform(0.35, 0.6)
    cabin = polygon(MAIN, (-0.6, 0.0), (-0.4, roof), (front - 0.25, roof), (front, 0.0))
    glass = polygon(LIGHT, (-0.45, 0.0), (-0.33, roof + 0.1), (front - 0.3, roof + 0.1), (front - 0.15, 0.0))
    wheels = [oval(tone, x, 0.4, r, r) for x in (-0.5, 0.5) for tone, r in ((DARK, 0.22), (LIGHT, 0.09))]
    return [cabin, glass, box(MAIN, -0.95, -0.02, 0.95, 0.4), box(SECOND, -0.95, 0.2, 0.95, 0.27), *wheels]


def boat(generator: np.random.Generator) -> list[Part]:
    """A hull with two sails."""
    height, sail = generator.uniform(-0.95, -0.7), generator.uniform(0.5, 0.8)
    hull = polygon(MAIN, (-0.9, 0.35), (0.9, 0.35), (0.6, 0.8), (-0.6, 0.8))
    sails = [
        polygon(LIGHT, (0.06, height), (sail, 0.2), (0.06, 0.2)),
        polygon(SECOND, (-0.06, height), (-0.55, 0.2), (-0.06, 0.2)),
    ]
    return [hull, box(DARK, -0.04, height, 0.04, 0.35), *sails]


def cup(generator: np.random.Generator) -> list[Part]:
    """A cup with a handle, seen a little from above."""
    half, foot = generator.uniform(0.4, 0.55), generator.uniform(0.25, 0.45)
    handle = ring(MAIN, half, 0.05, 0.38, 0.24, -1.6, 1.6)
    body = polygon(MAIN, (-half, -0.5), (half, -0.5), (foot, 0.7), (-foot, 0.7))
    return [
        handle,
        body,
        oval(LIGHT, 0, -0.5, half, 0.14),
        oval(DARK, 0, -0.48, half - 0.08, 0.09),
        box(SECOND, -0.4, 0.0, 0.4, 0.2),
    ]


def chair(generator: np.random.Generator) -> list[Part]:
    """A chair with four legs and two rails."""
    seat, back = generator.uniform(0.05, 0.2), generator.uniform(-0.95, -0.7)
    legs = [box(DARK, x, seat, x + 0.1, 0.95) for x in (-0.5, -0.2, 0.2, 0.4)]
    rails = [box(SECOND, -0.5, y, -0.1, y + 0.1) for y in (back, back + 0.3)]
    posts = [box(DARK, x, back, x + 0.1, seat) for x in (-0.5, -0.15)]
    return [
        *legs,
        *posts,
        *rails,
        polygon(MAIN, (-0.5, seat - 0.1), (0.35, seat - 0.1), (0.5, seat + 0.1), (-0.55, seat + 0.1)),
    ]


def flower(generator: np.random.Generator) -> list[Part]:
    """A bloom with five to eight petals, two leaves."""
    petals, far = int(generator.integers(5, 9)), generator.uniform(0.3, 0.4)
    angles = np.arange(petals) * 2 * np.pi / petals + generator.uniform(0, 1)
    leaves = [oval(SECOND, 0.25, 0.6, 0.28, 0.1, -0.5), oval(SECOND, -0.25, 0.7, 0.28, 0.1, 0.5)]
    bloom = [oval(MAIN, far * np.cos(a), far * np.sin(a) - 0.35, 0.27, 0.16, a) for a in angles]
    return [box(SECOND, -0.05, -0.3, 0.05, 0.95), *leaves, *bloom, oval(LIGHT, 0, -0.35, 0.18, 0.18)]


def fish(generator: np.random.Generator) -> list[Part]:
    """A fish with three fins."""
    height = generator.uniform(0.3, 0.5)
    tail = polygon(SECOND, (-0.45, 0), (-0.95, -0.4), (-0.8, 0), (-0.95, 0.4))
    fins = [
        polygon(SECOND, (-0.2, -0.8 * height), (0.2, -height - 0.25), (0.3, -0.7 * height)),
        polygon(SECOND, (0, 0.1), (-0.25, 0.35), (0.1, 0.25)),
    ]
    return [
        tail,
        fins[0],
        oval(MAIN, 0.1, 0, 0.7, height),
        fins[1],
        oval(LIGHT, 0.55, -0.1, 0.1, 0.1),
        oval(DARK, 0.57, -0.1, 0.05, 0.05),
    ]


def lamp(generator: np.random.Generator) -> list[Part]:
    """A table lamp with a shade."""
    wide, narrow, edge = generator.uniform(0.5, 0.7), generator.uniform(0.2, 0.35), generator.uniform(-0.15, 0.1)
    shade = polygon(MAIN, (-narrow, -0.9), (narrow, -0.9), (wide, edge), (-wide, edge))
    return [
        box(SECOND, -0.07, edge, 0.07, 0.8),
        oval(SECOND, 0, 0.85, 0.4, 0.12),
        shade,
        polygon(LIGHT, (-wide, edge - 0.1), (wide, edge - 0.1), (wide, edge), (-wide, edge)),
    ]


def bird(generator: np.random.Generator) -> list[Part]:
    """A standing bird."""
    tail, wing = generator.uniform(-0.2, 0.3), generator.uniform(-0.3, 0.5)
    legs = [box(DARK, x, 0.4, x + 0.05, 0.9) for x in (-0.05, 0.12)]
    body = [oval(MAIN, 0, 0.15, 0.5, 0.35, -0.3), oval(MAIN, 0.42, -0.3, 0.26, 0.25)]
    beak = polygon(SECOND, (0.62, -0.38), (0.95, -0.25), (0.62, -0.18))
    return [
        *legs,
        polygon(MAIN, (-0.3, 0.1), (-0.95, tail), (-0.9, tail + 0.25), (-0.3, 0.4)),
        *body,
        beak,
        oval(SECOND, -0.12, 0.12, 0.38, 0.18, wing),
        oval(DARK, 0.5, -0.36, 0.05, 0.05),
    ]


def airplane(generator: np.random.Generator) -> list[Part]:
    """An airplane from above."""
    sweep = generator.uniform(-0.5, -0.2)
    wings = [polygon(SECOND, (0.2, 0), (sweep, side * 0.9), (sweep - 0.2, side * 0.9), (-0.2, 0)) for side in (-1, 1)]
    tails = [polygon(SECOND, (-0.6, 0), (-0.9, side * 0.35), (-0.98, side * 0.35), (-0.85, 0)) for side in (-1, 1)]
    return [*wings, *tails, oval(MAIN, 0, 0, 0.95, 0.13), oval(LIGHT, 0.75, 0, 0.1, 0.06)]


def clock(generator: np.random.Generator) -> list[Part]:
    """A dial with twelve marks and two hands."""
    hands = [
        polygon(DARK, (-0.05, 0), (0.05, 0), (r * np.cos(a), r * np.sin(a)))
        for r, a in ((0.6, generator.uniform(0, 6)), (0.4, generator.uniform(0, 6)))
    ]
    marks = [oval(DARK, 0.62 * np.cos(a), 0.62 * np.sin(a), 0.06, 0.06) for a in np.arange(12) * np.pi / 6]
    return [oval(MAIN, 0, 0, 0.9, 0.9), oval(LIGHT, 0, 0, 0.75, 0.75), *marks, *hands]


def umbrella(generator: np.random.Generator) -> list[Part]:
    """An open umbrella of six panels."""
    low = generator.uniform(-0.1, 0.1)
    panels = [
        ring(MAIN if i % 2 else SECOND, 0, low, 0.9, 0.0, np.pi + i * np.pi / 6, np.pi + (i + 1) * np.pi / 6)
        for i in range(6)
    ]
    return [box(DARK, -0.04, low, 0.04, 0.8), ring(DARK, 0.14, 0.8, 0.18, 0.1, 0, np.pi), *panels]


def mushroom(generator: np.random.Generator) -> list[Part]:
    """A spotted cap on a stem."""
    dots = generator.uniform((-0.5, -0.5, 0.06), (0.5, -0.15, 0.13), (4, 3))
    cap = ring(MAIN, 0, 0.1, generator.uniform(0.7, 0.9), 0.0, np.pi, 2 * np.pi)
    return [
        polygon(LIGHT, (-0.18, 0.05), (0.18, 0.05), (0.28, 0.85), (-0.28, 0.85)),
        cap,
        *(oval(SECOND, x, y, r, r) for x, y, r in dots),
    ]


def bottle(generator: np.random.Generator) -> list[Part]:
    """A bottle with a label."""
    half, shoulder = generator.uniform(0.22, 0.36), generator.uniform(-0.3, 0.0)
    body = polygon(
        MAIN,
        (-0.1, -0.8),
        (0.1, -0.8),
        (0.12, shoulder - 0.2),
        (half, shoulder),
        (half, 0.9),
        (-half, 0.9),
        (-half, shoulder),
        (-0.12, shoulder - 0.2),
    )
    return [
        body,
        box(DARK, -0.12, -0.95, 0.12, -0.8),
        box(LIGHT, -half, 0.15, half, 0.6),
        box(SECOND, -half, 0.3, half, 0.42),
    ]


def table(generator: np.random.Generator) -> list[Part]:
    """A table with four legs."""
    top = generator.uniform(-0.3, 0.0)
    legs = [box(DARK, x, top, x + 0.1, 0.8) for x in (-0.8, -0.5, 0.4, 0.7)]
    return [
        *legs,
        polygon(MAIN, (-0.7, top - 0.25), (0.7, top - 0.25), (0.95, top), (-0.95, top)),
        box(SECOND, -0.95, top, 0.95, top + 0.1),
    ]


def book(generator: np.random.Generator) -> list[Part]:
    """An open book."""
    lift = generator.uniform(0.1, 0.3)
    pages = [
        polygon(LIGHT, (0, -0.4), (side * 0.85, -0.4 - lift), (side * 0.85, 0.5 - lift), (0, 0.5)) for side in (-1, 1)
    ]
    covers = [
        polygon(MAIN, (0, -0.35), (side * 0.95, -0.3 - lift), (side * 0.95, 0.62 - lift), (0, 0.62)) for side in (-1, 1)
    ]
    lines = [
        polygon(DARK, (0.12, y), (0.7, y - 0.8 * lift), (0.7, y + 0.06 - 0.8 * lift), (0.12, y + 0.06))
        for y in (-0.2, 0.0, 0.2)
    ]
    return [*covers, *pages, *lines, box(SECOND, -0.03, -0.4, 0.03, 0.6)]


def hat(generator: np.random.Generator) -> list[Part]:
    """A hat with a band."""
    half, top = generator.uniform(0.35, 0.5), generator.uniform(-0.8, -0.4)
    crown = polygon(MAIN, (-half, 0.3), (0.1 - half, top), (half - 0.1, top), (half, 0.3))
    return [oval(MAIN, 0, 0.35, 0.95, 0.2), crown, box(SECOND, -half, 0.1, half, 0.3)]


def leaf(generator: np.random.Generator) -> list[Part]:
    """A leaf with veins and a stalk."""
    width = generator.uniform(0.3, 0.5)
    rows = np.linspace(-0.8, 0.6, 12)
    half = width * np.sin(np.linspace(0.05, np.pi - 0.05, 12)) ** 0.8
    outline = np.stack([np.concatenate([half, -half[::-1]]), np.concatenate([rows, rows[::-1]])], axis=1)
    veins = [
        polygon(LIGHT, (0, y), (side * 0.7 * width, y - 0.25), (side * 0.7 * width, y - 0.2), (0, y + 0.06))
        for y in (-0.1, 0.2)
        for side in (-1, 1)
    ]
    return [(outline, MAIN), *veins, box(SECOND, -0.04, -0.6, 0.04, 0.95)]


def snowman(generator: np.random.Generator) -> list[Part]:
    """Three balls, a carrot and a hat."""
    low, middle = generator.uniform(0.4, 0.5), generator.uniform(0.3, 0.36)
    balls = [oval(LIGHT, 0, 0.5, low, 0.42), oval(LIGHT, 0, -0.1, middle, 0.32), oval(LIGHT, 0, -0.5, 0.24, 0.23)]
    buttons = [oval(DARK, 0, y, 0.05, 0.05) for y in (-0.2, 0.0, 0.4)]
    nose = polygon(SECOND, (0, -0.52), (0.35, -0.46), (0, -0.42))
    return [*balls, *buttons, nose, box(MAIN, -0.22, -0.98, 0.22, -0.68), box(MAIN, -0.36, -0.74, 0.36, -0.66)]


Shape = Callable[[np.random.Generator], list[Part]]
SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        *(house, tree, car, boat, cup, chair, flower, fish, lamp, bird),
        *(airplane, clock, umbrella, mushroom, bottle, table, book, hat, leaf, snowman),
    )
}
