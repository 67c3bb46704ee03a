# SPDX-License-Identifier: ISC
"""Tables of queries with the answers they must have: `queries.toml` beside a policy, and `*.jsonl` collections.

policies/README.md documents the form of queries.toml. A line of a collection is an object: id, policies, credentials,
action, authorizers, values and expect; its policies and credentials are texts of one assertion each, in Latin-1, and
one that is unusable is left out, as a query would.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from keynote.assertions import Assertion
from keynote.complaints import BadInput, Place, not_json
from keynote.coverage import Coverage
from keynote.environment import Unknown
from keynote.errors import KeynoteError, PolicyError
from keynote.explanation import Decision
from keynote.files import SetAside, parse_assertion, parse_credentials, parse_policy
from keynote.limits import Limits
from keynote.parameters import ParameterError, expanded
from keynote.redaction import Keys, hiding, quoted, redacted
from keynote.secrecy import keys_in
from keynote.session import BOOLEAN, Session

_DEFAULT_LIMITS: Final = Limits()


class TableError(BadInput):
    """A table of queries that is not in the form it must have."""


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """What is expected where the query itself is wrong: any error meets it."""

    def __str__(self) -> str:
        return "an error"


@dataclass(frozen=True, slots=True, repr=False)
class Query:
    """One row. `expect` is a value, or `low..high`; each text of `because` must occur in the reason.

    `table` is the file it stands in, and `files` are those of its session, which it names relative to its folder.
    """

    name: str
    session: Callable[[], Session]
    action: Mapping[str, str]
    authorizers: tuple[str, ...]
    values: tuple[str, ...]
    unknown: frozenset[str] | Unknown
    expect: str | ExpectedError
    because: tuple[str, ...] = ()
    table: Path = Path("queries.toml")
    files: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        return f"<query of {self.table}>"  # its authorizers may be passphrases, and its name tell them


@dataclass(frozen=True, slots=True)
class Result:
    """How a query turned out, its secrets hidden. `problem` is empty if it passed; `because` is the decision's
    reason, if any. `failed_to_ask`: it failed because there is no decision."""

    name: str
    expected: str
    actual: str
    because: str
    problem: str
    failed_to_ask: bool = False

    @property
    def passed(self) -> bool:
        return not self.problem


def queries(path: Path, limits: Limits = _DEFAULT_LIMITS) -> Iterator[Query]:
    """The queries of a table, or of all tables in a folder and below, in sessions with these limits.

    Raises TableError and OSError.
    """
    if path.is_dir():
        tables = sorted([*path.rglob("queries.toml"), *path.rglob("*.jsonl")])
        if not tables:
            raise TableError("no queries.toml and no *.jsonl in this folder", Place(str(path)))
        for table in tables:
            yield from queries(table, limits)
    elif path.suffix == ".jsonl":
        yield from _collection(path, limits)
    elif path.suffix == ".toml":
        yield from _table(path, limits)
    else:
        raise TableError("neither *.toml nor *.jsonl", Place(str(path)))


def run(query: Query, coverage: Coverage | None = None) -> Result:
    """Ask the query and compare, and count in `coverage`. Any KeynoteError is an answer too."""
    expected, folder = str(query.expect), query.table.parent
    try:
        session = query.session()
        if coverage is not None:
            coverage.watch(session, folder)
        decision = session.query(query.action, query.authorizers, query.values, query.unknown)
    except KeynoteError as error:
        message = str(error).splitlines()[0]
        with hiding([Keys.found(keys_in(query.authorizers))]):
            expected = redacted(expected)
            wrong = not isinstance(query.expect, ExpectedError)
            problem = f"expected {expected}, got an error: {message}" if wrong else ""
            return Result(redacted(query.name), expected, f"error: {message}", "", problem, bool(problem))
    if coverage is not None:
        coverage.count(decision, folder)
    # Its parameters are in its name, whatever they are.
    with hiding(decision.evidence.keys()):
        told = redacted(expected), str(decision), decision.because
        return Result(redacted(query.name), *told, _problem(query, decision))


def _problem(query: Query, decision: Decision) -> str:
    if str(decision) != query.expect:
        return f"expected {redacted(str(query.expect))}, got {decision}: {decision.because}"
    missing = [text for text in query.because if text not in decision.because]
    return f"{decision} as expected, but because `{decision.because}`, not {quoted(missing[0])}" if missing else ""


# -- collections -----------------------------------------------------------------------------------------------------


def _collection(path: Path, limits: Limits) -> Iterator[Query]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TableError(not_json(error), Place(str(path), number)) from error
        yield _Row(case, Place(str(path), number)).case(path, limits)


class _Row:
    """Reads the members of one query, and says which is wrong."""

    def __init__(self, members: object, where: Place, what: str = "") -> None:
        self._where, self._what = where, f"{what}: " if what else ""
        if not isinstance(members, dict):
            raise self._error("a query is an object with named members")
        self._members: dict[str, Any] = members

    def case(self, table: Path, limits: Limits) -> Query:
        name = self.text("id")
        policies, credentials = self.texts("policies"), self.texts("credentials")
        return Query(
            name=name,
            session=lambda: _session_of_texts(name, policies, credentials, limits),
            action=self.table("action"),
            authorizers=self.texts("authorizers"),
            values=self.texts("values", BOOLEAN),
            unknown=frozenset(self.texts("unknown")),
            expect=self.expectation(),
            table=table,
        )

    def text(self, key: str) -> str:
        value = self._members.get(key)
        if not isinstance(value, str):
            raise self._error(f"`{key}` must be a string")
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings; one string stands for a list of one."""
        value = self._members.get(key, list(default))
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error(f"`{key}` must be a list of strings")
        return tuple(value)

    def table(self, key: str) -> dict[str, str]:
        value = self._members.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._error(f"`{key}` must be a table of strings")
        return value

    def expectation(self) -> str | ExpectedError:
        value = self._members.get("expect")
        if isinstance(value, dict) and set(value) == {"error"}:
            return ExpectedError()
        if not isinstance(value, str):
            raise self._error("`expect` must be a value, `low..high`, or a table with `error`")
        return value

    def only(self, allowed: frozenset[str]) -> None:
        for key in self._members:
            if key not in allowed:
                raise self._error(f"unknown key `{key}`")

    def _error(self, message: str) -> TableError:
        return TableError(f"{self._what}{message}", self._where)


