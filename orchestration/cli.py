"""The command line of the lake: `./lake COMMAND`.

Belongs here: commands with their options, and turning a LakeError into one sentence and an exit code. Not here: what commands do
(orchestration.commands). Modules are imported inside the commands: Dagster, the model and Polars take seconds that `./lake status` need
not wait for.
"""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import click
import typer

from lake_config.errors import BadInputError, LakeError
from lake_config.settings import load_settings
from orchestration.commands.bench import app as bench_app
from orchestration.commands.terminal import Steps, print_csv, print_json, print_lines, print_table
from orchestration.sources_cli import app as sources_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Lắng Nghe: a social-listening lakehouse. State lives in LAKE_HOME (default .lake); ports start at LAKE_PORT_BASE (default 8300).",
)
app.add_typer(sources_app, name="sources")
app.add_typer(bench_app, name="bench")
_SHARED = Path(__file__).resolve().parents[2] / "shared"
_Shared = Annotated[Path, typer.Option(envvar="LAKE_SHARED", help="Folder with data/ (sets of others) and models/ (encoders).")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Format(StrEnum):
    """How a query result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Reader(StrEnum):
    """Identities whose keys may be handed out."""

    BI = "bi"
    AUDITOR = "auditor"


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop everything after a self-check; exit 0 only if all held.")] = False,
    as_json: _Json = False,
) -> None:
    """Run the whole lake over an invented city: collect, refine, check, publish, dashboards. Serves until Ctrl-C."""
    from orchestration.commands.demo import demo as run_demo

    steps = Steps()
    report = run_demo(once=once, as_json=as_json, steps=steps)
    steps("Everything held" if not report.faults else f"{len(report.faults)} things did not hold")
    raise typer.Exit(1 if report.faults else 0)


@app.command()
def up() -> None:
    """Start the services: object store, Dagster, Superset (and the demo city in a demo lake)."""
    from orchestration.commands.serving import up as start

    start(load_settings(), Steps())


@app.command()
def down() -> None:
    """Stop every service of this lake."""
    from orchestration.services.supervisor import stop_services

    stop_services(load_settings(), progress=Steps())


@app.command()
def status(as_json: _Json = False) -> None:
    """Say which services run and how they are; exit 0 when all are healthy, 1 otherwise."""
    from orchestration.commands.serving import show_status

    raise typer.Exit(0 if show_status(load_settings(), as_json=as_json) else 1)


@app.command()
def run(as_json: _Json = False) -> None:
    """Collect every source once now and refine what it touched, as the schedule does."""
    from orchestration.commands.serving import having
    from orchestration.pipeline import turn

    settings, steps = load_settings(), Steps()
    with having(settings, ["store"], steps):
        report = turn(settings, steps)
    if as_json:
        print_json(vars(report))
        return
    print_lines(f"{count:,} rows landed by {name}" for name, count in report.landed.items())
    print_lines(f"failed: {failure}" for failure in report.failed_attempts)
    print_lines([f"{len(report.refined_days)} event days refined"])


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV, Parquet or XLSX files of posts, packed or not.", show_default=False)],
    source: Annotated[str, typer.Option(help="Registry id of the source that the files come from.")] = "upload",
    column_map: Annotated[
        list[str] | None, typer.Option("--map", metavar="CANONICAL=COLUMN", help="Name a column, as in --map text=Comment.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Take export files of posts into the lake, to gold, and print their account."""
    from orchestration.commands.ingest import column_map_of, show_account
    from orchestration.commands.ingest import ingest as take_in
    from orchestration.commands.serving import having

    settings, steps = load_settings(), Steps()
    mapped = column_map_of(column_map or [])
    with having(settings, ["store"], steps):
        report = take_in(settings, files, source, mapped, steps)
    if as_json:
        print_json(report.as_dict())
    else:
        show_account(report)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over tables such as gold.sentiment_daily.")],
    output: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = Format.TABLE,
    at: Annotated[list[str] | None, typer.Option(metavar="TABLE=VERSION", help="Read a table as it was at a version.")] = None,
) -> None:
    """Read the tables of the lake with SQL (DuckDB, read-only; times in UTC)."""
    from orchestration.commands.query import pinned_versions, run_sql
    from orchestration.commands.serving import having

    settings, pinned = load_settings(), pinned_versions(at or [])
    with having(settings, ["store"], Steps()):
        answer = run_sql(settings, statement, pinned)
    if output is Format.JSON:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    elif output is Format.CSV:
        print_csv(answer.columns, answer.rows)
    else:
        print_table(answer.columns, answer.rows)


