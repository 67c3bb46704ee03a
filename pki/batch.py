# SPDX-License-Identifier: ISC
"""Certificates for the peers of a table (CSV, RFC 4180, in UTF-8). Each row is issued whole or not at all, whatever
happens to the others.

profile    kind of certificate                          has to be there
name       the names of its holder, the first of which it goes by; of the kind that they look like
ip, dns, mail, dn    further names of that kind
subject    a whole distinguished name
days       how long it is valid
key        kind of its new key
csr        a request with its holder's own key, in a file beside the table

Several names in one field stand apart by `;`. Columns may be missing, and in any order.
"""

import csv
import datetime
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from pki import authority, keys, profiles, signing_requests, whole_files
from pki.authority import Prepared
from pki.errors import PkiError, shown
from pki.issuance import Issuer, Ready, Recorded, Wanted
from pki.names import Identity
from pki.profiles import Profile
from pki.records import Record
from pki.typed_names import TypedNames, in_words

COLUMNS: Final = ("profile", "name", "ip", "dns", "mail", "dn", "subject", "days", "key", "csr")
_DAYS_MAX: Final = 36500
_AT_ONCE: Final = 100  # rows
_PATIENCE: Final = datetime.timedelta(seconds=1)  # so long nothing is lost by whoever is killed, and progress is seen

