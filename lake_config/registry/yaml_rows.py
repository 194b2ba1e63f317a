"""A registry file read into plain rows that still know the line each field stands on.

Belongs here: YAML syntax and the layout of a registry file. Not here: what the fields mean (models.py), how files relate (loader.py).

Layout: a mapping from a section (sources, topics, agencies, places) to a list of rows; and, optionally, `defaults`, a mapping from a
section to fields that every row of that section in this file has unless it says otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEFAULTS = "defaults"


@dataclass(frozen=True)
class Problem:
    """One thing to correct. Lines count from 1; 0 is the file as a whole."""

    file: Path
    line: int
    sentence: str

    def __str__(self) -> str:
        """file:line: sentence."""
        return f"{self.file}:{self.line}: {self.sentence}" if self.line else f"{self.file}: {self.sentence}"


@dataclass(frozen=True)
class RawRow:
    """A row as written (defaults filled in), with the line of the row and of each of its fields."""

    section: str
    file: Path
    line: int
    values: dict[str, Any]
    lines: dict[str, int]

    @property
    def label(self) -> str:
        """How errors name the row: by its id, or that of the source it speaks of, where it has a usable one."""
        row_id = self.values.get("id", self.values.get("source_id"))
        return f"{self.section} row {row_id!r}" if isinstance(row_id, str) else f"{self.section} row without an id"

    def problem(self, name: str, sentence: str) -> Problem:
        """A problem with the field `name` of this row, at that field's line (the row's own where the field is absent)."""
        return Problem(self.file, self.lines.get(name, self.line), f"{self.label}, field {name}: {sentence}")


@dataclass
class RawFile:
    """What one file gave: its rows and what was wrong with its form."""

    rows: list[RawRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_rows(file: Path, sections: Iterable[str]) -> RawFile:
    """Read one registry file. Never raises for the file's content: what is wrong stands in `problems`."""
    reader = _Reader(file, tuple(sections))
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        reader.add(0, f"cannot be read ({error.strerror}); expected a readable YAML file")
        return reader.out
    except UnicodeDecodeError as error:
        reader.add(0, f"byte {error.start} is not UTF-8; save the file as UTF-8")
        return reader.out
    try:
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
            if root is not None:
                reader.read(root, loader)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # An unclosed bracket is noticed after the last line.
        line = min(mark.line, text.rstrip().count("\n")) + 1 if mark else 0
        reader.add(line, f"is not valid YAML: {error.problem or error.context}; correct the syntax at this line")
    except yaml.YAMLError as error:
        reader.add(0, f"is not valid YAML: {' '.join(str(error).split())}; correct the syntax")
    return reader.out


# Composing to nodes and constructing from them is what yaml.load does anyway, so keeping the nodes' lines costs nothing;
# the C parser reads the built-in registries about eight times as fast as the Python one.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, file: Path, sections: tuple[str, ...]) -> None:
        self.file = file
        self.sections = sections
        self.out = RawFile()

    def add(self, line: int, sentence: str) -> None:
        self.out.problems.append(Problem(self.file, line, sentence))

    def read(self, root: yaml.Node, loader: Any) -> None:
        """The whole file: defaults first, then each section's rows."""
        wanted = f"a mapping with one or more of {', '.join(self.sections)}, and optionally {DEFAULTS}"
        top = self._fields(root, "the file", wanted)
        defaults = {}
        if DEFAULTS in top:
            per_section = self._fields(top[DEFAULTS][1], DEFAULTS, f"a mapping from {', '.join(self.sections)} to fields")
            for section, (_, node) in per_section.items():
                if section not in self.sections:
                    self.add(_line(node), f"unknown section {section!r} in {DEFAULTS}; expected one of {', '.join(self.sections)}")
                defaults[section] = self._fields(node, f"{DEFAULTS} of {section}", "a mapping from field to value")
        for section, (key, node) in top.items():
            if section == DEFAULTS:
                continue
            if section not in self.sections:
                self.add(_line(key), f"unknown section {section!r}; expected {wanted}")
            elif not isinstance(node, yaml.SequenceNode):
                self.add(_line(node), f"section {section} is not a list; expected a list of rows, each beginning with '- id: ...'")
            else:
                for item in node.value:
                    self._row(section, item, defaults.get(section, {}), loader)

    def _row(self, section: str, node: yaml.Node, defaults: "_Fields", loader: Any) -> None:
        if not isinstance(node, yaml.MappingNode):
            self.add(_line(node), f"a row of {section} is not a mapping; expected fields such as 'id: ...', each on its own line")
            return
        fields = {**defaults, **self._fields(node, f"a row of {section}", "a mapping from field to value")}
        values = {}
        for name, (_, value) in fields.items():
            try:
                values[name] = loader.construct_object(value, deep=True)
            except (yaml.constructor.ConstructorError, ValueError) as error:
                # ValueError: PyYAML recognises 2024-13-45 as a date by its form and only then fails to build it.
                self.add(_line(value), f"a row of {section}, field {name}: cannot be read ({_reason(error)}); correct or quote it")
                return
        lines = {name: _line(key) for name, (key, _) in fields.items()}
        self.out.rows.append(RawRow(section, self.file, _line(node), values, lines))

    def _fields(self, node: yaml.Node, what: str, wanted: str) -> "_Fields":
        """The fields of a mapping node; YAML would silently let the last of two equal names win, here that is a problem."""
        if not isinstance(node, yaml.MappingNode):
            self.add(_line(node), f"{what} is not a mapping; expected {wanted}")
            return {}
        fields: _Fields = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.add(_line(key), f"{what} has a name that is not plain text; expected {wanted}")
            elif key.value in fields:
                self.add(_line(key), f"{what} has {key.value} twice (first at line {_line(fields[key.value][0])}); expected it once")
            else:
                fields[key.value] = (key, value)
        return fields


_Fields = dict[str, tuple[yaml.Node, yaml.Node]]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _reason(error: Exception) -> str:
    return error.problem or str(error) if isinstance(error, yaml.MarkedYAMLError) else str(error)