def _session_of_texts(name: str, policies: tuple[str, ...], credentials: tuple[str, ...], limits: Limits) -> Session:
    set_aside: list[SetAside] = []

    def read(kind: str, texts: tuple[str, ...]) -> Iterator[Assertion]:
        for number, text in enumerate(texts, 1):
            try:
                yield parse_assertion(text, name=f"{name} {kind} {number}")
            except PolicyError as error:
                set_aside.append(SetAside(error.problems[0].where, error.problems[0].message))

    trusted, untrusted = list(read("policy", policies)), list(read("credential", credentials))
    return Session(trusted, untrusted, set_aside=set_aside, limits=limits)


# -- queries.toml ----------------------------------------------------------------------------------------------------

_SHARED: Final = frozenset({"action", "authorizers", "values", "unknown", "unknown_except"})
_FILE: Final = frozenset({"policies", "credentials", "defaults", "query"})
_QUERY: Final = _SHARED | {"name", "expect", "because"}
_PARAMETERS: Final = frozenset({"each", "cases"})


def _table(path: Path, limits: Limits) -> Iterator[Query]:
    where = Place(str(path))
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeError, RecursionError) as error:
        raise TableError(*_not_toml(error, path)) from error
    file = _Row(content, where)
    file.only(_FILE)
    defaults = _Row(content.get("defaults", {}), where, "defaults")
    defaults.only(_SHARED)
    rows = content.get("query", [])
    if not isinstance(rows, list):
        raise TableError("queries are written `[[query]]`", where)
    policies, credentials = file.texts("policies", ("policy.kn",)), file.texts("credentials")
    files = tuple(path.parent / name for name in (*policies, *credentials))
    session = _loaded_once(path, policies, credentials, limits)
    for number, row in enumerate(rows, 1):
        what = f"query {number}"
        _Row(row, where, what).only(_QUERY | _PARAMETERS)
        try:
            for one in expanded(row):
                yield replace(_query(path, _Row(one, where, what), defaults, session), files=files)
        except ParameterError as error:
            raise TableError(f"{what}: {error}", where) from error


