"""bench: how fast the lake is on this machine, one command for each figure, on a scratch lake of its own where it needs one.

Belongs here: the sub-commands with their options. Not here: what is measured (the modules bench_*.py beside this one).
"""

from dataclasses import asdict
from typing import Annotated

import typer

from lake_config.settings import load_settings
from orchestration.commands.terminal import Steps, print_json, print_lines

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure the lake on this machine, in a scratch lake that is removed.")


@app.command()
def collect(
    feeds: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many feeds are polled.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Poll invented feeds once, 70 % of them unchanged: time, memory, and whether each host was asked as its rules say."""
    from orchestration.commands.bench_collect import bench_collect

    report = bench_collect(load_settings(), feeds, Steps())
    if as_json:
        print_json(asdict(report))
    else:
        print_lines(report.lines())
    raise typer.Exit(1 if report.faults() else 0)


@app.command()
def push(
    posts: Annotated[int, typer.Option(min=1, help="How many posts are pushed.")] = 200_000,
    batch: Annotated[int, typer.Option(min=1, max=20_000, help="Posts in a batch.")] = 1_000,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Batches under way at the same time.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Push realistic posts through the push server into bronze: posts a second, time to acknowledgement, memory."""
    from orchestration.commands.bench_push import bench_push

    report = bench_push(load_settings(), posts, batch, clients, Steps())
    if as_json:
        print_json(vars(report))
    else:
        print_lines(report.lines())


@app.command()
def matching(
    runs: Annotated[int, typer.Option(min=1, max=1_000, help="How often each stage is measured.")] = 9,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Find topics, places and agencies in the texts of the city corpus: texts per CPU-second, the median of the runs. Needs no lake."""
    from orchestration.commands.bench_matching import bench_matching

    report = bench_matching(runs)
    if as_json:
        print_json(report.as_json())
    else:
        print_lines(report.lines())


@app.command()
def language(
    texts: Annotated[int, typer.Option(min=10, help="How many distinct texts of the city corpus are read.")] = 2_000,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Texts are read in so many threads.")] = 2,
    runs: Annotated[int, typer.Option(min=1, max=100, help="How often each stage is measured.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Read texts of the city corpus with the lake's model: texts a second by stage, the median of the runs; memory and sizes."""
    from orchestration.commands.bench_language import bench_language

    report = bench_language(texts, threads, runs)
    if as_json:
        print_json(asdict(report))
    else:
        print_lines(report.lines())
