# SPDX-License-Identifier: ISC
"""The two sides of a request about manual keys: whoever asks, and the database that answers."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ike_auth.manual.database import Database, PolicyEntry
from ike_auth.manual.errors import ManualError
from ike_auth.manual.requests import Json, policy_to_json, sa_to_json, statement_of
from ike_auth.manual.statements import Dump, Get, SpdDump
from ike_auth.manual.wanted import SaEntry
from ike_auth.network import Now

COMMANDS = (
    *(
        "sadb-add",
        "sadb-update",
        "sadb-get",
        "sadb-delete",
        "sadb-deleteall",
        "sadb-flush",
        "sadb-dump",
        "sadb-group",
    ),
    *("spd-add", "spd-update", "spd-delete", "spd-flush", "spd-dump"),
)


class Control(Protocol):
    """A running daemon, or what stands for it."""

    def request(self, command: str, arguments: Json | None = None) -> Any:
        """The result of a command, as JSON. Raises an exception whose text says why not, and may have a `hint`."""


class LocalControl:
    """A database in this process."""

    def __init__(self, database: Database, clock: Callable[[], Now]) -> None:
        self._database = database
        self._clock = clock

    def request(self, command: str, arguments: Json | None = None) -> Any:
        """Raises ManualError, and what the kernel raises."""
        return answer(self._database, command, arguments or {}, self._clock())


def handlers(database: Database, clock: Callable[[], Now]) -> dict[str, Callable[[Json], Any]]:
    """What a control socket calls for each of COMMANDS. Each raises ManualError, and what the kernel raises."""

    def handler(command: str) -> Callable[[Json], Any]:
        return lambda arguments: answer(database, command, arguments, clock())

    return {command: handler(command) for command in COMMANDS}


def answer(database: Database, command: str, arguments: Json, now: Now) -> dict[str, Any]:
    """Perform a command. Keys are in answers only if `keys` is true among the arguments. Raises ManualError."""
    keys = arguments.get("keys", False) is True
    statement = statement_of(command, arguments)
    match statement:
        case Dump(security):
            return _now(now) | {"sas": [_sa(entry, keys) for entry in database.sas(security)]}
        case Get():
            return _now(now) | {"sas": [_sa(database.get(statement), keys)]}
        case SpdDump():
            return _now(now) | {"policies": [_policy(entry) for entry in database.policies()]}
        case _:
            database.perform(statement, now)
            return {}


def _now(now: Now) -> dict[str, Any]:
    return {"now": int(now.utc.timestamp())}


def _sa(entry: SaEntry, keys: bool) -> dict[str, Any]:
    state = {"inbound": entry.inbound, "installed": entry.installed}
    return sa_to_json(entry.add, keys=keys) | state | {"created": int(entry.created.utc.timestamp())}


def _policy(entry: PolicyEntry) -> dict[str, Any]:
    return policy_to_json(entry.spd) | {"number": entry.number, "created": int(entry.created.utc.timestamp())}


def results(answer: Any, name: str) -> list[Mapping[str, Any]]:
    """The list of this name in an answer. Raises ManualError if the other side has sent something else."""
    found = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise ManualError("the answer cannot be read")
    return found
