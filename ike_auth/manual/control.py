# SPDX-License-Identifier: ISC
"""The two sides of a request about manual keys: whoever asks, and the database that answers."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ike_auth.esp.limits import Counted
from ike_auth.manual.database import Database, PolicyEntry
from ike_auth.manual.errors import ManualError
from ike_auth.manual.requests import Json, policy_to_json, sa_to_json, statement_of
from ike_auth.manual.statements import Dump, Get, SpdDump
from ike_auth.manual.wanted import SaEntry
from ike_auth.network import Now
from ike_auth.sa import IpsecSa, SaName

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


# What each SA has carried, by `IpsecSa.name`, its times those of `Now.monotonic`; nothing where nobody counts.
Carried = Callable[[], Mapping[SaName, Counted]]


class Control(Protocol):
    """A running daemon."""

    def request(self, command: str, arguments: Json | None = None) -> Any:
        """The result of a command, as JSON. Raises an exception whose text says why not, and may have a `hint`."""


def handlers(
    database: Database, clock: Callable[[], Now], carried: Carried = dict
) -> dict[str, Callable[[Json], Any]]:
    """What a control socket calls for each of COMMANDS. Each raises ManualError, and what the kernel raises."""

    def handler(command: str) -> Callable[[Json], Any]:
        return lambda arguments: answer(database, command, arguments, clock(), carried)

    return {command: handler(command) for command in COMMANDS}


def answer(database: Database, command: str, arguments: Json, now: Now, carried: Carried = dict) -> dict[str, Any]:
    """Perform a command. Keys are in answers only if `keys` is true among the arguments. Raises ManualError."""
    keys = arguments.get("keys", False) is True
    statement = statement_of(command, {name: value for name, value in arguments.items() if name != "keys"})
    match statement:
        case Dump(security):
            entries = database.sas(security)
        case Get():
            entries = (database.get(statement),)
        case SpdDump():
            return _now(now) | {"policies": [_policy(entry) for entry in database.policies()]}
        case _:
            database.perform(statement, now)
            return {}
    there = carried()
    return _now(now) | {"sas": [_sa(entry, keys) | _used(database.installed(entry), there, now) for entry in entries]}


def _now(now: Now) -> dict[str, Any]:
    return {"now": int(now.utc.timestamp())}


def _sa(entry: SaEntry, keys: bool) -> dict[str, Any]:
    state = {"inbound": entry.inbound, "installed": entry.installed}
    return sa_to_json(entry.add, keys=keys) | state | {"created": int(entry.created.utc.timestamp())}


def _used(sa: IpsecSa | None, carried: Mapping[SaName, Counted], now: Now) -> dict[str, Any]:
    """Of an SA that is not installed, nothing; else what it has carried, and when last, in seconds since 1970."""
    counted = None if sa is None else carried.get(sa.name)
    if counted is None:
        return {}
    used = {"packets": counted.packets, "bytes": counted.bytes}
    if counted.last_used is None:
        return used
    return used | {"last_used": int(now.utc.timestamp() - (now.monotonic - counted.last_used))}


def _policy(entry: PolicyEntry) -> dict[str, Any]:
    return policy_to_json(entry.spd) | {"number": entry.number, "created": int(entry.created.utc.timestamp())}


def results(answer: Any, name: str) -> list[Mapping[str, Any]]:
    """The list of this name in an answer. Raises ManualError if the other side has sent something else."""
    found = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise ManualError("the answer cannot be read")
    return found
