"""The command line of the sources: `./lake sources COMMAND`.

Belongs here: options and printing. Not here: what the commands do (orchestration.commands.sources, sources_check).
"""

from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lake_config.errors import BadInputError
from lake_config.settings import load_settings
from orchestration.commands.terminal import Steps, print_json, print_lines, print_table

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The registry of sources: list, check, add, disable, enable, import.")
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_Ids = Annotated[list[str], typer.Argument(help="Registry ids of sources.", show_default=False)]
_Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First local day it holds; today where not given.")]
_Connector = Annotated[str | None, typer.Option(help="Only those of a connector.")]
_Kind = Annotated[str | None, typer.Option(help="Only those of a kind, such as newspaper.")]
_Area = Annotated[str | None, typer.Option(help="Only those of a place, such as hcm, and of the places in it.")]
_Group = Annotated[str | None, typer.Option(help="Only those of a group, such as vietnam.")]
_PROBLEMS_SHOWN = 50


class State(StrEnum):
    """Whether a source is collected."""

    ON = "on"
    OFF = "off"


_State = Annotated[State | None, typer.Option(help="Only those that are collected, or only those that are not.")]


@app.command("list")
def list_command(
    connector: _Connector = None,
    kind: _Kind = None,
    area: _Area = None,
    group: _Group = None,
    state: _State = None,
    limit: Annotated[int, typer.Option(min=0, help="Print at most so many; 0 prints all. JSON always has all.")] = 300,
    as_json: _Json = False,
) -> None:
    """List the sources: what they are, whether they are collected and why, and when they last answered."""
    from orchestration.commands.sources import Filters, list_sources

    found = list_sources(load_settings(), Filters(connector, kind, area, group, state.value if state else None))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    shown = found[:limit] if limit else found
    columns = ["id", "name", "kind", "connector", "group", "area", "state", "verified", "why", "url"]
    print_table(columns, [[getattr(one, column) for column in columns] for one in shown])
    rest = f"; {len(found) - len(shown):,} more: --limit 0 prints all" if len(shown) < len(found) else ""
    print_lines(["", f"{len(found):,} sources, {sum(one.state == 'on' for one in found):,} on{rest}"])


@app.command()
def check(
    ids: Annotated[list[str] | None, typer.Argument(help="Registry ids of sources.", show_default=False)] = None,
    connector: _Connector = None,
    kind: _Kind = None,
    area: _Area = None,
    group: _Group = None,
    state: _State = None,
    as_json: _Json = False,
) -> None:
    """Ask the named sources once each, say what they answer, and mark those that answered as verified; exit 1 when one did not."""
    from orchestration.commands.sources import Filters
    from orchestration.commands.sources_check import check_sources, chosen

    settings = load_settings()
    asked = chosen(settings, ids or [], Filters(connector, kind, area, group, state.value if state else None))
    found = check_sources(settings, asked, Steps())
    good = sum(one.is_good for one in found)
    if as_json:
        print_json([{**asdict(one), "is_good": one.is_good} for one in found])
    else:
        columns = ["id", "document", "entries", "outcome", "http_status", "finding", "said"]
        print_table(columns, [[getattr(one, column) for column in columns] for one in found])
        print_lines(["", f"{good:,} of {len(found):,} answered with a document the lake can read; they are marked as verified."])
    raise typer.Exit(0 if good == len(found) else 1)


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Address of the feed or sitemap.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The name people know it by; its host where not given.")] = None,
    source_id: Annotated[str | None, typer.Option("--id", help="Registry id; made from the address where not given.")] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field of a registry row, as in --set kind=newspaper.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be added.")] = False,
    as_json: _Json = False,
) -> None:
    """Add one source, off until it is enabled, and show the row."""
    from orchestration.commands.sources import add_source

    given = {**_fields(fields), "url": url, **({"name": name} if name else {}), **({"id": source_id} if source_id else {})}
    settings = load_settings()
    source = add_source(settings, given, is_dry_run=dry_run)
    row = source.model_dump()
    if as_json:
        print_json({"added": not dry_run, "source": row})
        return
    print_table(["field", "value"], [[field, value] for field, value in row.items() if value is not None])
    said = "This would be added; nothing was." if dry_run else f"Added to {settings.local_registry}."
    print_lines(["", said, f"Next: ./lake sources check {source.id}, then ./lake sources enable {source.id}"])


def _fields(given: list[str] | None) -> dict[str, Any]:
    """Values from arguments such as 'kind=newspaper', typed as the field is. Raises BadInputError for another form."""
    from lake_config.registry.csv_rows import value_of
    from lake_config.registry.models import Source

    found: dict[str, Any] = {}
    for argument in given or []:
        field, sign, text = argument.partition("=")
        if not sign or field not in Source.model_fields:
            raise BadInputError(f"--set {argument}: expected FIELD=VALUE with one of the fields {', '.join(Source.model_fields)}.")
        found[field] = value_of(Source, field, text)
    return found


@app.command()
def disable(
    ids: _Ids,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the date.")],
    since: _Since = None,
) -> None:
    """Switch sources off, also shipped ones; reason and date are kept, and their earlier days stay as they were."""
    _switch(ids, reason, since, enabled=False)


@app.command()
def enable(
    ids: _Ids, reason: Annotated[str, typer.Option(help="Why; it is kept with the date.")] = "Enabled.", since: _Since = None
) -> None:
    """Switch sources on, also shipped ones, whatever LAKE_SOURCES says."""
    _switch(ids, reason, since, enabled=True)


def _switch(ids: list[str], reason: str, since: datetime | None, *, enabled: bool) -> None:
    from orchestration.commands.sources import switch_sources, today

    day: date = since.date() if since else today()
    changed = switch_sources(load_settings(), ids, enabled=enabled, reason=reason, since=day)
    word = "on" if enabled else "off"
    print_lines(f"{source_id}: {word} since {day}" if source_id in changed else f"{source_id}: was {word} already" for source_id in ids)


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="CSV with a first line of field names; only url is needed.", show_default=False)],
    fields: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field for the rows that leave it out, as in --set group=mekong."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Keep nothing when one row is wrong.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of the file imported under this name before.")] = False,
    as_json: _Json = False,
) -> None:
    """Import many sources from a CSV file; exit 1 when a row was refused. Right rows are kept all the same, unless --strict."""
    from orchestration.commands.sources import import_sources

    steps = Steps()
    report = import_sources(load_settings(), file, _fields(fields), is_strict=strict, is_replacing=replace, progress=steps)
    if as_json:
        problems = [{"line": problem.line, "problem": problem.sentence} for problem in report.problems]
        print_json({"accepted": report.accepted, "refused_rows": report.refused_rows, "problems": problems, "file": report.target})
    else:
        print_lines(map(str, report.problems[:_PROBLEMS_SHOWN]))
        left = len(report.problems) - _PROBLEMS_SHOWN
        print_lines([f"... and {left:,} more; --json has all"] if left > 0 else [])
        kept = f"kept in {report.target}" if report.target else "nothing was kept"
        print_lines([f"{report.accepted:,} sources accepted, {report.refused_rows:,} lines refused; {kept}"])
    raise typer.Exit(1 if report.problems else 0)
