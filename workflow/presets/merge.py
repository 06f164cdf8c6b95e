"""Presets: `make preset` lists them, `make preset PRESET=small` makes one of them params.yaml.

Input: workflow/presets/, one base with every key and a file per other preset with what differs; the base's header says
how to add one. The preset `folder` is of pictures of one's own: `make preset PRESET=folder IMAGES=~/pictures SIZE=64`,
and NETWORK=lsun64 for another than the usual network of that size. Output: params.yaml, merged and commented. If the
old one was edited, it is kept beside it.
"""

from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from dcgan.core.files import InputError, free_name, replace_when_done
from workflow.engines.stage import command_parser, run_stage
from workflow.params.load import check_params, parse_yaml
from workflow.params.sections import Params
from workflow.presets.own_folder import own_folder

FOLDER = Path(__file__).parent
BASE, FOLDER_PRESET = "demo", "folder"
LEFT_OUT = "left out"
PARAMS = Path("params.yaml")
Place = tuple[str, ...]  # ("train", "bedrooms", "epochs")


class Entry(NamedTuple):
    """A key of a preset's file: comments on the lines above, the key's own line, the lines of a list below it."""

    above: list[str]
    line: str
    items: list[str]


def main(arguments: list[str] | None = None) -> None:
    """Lists the presets, or writes one."""
    parser = command_parser(__doc__)
    parser.add_argument("name", nargs="?", help="the preset that becomes params.yaml; none: lists them")
    for option in ("images", "size", "network"):
        parser.add_argument(f"--{option}", help=f"{option.upper()} of make; see above")
    options = parser.parse_args(arguments)
    name, own = options.name, (options.images, options.size, options.network)
    if name is None:
        for known in names():  # the first line of a file: what it is for, what data it needs and how long it takes
            print(f"{known:8}{source(known).splitlines()[0].partition(': ')[2]}")
        print("make preset PRESET=NAME writes one into params.yaml; if you had edited that, it keeps a backup.")
        return
    text, notes = preset_text(name), list[str]()
    if name == FOLDER_PRESET:
        further, notes = own_folder(*own)
        text = preset_text(name, *further)
        check_params(parse_yaml(text, f"preset {name}"), f"preset {name}")
    elif any(own):
        raise InputError(f"IMAGES, SIZE and NETWORK are for PRESET={FOLDER_PRESET}, not for PRESET={name}")
    if PARAMS.exists() and PARAMS.read_bytes() not in {preset_text(known).encode() for known in names()}:
        print(f"params.yaml had changes of your own: it is {PARAMS.rename(free_name(Path(f'{PARAMS}.bak')))} now")
    with replace_when_done(PARAMS) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"params.yaml is now the preset {name}", *notes, sep="\n")


def names() -> list[str]:
    """The presets, the base first."""
    return sorted((path.stem for path in FOLDER.glob("*.yaml")), key=lambda name: (name != BASE, name))


def preset(name: str) -> dict[str, Any]:
    """The values of a preset, as `read_yaml` gives those of params.yaml; raises InputError for an unknown name."""
    return parse_yaml(preset_text(name), f"preset {name}")


def preset_params(name: str) -> Params:
    """The same, checked."""
    return check_params(preset(name), f"preset {name}")


def preset_text(name: str, *further: str) -> str:
    """A whole params.yaml with comments, and further texts of the same form over it; InputError for an unknown name."""
    base, own = source(BASE), source(name)
    if name == BASE:
        return base
    header = [own.partition("\n")[0], *base.partition("\n\n")[0].split("\n")[1:]]
    merged = reduce(override, map(entries, (own, *further)), entries(base))
    body = [[*[""][len(place) - 1 :], *entry.above, entry.line, *entry.items] for place, entry in merged.items()]
    return "\n".join([*header, *sum(body, [])]) + "\n"


def source(name: str) -> str:
    """The text of a preset's file; raises InputError if there is none."""
    if name not in names():
        raise InputError(f"PRESET={name}: one of {', '.join(names())}")
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def entries(text: str) -> dict[Place, Entry]:
    """The keys of a preset's file by their place: one per line, two spaces per level, after a header and a blank."""
    found: dict[Place, Entry] = {}
    place, above = Place(), list[str]()
    for line in text.partition("\n\n")[2].splitlines():
        word, level = line.lstrip(), (len(line) - len(line.lstrip())) // 2
        if word.startswith("#"):
            above.append(line)
        elif word.startswith("- ") or (place and level >= len(place) and found[place].items):
            found[place].items.append(line)
        elif word:
            place = (*place[:level], word.partition(":")[0])
            found[place], above = Entry(above, line, []), []
    return found


def override(base: dict[Place, Entry], changes: dict[Place, Entry]) -> dict[Place, Entry]:
    """The base with the keys that differ in place of its own; a key that it has not goes to the end of its section."""
    merged = dict(base)
    for place, entry in changes.items():
        if not any(inside(other, place) for other in changes):
            merged = {other: kept for other, kept in merged.items() if not inside(other, place)}
        if entry.line.partition(": ")[2].startswith(LEFT_OUT):
            del merged[place]
        elif place in merged:
            merged[place] = with_comments(entry, merged[place])
        else:
            section = place[:-1]
            last = max((n for n, o in enumerate(merged) if o == section or inside(o, section)), default=len(merged))
            rows = list(merged.items())
            merged = dict([*rows[: last + 1], (place, entry), *rows[last + 1 :]])
    return merged


def inside(place: Place, section: Place) -> bool:
    """Whether a key is in a section, or in a section of it."""
    return len(place) > len(section) and place[: len(section)] == section


def with_comments(entry: Entry, base: Entry) -> Entry:
    """A key as it differs; if that has no comment, with the base's, in the same column."""
    if entry.above or "#" in entry.line:
        return entry
    comment = base.line[column:] if (column := base.line.find(" #") + 1) else ""
    line = f"{entry.line + ' ' if comment else entry.line:{column}}{comment}"
    return Entry(base.above, line, entry.items)


if __name__ == "__main__":
    run_stage(main)