@app.command()
def pushkey(
    source: Annotated[str, typer.Argument(help="Registry id of a source of the connector provider_push.", show_default=False)],
    keep_old: Annotated[bool, typer.Option("--keep-old", help="Let the key before stay valid beside the new one.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make no key; forget those of the source.")] = False,
) -> None:
    """Make the key with which a data provider pushes its stream; it is printed this once."""
    from orchestration.commands.push_keys import give_key, revoke_key

    settings = load_settings()
    print_lines(revoke_key(settings, source) if revoke else give_key(settings, source, keeps_old=keep_old))


@app.command()
def score(
    file: Annotated[
        str, typer.Argument(help="JSON lines with text and, where it answers something, context; - reads standard input.")
    ] = "-",
) -> None:
    """Give each text its sentiment, topics and flags: the same JSON lines with what the model says. Needs no service."""
    from ml.language_model import LanguageModel
    from ml.scoring import score_lines

    model = LanguageModel.load()
    try:
        with click.open_file(file, encoding="utf-8") as lines:
            for row in score_lines(lines, model):
                sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file} cannot be read as UTF-8 text ({error}); name an existing file of JSON lines, or - .") from error


@app.command("eval")
def evaluate(
    model: Annotated[Path | None, typer.Option(help="Folder of the model; without it, the lake's own.", show_default=False)] = None,
    shared: _Shared = _SHARED,
    threads: Annotated[int, typer.Option(min=1, help="Texts read at a time.")] = 2,
    as_json: _Json = False,
) -> None:
    """Measure a model on the labelled sets and write its card (card.md, card.json) into its folder. Needs no service."""
    from orchestration.commands.evaluation import evaluate as run_evaluation

    report, written = run_evaluation(model, shared, threads, Steps())
    if as_json:
        sys.stdout.write(report)
    else:
        print_lines([written])


@app.command()
def calibrate(
    model: Annotated[Path | None, typer.Option(help="Folder of a model; default: the one in use.", show_default=False)] = None,
) -> None:
    """Measure how the model errs on held-out labelled texts, and store it in its folder: the honest shares rest on it."""
    from orchestration.commands.calibrating import calibrate_model, summary

    print_lines(summary(*calibrate_model(model, Steps())))


@app.command()
def train(
    recipe: Annotated[str | None, typer.Option(help="A recipe of ml/recipes; without it, city.", show_default=False)] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, max=600, help="Instead of the recipe's time.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the result; without it, one in LAKE_HOME.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="Id of the new model; without it, recipe and day.", show_default=False)] = None,
    own_csv: Annotated[
        Path | None, typer.Option("--csv", help="The city's own labels: text,label[,context,topics].", show_default=False)
    ] = None,
    shared: _Shared = _SHARED,
    weights: Annotated[Path | None, typer.Option(help="Finish the weights of another run, without training.", show_default=False)] = None,
    learning_curve: Annotated[bool, typer.Option("--learning-curve", help="Measure how more city posts help, for the card.")] = False,
) -> None:
    """Train a model in an environment of its own, and put it in the place of the one there is when it is better."""
    from orchestration.commands import training

    chosen = recipe or ("learning-curve" if learning_curve else "city")
    wanted = training.Wanted(chosen, minutes, out, name, own_csv, shared, weights)
    job = training.job_of(wanted, load_settings().home, task="learning-curve" if learning_curve else "model")
    if learning_curve:
        print_lines([training.learning_curve(job, Steps())])
        return
    refused = training.train(job, Steps())
    if refused:
        raise LakeError(f"The new model does not replace the one there is: {refused}. It stays in {job.out}, with its card.")
    print_lines([f"{job.model_id} is now the model of the lake"])


@app.command()
def env(identity: Annotated[Reader, typer.Argument(help="Whose keys.")]) -> None:
    """Print shell exports with which any S3 or Delta client reads what that identity may read: eval "$(./lake env bi)"."""
    from orchestration.commands.serving import identity_environment

    print_lines(f"export {name}='{value}'" for name, value in identity_environment(load_settings(), identity.value).items())


@app.command()
def dashboards(
    check: Annotated[bool, typer.Option("--check", help="Only compare Superset with the files; load nothing.")] = False,
) -> None:
    """Load the dashboards' files into Superset and say whether any difference is left."""
    from orchestration.commands.serving import run_dashboards_loader

    print_lines([run_dashboards_loader(load_settings(), check_only=check)])


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run the whole test suite; further arguments go to pytest."""
    from orchestration.commands.testing import run_tests

    raise typer.Exit(run_tests(context.args))


def main() -> None:
    """Run the command; a LakeError becomes its sentence on standard error and exit code 1."""
    try:
        app(prog_name="./lake")
    except LakeError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
