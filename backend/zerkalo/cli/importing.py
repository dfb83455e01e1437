"""`zerkalo import MAPPING.toml`: import an existing app's people, links and points."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg.errors import LockNotAvailable, UniqueViolation

from zerkalo.auth.passwords.rules import is_usable_hash
from zerkalo.cli.shared.companies import log_warnings
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.cli.shared.language import language_option
from zerkalo.cli.shared.progress import progress
from zerkalo.composition import Parts, command_parts
from zerkalo.db.backup import BackupError, backup
from zerkalo.importing.model import Mapping, Question, Report
from zerkalo.importing.report.rules import lines_of, reason, say
from zerkalo.importing.service import ImportRefused, move_in
from zerkalo.importing.source.model import Read
from zerkalo.importing.source.service import MappingError, open_source, read_mapping, read_source
from zerkalo.kit.clock import utc_now
from zerkalo.kit.language import Language

_TOLD_ONCE = frozenset({"ask", "never-awarded"})


async def import_app(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING.toml", help="what to read, and how")],
    apply: Annotated[bool, typer.Option("--apply", help="write it; without it only report")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for machines")] = False,
    lang: Annotated[str, typer.Option(help="Language: ru or en.")] = "ru",
) -> None:
    """Import an app's people, links, codes and points into the mirror. Sync first; without --apply it only reports."""
    language = language_option(lang)
    try:
        told = read_mapping(mapping)
        with open_source(told) as source:
            read = read_source(source, is_usable_hash=is_usable_hash, now=utc_now())
    except MappingError as error:
        raise CommandFailed(str(error)) from None
    async with command_parts() as parts:
        log_warnings(parts.settings)
        companies = _companies(parts, told)
        if apply:
            _keep_backup(parts, mapping, language)
        try:
            with progress("import", len(read.visits)) as show:
                report = await _move_in(parts, read, told.name, companies, apply=apply, on_progress=show)
        except ImportRefused as refused:
            raise CommandFailed(str(refused)) from None
        except LockNotAvailable:
            raise CommandFailed("another import is under way; nothing was written") from None
        except UniqueViolation:
            raise CommandFailed(
                "somebody registered or proved a contact meanwhile; nothing was written, run it again"
            ) from None
    files = _write_files(mapping, report, language)
    if as_json:
        print(json.dumps({**report.as_json(), "files": [str(file) for file in files]}, ensure_ascii=False))
    else:
        print("\n".join(lines_of(report, files, language)))
    if not report.may_apply:
        raise typer.Exit(1)


async def _move_in(
    parts: Parts,
    read: Read,
    name: str,
    companies: Sequence[int],
    *,
    apply: bool,
    on_progress: Callable[[int], None],
) -> Report:
    return await move_in(
        parts.pool,
        read,
        source=name,
        company_ids=companies,
        policy=parts.policy,
        now=parts.clock(),
        apply=apply,
        contact_key=parts.people.proof_key,
        on_progress=on_progress,
    )


def _companies(parts: Parts, told: Mapping) -> tuple[int, ...]:
    ours = parts.settings.yclients_company_ids
    if told.company_id is None:
        return ours
    if told.company_id not in ours:
        raise CommandFailed(
            f"[visits] company_id: {told.company_id} is not among YCLIENTS_COMPANY_ID ({', '.join(map(str, ours))})"
        )
    return (told.company_id,)


def _keep_backup(parts: Parts, mapping: Path, language: Language) -> None:
    stamp = parts.clock().strftime("%Y%m%d-%H%M%S")
    file = mapping.with_name(f"{mapping.stem}-before-{stamp}.backup")
    try:
        backup(parts.dsn, file)
    except (BackupError, psycopg.Error) as error:
        raise CommandFailed(f"no backup could be written first, so nothing was imported: {error}") from None
    print(say("kept", language).format(file=file), file=sys.stderr)


def _write_files(mapping: Path, report: Report, language: Language) -> list[Path]:
    """Write the lines that need a decision, one file a kind; a kind without lines has no file.

    Some lines are told only by the import that brings their people; a repeated one, which brings nobody, lets them stand.
    """
    written: list[Path] = []
    for kind, lines in (
        ("refused", report.refused),
        ("ask", report.ask),
        ("not-in-mirror", report.not_in_mirror),
        ("never-awarded", report.never_awarded),
    ):
        file = mapping.with_name(f"{mapping.stem}-{kind}.csv")
        if lines:
            _write_csv(file, lines, language)
            written.append(file)
        elif report.writes or kind not in _TOLD_ONCE:
            file.unlink(missing_ok=True)
    return written


def _write_csv(file: Path, lines: Sequence[Question], language: Language) -> None:
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["ref", "person", "why", "record_id", "time", "service", "points"])
        writer.writerows(map(_quoted, (_cells(one, language) for one in lines)))


def _cells(line: Question, language: Language) -> list[str]:
    visit = line.visit
    if visit is None:
        return [line.ref, line.person, reason(line, language), "", "", "", ""]
    time = visit.wall_time or visit.starts_at
    records = " ".join(map(str, visit.record_ids))
    points = str(visit.points or "")
    return [
        *(line.ref, line.person, reason(line, language), records),
        *(time.isoformat(" ", "minutes") if time else "", visit.service, points),
    ]


def _quoted(values: Sequence[str]) -> list[str]:
    """Quote cells that a spreadsheet would read as a formula."""
    return [f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value for value in values]