_TOML_PLACE: Final = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)")


def _not_toml(error: Exception, path: Path) -> tuple[str, Place]:
    """Why a table cannot be read, in our own words, and where."""
    if isinstance(error, UnicodeError):
        return "not TOML: no UTF-8", Place(str(path))
    if isinstance(error, RecursionError):
        return "not TOML: nested too deeply", Place(str(path))
    if found := _TOML_PLACE.search(str(error)):
        return "not TOML from here on", Place(str(path), int(found[1]), int(found[2]))
    return "not TOML: it ends too early", Place(str(path))


def _query(path: Path, row: _Row, defaults: _Row, session: Callable[[], Session]) -> Query:
    row.only(_QUERY)
    own_unknown = _unknown(row)
    # What a query calls unknown, the defaults do not give.
    given = {name: value for name, value in defaults.table("action").items() if name not in (own_unknown or ())}
    own_action = row.table("action")
    action = given | own_action
    # And what a query gives, the defaults do not call unknown.
    unknown = own_unknown or _unknown(defaults) or frozenset()
    if own_unknown is None and isinstance(unknown, frozenset):
        unknown -= own_action.keys()
    expect = row.expectation()
    return Query(
        name=f"{path.absolute().parent.name}: {row.text('name')}",
        session=session,
        action={_as_bytes(name): _as_bytes(value) for name, value in action.items()},
        authorizers=_all_as_bytes(row.texts("authorizers", defaults.texts("authorizers"))),
        values=_all_as_bytes(row.texts("values", defaults.texts("values", BOOLEAN))),
        unknown=unknown,
        expect=_as_bytes(expect) if isinstance(expect, str) else expect,
        because=row.texts("because"),
        table=path,
    )


def _unknown(row: _Row) -> frozenset[str] | Unknown | None:
    known = row.texts("unknown_except")
    return Unknown.except_(known) if known else frozenset(row.texts("unknown")) or None


def _as_bytes(text: str) -> str:
    """TOML is UTF-8, policies are bytes: the Latin-1 text of the bytes of `text`."""
    return text.encode().decode("latin-1")


def _all_as_bytes(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_as_bytes, texts))


def _loaded_once(
    path: Path, policies: tuple[str, ...], credentials: tuple[str, ...], limits: Limits
) -> Callable[[], Session]:
    """Loads the files of a table at its first query; each query of a table that cannot be loaded fails."""
    loaded: list[Session] = []

    def session() -> Session:
        if not loaded:
            loaded.append(_load(path.parent, policies, credentials, limits))
        return loaded[0]

    return session


def _load(folder: Path, policies: tuple[str, ...], credentials: tuple[str, ...], limits: Limits) -> Session:
    trusted: list[Assertion] = []
    untrusted: list[Assertion] = []
    set_aside: list[SetAside] = []
    for name in policies:
        trusted += parse_policy(_read(folder / name), name=name)
    for name in credentials:
        usable, refused = parse_credentials(_read(folder / name), name=name)
        untrusted += usable
        set_aside += refused
    return Session(trusted, untrusted, set_aside=set_aside, limits=limits)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableError(error.strerror or str(error), Place(str(path))) from error
