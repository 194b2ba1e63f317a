"""Reading the corpus with its settled labels. Belongs here: the schema of its files and the rule that makes the final label.

Files beside this module, one JSON object a line: `posts.jsonl` and `challenge.jsonl` (CorpusPost, as first labelled), `second_labels.jsonl`
(SecondLabel, given blind) and `settled.jsonl` (Settled: what holds where the two differed, and why). GUIDE.md is the annotation guide.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lake_config.errors import ConfigError

FOLDER = Path(__file__).parent

Sentiment = Literal["negative", "neutral", "positive"]
Split = Literal["train", "dev"]
_RowT = TypeVar("_RowT", bound=BaseModel)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")


class CorpusPost(_Row):
    """A text and its labels.

    `parent` is the title of what a comment answers; `written` a month (YYYY-MM) of 2023 to 2026; `topics` policy areas of the registry with
    the attitude towards each; `places` surface forms that occur in `text`; `phenomena` are those of GUIDE.md. Posts of one story never
    stand in both splits.
    """

    story: str
    parent: str | None
    kind: Literal["comment", "post", "headline"]
    written: str = Field(pattern=r"^202[3-6]-(0[1-9]|1[0-2])$")
    text: str = Field(min_length=1)
    sentiment: Sentiment
    topics: dict[str, Sentiment]
    places: tuple[str, ...]
    phenomena: tuple[str, ...] = Field(min_length=1)
    constructive: bool
    toxic: bool
    spam: bool
    split: Split


class SecondLabel(_Row):
    """What the second labelling, which saw only the text and its parent, says of the post with this id."""

    sentiment: Sentiment
    topics: dict[str, Sentiment]


class Settled(_Row):
    """The sentiment that holds for the post with this id after both labellings were weighed, and the reason in English."""

    sentiment: Sentiment
    reason: str = Field(min_length=1)


def read_rows(path: Path, schema: type[_RowT]) -> Iterator[_RowT]:
    """The rows of a JSON-lines file. Raises ConfigError that names the file and the line (from 1) that is not as the schema says."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield schema.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"]) or "the line"
                raise ConfigError(f"{path.name}, line {number}, {field}: {first['msg']}; correct the line.") from error


def first_labelled(folder: Path = FOLDER) -> list[CorpusPost]:
    """The posts as their writers labelled them, in file order. Raises ConfigError for a wrong line."""
    return list(read_rows(folder / "posts.jsonl", CorpusPost))


def second_labels(folder: Path = FOLDER) -> dict[str, SecondLabel]:
    """The blind second labels by post id. Raises ConfigError for a wrong line."""
    return {row.id: row for row in read_rows(folder / "second_labels.jsonl", SecondLabel)}


def settled(folder: Path = FOLDER) -> dict[str, Settled]:
    """What was settled, by post id. Raises ConfigError for a wrong line."""
    return {row.id: row for row in read_rows(folder / "settled.jsonl", Settled)}


def read_posts(folder: Path = FOLDER) -> list[CorpusPost]:
    """The posts with their final labels, in file order: the settled sentiment where there is one, else the first.

    Raises ConfigError for a wrong line, or where the two labellings differ in sentiment and nothing was settled.
    """
    second, final = second_labels(folder), settled(folder)
    posts = []
    for post in first_labelled(folder):
        if post.id in final:
            posts.append(post.model_copy(update={"sentiment": final[post.id].sentiment}))
        elif post.id in second and second[post.id].sentiment != post.sentiment:
            raise ConfigError(f"Post {post.id} was labelled {post.sentiment} and {second[post.id].sentiment}: settle it in settled.jsonl.")
        else:
            posts.append(post)
    return posts


def read_challenge(folder: Path = FOLDER) -> list[CorpusPost]:
    """The challenge set, in file order; its split is always dev, it is never trained on. Raises ConfigError for a wrong line."""
    return list(read_rows(folder / "challenge.jsonl", CorpusPost))


def as_line(row: BaseModel) -> str:
    """The row as a line of its file, without the line end."""
    return json.dumps(row.model_dump(mode="json"), ensure_ascii=False)
