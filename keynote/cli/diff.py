# SPDX-License-Identifier: ISC
"""`keynote diff`: which recorded decisions another policy would change."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from keynote import recorded, report
from keynote.assertions import Assertion
from keynote.cli.inputs import FILE, each_once, legacy_option, policy, read, read_assertions
from keynote.cli.program import json_option, print_json, settled
from keynote.cli.progress import tracked
from keynote.complaints import Place
from keynote.diff import Answer, Comparer, Comparison, Differences
from keynote.files import SetAside, parse_credentials
from keynote.limits import Limits
from keynote.recorded import RecordError, Seal
from keynote.redaction import one_line, shown

UNCHANGED: Final = 0
CHANGED: Final = 2


@click.command("diff")
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("--inputs", "logs", multiple=True, required=True, type=FILE, help="Log of decisions; may be repeated.")
@click.option("--key", type=FILE, help="The key of the log, if it is not beside it (LOG.key).")
@click.option("-p", "--policy", "policies", multiple=True, type=FILE, help="Trusted assertions in both.")
@click.option("-c", "--credential", "credentials", multiple=True, type=FILE, help="Credentials in both.")
@legacy_option()
@json_option()
def command(
    old: Path,
    new: Path,
    logs: Sequence[Path],
    key: Path | None,
    policies: Sequence[Path],
    credentials: Sequence[Path],
    legacy_signatures: bool,
    as_json: bool,
) -> int:
    """Ask recorded decisions again, of the policies OLD and NEW, and tell which change, and why.

    The log is what `Decision-log` in isakmpd.conf makes the daemon write. Decisions that change from one value to
    another for the same reasons are told once.

    The exit status is 0 if none changes, 2 if some do, and 1 for every error.

    \b
    Example:
      keynote diff /etc/isakmpd/isakmpd.policy new.policy --inputs /var/log/isakmpd/decisions.jsonl
    """
    common = [assertion for path in policies for assertion in policy(path)]
    believed: list[Assertion] = []
    set_aside: list[SetAside] = []
    for path in credentials:
        good, refused = parse_credentials(read_assertions(path), name=str(path))
        believed += good
        set_aside += refused
    before, after = ((*policy(path), *common) for path in (old, new))
    comparer = Comparer(before, after, believed, set_aside, Limits(legacy_signatures))
    found = Differences()
    for log in each_once(logs):
        decisions = tracked(recorded.read(log), recorded.count(log), "decisions")
        so_far = found.decisions
        seal = _seal(log, key)
        for decision in decisions:
            found.add(comparer.compare(decision, seal))
        if found.decisions == so_far:
            raise RecordError("no decisions", Place(str(log)))
    status = settled(CHANGED if found.changed else UNCHANGED)
    if as_json:
        print_json(report.differences_data(found, comparer.set_aside))
    else:
        _print(found, comparer.set_aside)
    return status


def _seal(log: Path, key: Path | None) -> Seal | None:
    path = key or log.with_name(f"{log.name}.key")
    if key is None and not path.exists():
        return None
    return Seal.read(read(path), Place(str(path)))


def _print(found: Differences, set_aside: Sequence[SetAside]) -> None:
    groups: dict[tuple[Answer, Answer], list[Comparison]] = {}
    for comparison in found.changed:
        groups.setdefault((comparison.old, comparison.new), []).append(comparison)
    for (old, new), alike in groups.items():
        first = alike[0].recorded
        more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
        about = f" {one_line(first.about)}" if first.about else ""
        what = f":{about}{more}" if about or more else ""
        click.echo(f"{first.where}{what}: {shown(old.value)} → {shown(new.value)}")
        click.echo(f"  old: {old.because}")
        click.echo(f"  new: {new.because}")
    if found.first_otherwise is not None:
        first = found.first_otherwise.recorded
        click.echo(
            f"OLD is not the policy that decided {found.otherwise} of them: {first.where} was {shown(first.answer)}"
        )
    kinds = Counter((it.old.value, it.new.value) for it in found.changed)
    told = ", ".join(f"{count} from {shown(old)} to {shown(new)}" for (old, new), count in kinds.most_common())
    change = "decision changes" if found.decisions == 1 else "decisions change"
    click.echo(f"{len(found.changed)} of {found.decisions} {change}{f': {told}' if told else ''}")
    for item in set_aside:
        click.echo(f"set aside: {item}")
