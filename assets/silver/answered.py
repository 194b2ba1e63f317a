"""What a comment answers, as the context in which its text is read. Pure. Not here: what a model makes of it (ml)."""

import polars as pl

from ml.normalise import content_key

PARENT_CHARACTERS = 200
"""Characters of a post without a title that stand for its title."""
NO_CONTEXT = ""
"""context_key of a text that answers nothing."""
COLUMNS = ("kind", "parent_key", "title", "text")
"""Columns of silver.posts that contexts follow from, beside post_key."""


def with_contexts(posts: pl.DataFrame) -> pl.DataFrame:
    """The latest posts of one day with the columns context (null where there is none) and context_key (NO_CONTEXT there).

    The context of a comment is the title it carries, else that of its parent where it is a post of the same day (the first words of one
    without a title): earlier days are not searched, so that a day depends on nothing but itself.
    """
    above = posts.select(parent_key="post_key", above=pl.coalesce(_said("title"), _said("text").str.slice(0, PARENT_CHARACTERS))).unique(
        "parent_key"
    )
    said = pl.when(pl.col("kind") == "comment").then(pl.coalesce(_said("title"), "above"))
    found = posts.join(above, on="parent_key", how="left", maintain_order="left").with_columns(context=said).drop("above")
    keys = {text: content_key(text) for text in found["context"].drop_nulls().unique()}
    return found.with_columns(context_key=pl.col("context").replace_strict(keys, default=NO_CONTEXT, return_dtype=pl.String))


def _said(column: str) -> pl.Expr:
    return pl.when(pl.col(column) != "").then(pl.col(column))
