"""Which keys of params.yaml a stage reads, seen while it runs.

Counted is every attribute of a section, wherever the section was passed to. A dump or a copy reads the whole section, a
loop over sections their names. A section that is looked up by name, `params.train[name]`, is not read by that alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

from workflow.params.sections import Params
from workflow.params.types import Section

# How a stage runs, not what it makes: these may change without making anything stale.
OF_THE_MACHINE = {"run.threads", "run.device", "run.deterministic", "run.capture", "run.compile", "run.tensorboard"}

ABSENT = object()


class Recorder:
    """The dotted keys that were read of the parameters that it watches."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.sections: dict[int, tuple[str, Section]] = {}
        self.dumping = False  # pydantic looks at the whole section then, whatever was asked for

    def watch(self, params: Params) -> Params:
        """Counts, from now on, what is read of these parameters; they are returned."""
        self._add("", params)
        return params

    def _add(self, key: str, section: Section) -> None:
        self.sections[id(section)] = (key, section)
        values: dict[str, Any] = object.__getattribute__(section, "__dict__")  # not a read that counts
        for name, value in list(values.items()):
            below = f"{key}.{name}".lstrip(".")
            if isinstance(value, Section):
                self._add(below, value)
            elif isinstance(value, dict) and all(isinstance(one, Section) for one in value.values()):
                values[name] = Table(below, value, self.read)
                for entry, one in value.items():
                    self._add(f"{below}.{entry}", one)

    def note(self, section: Section, names: Set[str]) -> None:
        """Counts fields of a section, where it is one that is watched."""
        key, _ = self.sections.get(id(section), (None, None))
        if key is not None and not self.dumping:
            fields = names & type(section).model_fields.keys()
            self.read.update(f"{key}.{name}".lstrip(".") for name in fields)


class Table(dict[str, Section]):
    """Sections by name; a loop over them reads which there are."""

    def __init__(self, key: str, sections: dict[str, Section], read: set[str]) -> None:
        super().__init__(sections)
        self.whole: Callable[[], None] = lambda: read.add(key)

    def __iter__(self) -> Iterator[str]:
        self.whole()
        return super().__iter__()

    def __len__(self) -> int:
        self.whole()
        return super().__len__()

    def keys(self) -> Any:
        self.whole()
        return super().keys()

    def values(self) -> Any:
        self.whole()
        return super().values()

    def items(self) -> Any:
        self.whole()
        return super().items()


@contextmanager
def recording() -> Iterator[Recorder]:
    """Within it, the recorder counts what is read of the parameters that it was told to watch."""
    recorder, look_up, dump = Recorder(), Section.__getattribute__, Section.model_dump

    def attribute(self: Section, name: str) -> Any:
        value = look_up(self, name)
        fields = look_up(self, "__class__").model_fields
        if name == "__dict__":
            recorder.note(self, fields.keys())
        elif name in fields and not isinstance(value, (Section, Table)):
            recorder.note(self, {name})
        return value

    def model_dump(self: Section, **options: Any) -> dict[str, Any]:
        recorder.note(
            self, (options.get("include") or set(type(self).model_fields)) - (options.get("exclude") or set())
        )
        recorder.dumping = True
        try:
            return dump(self, **options)
        finally:
            recorder.dumping = False

    with (
        mock.patch.object(Section, "__getattribute__", attribute),
        mock.patch.object(Section, "model_dump", model_dump),
    ):
        yield recorder


@contextmanager
def recorded_reads(stage: ModuleType) -> Iterator[set[str]]:
    """The keys that a stage's module reads of the parameters that it loads."""
    with recording() as recorder, ExitStack() as patches:
        load = getattr(stage, "load_params", None)
        if load is not None:
            patches.enter_context(mock.patch.object(stage, "load_params", lambda path: recorder.watch(load(path))))
        yield recorder.read


def undeclared(read: Iterable[str], declared: Iterable[str]) -> set[str]:
    """What was read and neither lies below a key that dvc.yaml declares nor is the machine's affair."""
    return {key for key in read if key not in OF_THE_MACHINE and not any(is_below(key, one) for one in declared)}


def unread(read: Iterable[str], declared: Iterable[str]) -> set[str]:
    """What dvc.yaml declares without need: nothing of it was read."""
    return {one for one in declared if not any(is_below(key, one) or is_below(one, key) for key in read)}


def written_at(key: str, content: Mapping[str, Any]) -> set[str]:
    """Where params.yaml has a key of a section: there, or for all sections of its kind under `shared`, or in both."""
    kind, _, rest = key.partition(".")
    shared = f"shared.{kind}.{rest.partition('.')[2]}"
    own, of_all = value_at(content, key), value_at(content, shared)
    if of_all is ABSENT or not (own is ABSENT or isinstance(own, Mapping)):
        return {key}
    return {shared} if own is ABSENT else {key, shared}


def value_at(content: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, ABSENT if there is none."""
    value: Any = content
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def is_below(key: str, other: str) -> bool:
    """Whether a dotted key is another one, or lies below it."""
    return f"{key}.".startswith(f"{other}.")
