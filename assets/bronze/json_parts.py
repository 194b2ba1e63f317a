"""Cutting a JSON document into the parts that become rows, each exactly as it was received. Pure.

A connector lands the raw bytes of one post, not a document written anew: json.loads and dumps would change escapes, numbers and spacing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _parts(text: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every value between the brackets; of an object its keys and values in turn."""
    at = _skip(text, 0)
    if text[at : at + 1] != opening:
        return
    at = _skip(text, at + 1)
    while text[at : at + 1] != closing:
        if at >= len(text):
            raise ValueError("the JSON is cut off")
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)
        at = _skip(text, at + (text[at : at + 1] in {",", ":"}))


def member(text: str, *path: str) -> str | None:
    """The text of the value at a path of keys in a JSON object's text; None where there is none. Of a repeated key the last, as json does.

    Raises ValueError for what is no JSON.
    """
    for key in path:
        bounds = list(_parts(text, "{", "}"))
        found = [value for name, value in zip(bounds[::2], bounds[1::2], strict=True) if json.loads(text[slice(*name)]) == key]
        if not found:
            return None
        text = text[slice(*found[-1])]
    return text


def elements(text: str | None) -> list[str]:
    """The texts of a JSON array's elements; empty for what is no array. Raises ValueError for what is no JSON."""
    return [text[start:end] for start, end in _parts(text, "[", "]")] if text else []


def object_of(text: str) -> Mapping[str, Any]:
    """The JSON object of a text; an empty one where it is something else. Raises ValueError for what is no JSON."""
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def inner(value: object, *path: str) -> Mapping[str, Any]:
    """The object at a path of keys; an empty one where the path leads nowhere or to something else."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
