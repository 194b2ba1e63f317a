"""The learning curve: macro F1 by how many city posts are trained on. Belongs here: its points. Not here: its table."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from ml.evaluation.measure import measure
from ml.labelled.city import challenge_set, city_corpus
from ml.recipes.recipe import Job
from ml.training.fit import Run
from ml.training.network import Network
from ml.training.torch_reader import TorchReader

SIZES = (500, 1000, 2000, 4000)


def points(job: Job, train: Callable[[Job], tuple[Network, TorchReader, Run]]) -> Iterator[dict[str, Any]]:
    """A point for each of SIZES that the corpus has, and one for all its posts: {posts, steps, macro_f1, challenge_macro_f1}, figures as
    {value, low, high}. Every point trains anew by `train`, with the same steps; smaller draws are part of larger ones.
    """
    city, challenge = city_corpus(job.corpus), challenge_set(job.corpus)
    for posts in (*(size for size in SIZES if size < len(city.train)), len(city.train)):
        _, reader, run = train(job.model_copy(update={"posts": posts}))
        point: dict[str, Any] = {"posts": posts, "steps": run.steps}
        for name, one in (("macro_f1", city), ("challenge_macro_f1", challenge)):
            sentiment = measure(reader, one).sentiment
            point[name] = asdict(sentiment.macro_f1) if sentiment else None
        yield point