Result = Literal["issued", "there", "failed"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `values` of the columns that have any."""

    file: str
    line: int
    values: Mapping[str, str]
    error: str = ""  # what is wrong with its form

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def name(self) -> str:
        return self.values.get("name") or self.values.get("csr", "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row. `record` is what was issued, or was there before."""

    row: Row
    result: Result
    record: Record | None = None
    error: str = ""
    hint: str = ""


def read(path: Path) -> tuple[Row, ...]:
    """Raises PkiError for what is no table of this kind; what is wrong with a row is said when it is its turn."""
    try:
        text = whole_files.content(path, whole_files.TABLE).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(path, header)
        return tuple(_row(path, reader.line_num, header, values) for values in reader if any(values))
    except OSError as error:
        raise PkiError(f"`{path}` cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PkiError(f"`{path}` is not CSV in UTF-8: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    known = f"known are {', '.join(COLUMNS)}"
    for name in header:
        if name not in COLUMNS:
            raise PkiError(f"{path}:1: there is no column `{shown(name)}`", known)
        if header.count(name) > 1:
            raise PkiError(f"{path}:1: column `{name}` is there twice")
    if "profile" not in header:
        raise PkiError(f"{path}:1: column `profile` is missing", f"the first row names the columns: {known}")


def _row(path: Path, line: int, header: list[str], values: list[str]) -> Row:
    found = {name: value.strip() for name, value in zip(header, values, strict=False) if value.strip()}
    error = f"{len(values)} fields, and there are {len(header)} columns" if len(values) != len(header) else ""
    return Row(str(path), line, found, error)


def issue(
    issuer: Issuer,
    rows: Iterable[Row],
    now: Callable[[], datetime.datetime],
    *,
    skip_existing: bool = False,
    accept: bool = False,
    review: Callable[[Row, Prepared], None] = lambda row, prepared: None,
) -> Iterator[Outcome]:
    """What becomes of each row, in their order. With `skip_existing` a row whose certificate is there already, valid,
    with the same profile and names, is passed over; with `accept` a request without names in its row gets those that
    it asks for. `review` looks at each rehearsal, as `Wanted.review` does.

    Transactions and syncs cost about the same for one and for many, so the rows of a second are recorded together. A
    row that shares a name or a key with one of them comes after them."""
    known = issuer.directory.profiles()
    group = _Group(issuer, now)
    for row in rows:
        try:
            if row.error:
                raise PkiError(row.error)
            wanted = replace(_wanted(row, known, accept=accept), review=partial(review, row))
            if group.has_part_of(wanted):
                yield from group.recorded()
            there = _there(issuer, wanted, now()) if skip_existing else None
            if there is not None:
                group.add(Outcome(row, "there", there))
            else:
                group.add_ready(row, wanted, issuer.ready(wanted, now()))
        except PkiError as error:
            group.add(Outcome(row, "failed", error=str(error), hint=error.hint))
        if group.is_due():
            yield from group.recorded()
    yield from group.recorded()


class _Group:
    """Rows that are recorded together, and in between those that need not be, in their order."""

    def __init__(self, issuer: Issuer, now: Callable[[], datetime.datetime]) -> None:
        self._issuer = issuer
        self._now = now
        self._begun = now()
        self._outcomes: list[Outcome | tuple[Row, Ready]] = []
        self._parts: set[object] = set()  # identities and keys of those that are ready

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)

    def add_ready(self, row: Row, wanted: Wanted, ready: Ready) -> None:
        self._outcomes.append((row, ready))
        self._parts.update(_parts(wanted))

    def has_part_of(self, wanted: Wanted) -> bool:
        return not self._parts.isdisjoint(_parts(wanted))

    def is_due(self) -> bool:
        return len(self._outcomes) >= _AT_ONCE or self._now() - self._begun >= _PATIENCE

    def recorded(self) -> Iterator[Outcome]:
        """What became of them; then there are none."""
        outcomes = self._outcomes
        ready = [it[1] for it in outcomes if not isinstance(it, Outcome)]
        results = iter(self._results(ready))
        for each in outcomes:
            if isinstance(each, Outcome):
                yield each
                continue
            row, result = each[0], next(results)
            if result.error is not None:
                yield Outcome(row, "failed", error=str(result.error), hint=result.error.hint)
            else:
                yield Outcome(row, "issued", result.issued)
        self._outcomes, self._parts, self._begun = [], set(), self._now()

    def _results(self, ready: Sequence[Ready]) -> Sequence[Recorded]:
        try:
            return self._issuer.record(ready, self._now()) if ready else ()
        except PkiError as error:
            return [Recorded(error=error)] * len(ready)


def _parts(wanted: Wanted) -> Iterator[object]:
    """What no two certificates of different holders share."""
    yield from wanted.identities
    if wanted.public_key is not None:
        yield keys.key_sha256(wanted.public_key)


def _wanted(row: Row, known: Mapping[str, Profile], *, accept: bool) -> Wanted:
    values = row.values
    profile = profiles.named(known, values.get("profile", ""))
    given = TypedNames(
        _apart(values.get("name", "")),
        _apart(values.get("dns", "")),
        _apart(values.get("ip", "")),
        _apart(values.get("mail", "")),
        _apart(values.get("dn", "")),
    ).identities()
    public_key = None
    if "csr" in values:
        if "key" in values:
            raise PkiError("a row with a request has a key already", "leave `key` empty")
        request = signing_requests.read(_beside(row, values["csr"]))
        given = given or _accepted(request.identities, accept)
        public_key = request.public_key
    if not given:
        raise PkiError("nobody is named", "fill in `name`")
    subject = authority.whole_name(values["subject"]) if "subject" in values else None
    return Wanted(profile, given, _lifetime(values.get("days")), subject, values.get("key"), public_key)


def _apart(text: str) -> tuple[str, ...]:
    """The names in a field: at `;` alone, lest one with a blank in it becomes two."""
    return tuple(it.strip() for it in text.split(";") if it.strip())


def _accepted(asked: tuple[Identity, ...], accept: bool) -> tuple[Identity, ...]:
    if asked and not accept:
        raise PkiError(
            f"nobody has confirmed that the key's holder is {in_words(asked)}",
            "fill in `name`, or take the names of requests with --accept",
        )
    return asked


def _beside(row: Row, file: str) -> bytes:
    path = Path(row.file).parent / file
    try:
        return whole_files.content(path)
    except OSError as error:
        raise PkiError(f"`{path}` cannot be read: {error.strerror}") from error


def _lifetime(days: str | None) -> datetime.timedelta | None:
    if days is None:
        return None
    if not days.isascii() or not days.isdigit() or not 0 < int(days) <= _DAYS_MAX:
        raise PkiError(f"`{shown(days)}` is no number of days", f"1 to {_DAYS_MAX}")
    return datetime.timedelta(days=int(days))


def _there(issuer: Issuer, wanted: Wanted, now: datetime.datetime) -> Record | None:
    name = wanted.identities[0].value
    for record in issuer.registry.find(name):
        if (
            record.name == name
            and record.directory == issuer.settings.id
            and record.validity(now) == "valid"
            and record.profile == wanted.profile.name
            and set(record.identities) == set(wanted.identities)
        ):
            return record
    return None
