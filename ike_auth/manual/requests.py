# SPDX-License-Identifier: ISC
"""Statements ↔ commands of the control socket, with JSON arguments. Keys are hexadecimal; defaults are left out.

sadb-add, sadb-update   {"source": "192.0.2.1", "destination": "192.0.2.2", "protocol": "esp", "spi": 4096,
                         "encryption": {"algorithm": "aes-cbc", "key": "00…"}, "authentication": {…},
                         "mode": "tunnel", "reqid": 0, "replay_window": 0, "hard_seconds": 0, …}
sadb-get, sadb-delete   {"source": …, "destination": …, "protocol": …, "spi": …}
sadb-deleteall          {"source": …, "destination": …, "protocol": …}
sadb-flush, sadb-dump   {"protocol": "esp"}, or nothing for all
sadb-group              {"first": {"destination": …, "protocol": …, "spi": …}, "second": {…}}
spd-add, spd-update     {"source": "10.1.0.0/16", "destination": "10.2.0.0/16", "upper": 6, "source_port": 80,
                         "direction": "out", "action": "ipsec", "rules": [{"protocol": "esp", "mode": "tunnel",
                         "source": "192.0.2.1", "destination": "192.0.2.2", "level": "require"}]}
spd-delete              {"source": …, "destination": …, "direction": "out"}
spd-flush, spd-dump     nothing
"""

from collections.abc import Mapping
from typing import Any

from ike_auth.manual.errors import ManualError
from ike_auth.manual.fields import Fields
from ike_auth.manual.policies import MAX_UNIQUE
from ike_auth.manual.statements import (
    NO_EXTENSIONS,
    Action,
    Add,
    Algorithm,
    Context,
    Delete,
    DeleteAll,
    Direction,
    Dump,
    Extensions,
    Flush,
    Get,
    Group,
    Host,
    Level,
    Mode,
    Padding,
    Policy,
    Range,
    Rule,
    SaName,
    Security,
    SpdAdd,
    SpdDelete,
    SpdDump,
    SpdFlush,
    SpdUpdate,
    Statement,
    Traffic,
    Update,
)

Json = Mapping[str, Any]
_NUMBERS = ("reqid", "replay_window", "hard_seconds", "soft_seconds", "hard_bytes", "soft_bytes")


def request_of(statement: Statement) -> tuple[str, dict[str, Any]]:
    """Command and arguments. Raises ManualError for a statement that asks nothing of a daemon."""
    match statement:
        case Add():
            return "sadb-update" if isinstance(statement, Update) else "sadb-add", sa_to_json(statement, keys=True)
        case Get(source, destination, security, spi):
            return "sadb-get", _between(source, destination, security) | {"spi": spi}
        case Delete(source, destination, security, spi):
            return "sadb-delete", _between(source, destination, security) | {"spi": spi}
        case DeleteAll(source, destination, security):
            return "sadb-deleteall", _between(source, destination, security)
        case Flush(security) | Dump(security):
            command = "sadb-flush" if isinstance(statement, Flush) else "sadb-dump"
            return command, {"protocol": security.value} if security else {}
        case Group(first, second):
            return "sadb-group", {"first": _sa_name(first), "second": _sa_name(second)}
        case SpdAdd():
            return "spd-update" if isinstance(statement, SpdUpdate) else "spd-add", policy_to_json(statement)
        case SpdDelete(traffic, direction):
            return "spd-delete", _traffic(traffic) | {"direction": direction.value}
        case SpdFlush():
            return "spd-flush", {}
        case SpdDump():
            return "spd-dump", {}
        case _:
            raise ManualError("there is nothing to be asked of the daemon")


def statement_of(command: str, arguments: Json) -> Statement:
    """The inverse of `request_of`. Raises ManualError for any other command, and any arguments that are wrong or not
    known."""
    fields = Fields(arguments)
    statement = _statement(command, fields)
    fields.done()
    return statement


def _statement(command: str, fields: Fields) -> Statement:
    match command:
        case "sadb-add":
            return sa_from_json(fields, Add)
        case "sadb-update":
            return sa_from_json(fields, Update)
        case "sadb-get":
            return Get(*_read_between(fields), fields.spi())
        case "sadb-delete":
            return Delete(*_read_between(fields), fields.spi())
        case "sadb-deleteall":
            return DeleteAll(*_read_between(fields))
        case "sadb-flush":
            return Flush(fields.choice("protocol", Security) if "protocol" in fields else None)
        case "sadb-dump":
            return Dump(fields.choice("protocol", Security) if "protocol" in fields else None)
        case "sadb-group":
            return Group(_read_sa_name(fields.object("first")), _read_sa_name(fields.object("second")))
        case "spd-add":
            return policy_from_json(fields, SpdAdd)
        case "spd-update":
            return policy_from_json(fields, SpdUpdate)
        case "spd-delete":
            return SpdDelete(_read_traffic(fields), fields.choice("direction", Direction))
        case "spd-flush":
            return SpdFlush()
        case "spd-dump":
            return SpdDump()
        case _:
            raise ManualError("there is no such command for manual keys")


# --- SAs


def sa_to_json(add: Add, *, keys: bool) -> dict[str, Any]:
    """Without `keys`, each key is null."""
    extensions = add.extensions
    values: dict[str, Any] = _between(add.source, add.destination, add.security) | {"spi": add.spi}
    values |= {"mode": extensions.mode.value} if extensions.mode is not Mode.ANY else {}
    values |= {name: getattr(extensions, name) for name in _NUMBERS if getattr(extensions, name)}
    values |= {"padding": extensions.padding.value} if extensions.padding else {}
    values |= {"cyclic_sequence": False} if not extensions.cyclic_sequence else {}
    values |= _context(extensions.context)
    for name, algorithm in (("encryption", add.encryption), ("authentication", add.authentication)):
        if algorithm is not None:
            values[name] = {"algorithm": algorithm.name, "key": algorithm.key.reveal().hex() if keys else None}
    values |= {"compression": add.compression} if add.compression else {}
    values |= {"raw_cpi": True} if add.raw_cpi else {}
    return values | ({"original": str(add.original)} if add.original else {})


def sa_from_json(fields: Fields, kind: type[Add]) -> Add:
    """A key that is null is read as an empty one. Raises ManualError."""
    extensions = Extensions(
        mode=fields.choice("mode", Mode, Mode.ANY),
        padding=fields.choice("padding", Padding) if "padding" in fields else None,
        cyclic_sequence=fields.flag("cyclic_sequence", True),
        context=_read_context(fields),
        **{name: fields.number(name, 0) for name in _NUMBERS},
    )
    add = kind(
        *_read_between(fields),
        fields.spi(),
        extensions if extensions != NO_EXTENSIONS else NO_EXTENSIONS,
        _read_algorithm(fields, "encryption"),
        _read_algorithm(fields, "authentication"),
        fields.text("compression") if "compression" in fields else None,
        fields.flag("raw_cpi", False),
        fields.address("original") if "original" in fields else None,
    )
    _check_algorithms(add)
    return add


def _check_algorithms(add: Add) -> None:
    is_ah = add.security in (Security.AH, Security.AH_OLD, Security.TCP)
    there = (add.encryption is not None, add.authentication is not None, add.compression is not None)
    if add.security is Security.IPCOMP:
        right = there == (False, False, True)
    else:
        right = there == (False, True, False) if is_ah else there[0] and not there[2]
    if not right:
        raise ManualError(f"these are not the algorithms that `{add.security}` takes")


def _read_algorithm(fields: Fields, name: str) -> Algorithm | None:
    if name not in fields:
        return None
    inner = fields.object(name)
    return Algorithm(inner.text("algorithm"), inner.key("key"))


def _between(source: Host, destination: Host, security: Security) -> dict[str, Any]:
    return _host("source", source) | _host("destination", destination) | {"protocol": security.value}


def _read_between(fields: Fields) -> tuple[Host, Host, Security]:
    source, destination = _read_host(fields, "source"), _read_host(fields, "destination")
    if source.address.version != destination.address.version:
        raise ManualError("source and destination are of different IP versions")
    return source, destination, fields.choice("protocol", Security)


def _sa_name(name: SaName) -> dict[str, Any]:
    return {"destination": str(name.destination), "protocol": name.security.value, "spi": name.spi}


def _read_sa_name(fields: Fields) -> SaName:
    return SaName(fields.address("destination"), fields.choice("protocol", Security), fields.spi())


# --- policies


def policy_to_json(spd: SpdAdd) -> dict[str, Any]:
    values = {"tag": spd.traffic} if isinstance(spd.traffic, str) else _traffic(spd.traffic)
    values |= {"direction": spd.policy.direction.value, "action": spd.policy.action.value}
    values |= {"priority": spd.policy.priority} if spd.policy.priority else {}
    values |= {"rules": [_rule(rule) for rule in spd.policy.rules]} if spd.policy.rules else {}
    return values | _context(spd.context)


def policy_from_json(fields: Fields, kind: type[SpdAdd]) -> SpdAdd:
    """Raises ManualError."""
    traffic = fields.text("tag") if "tag" in fields else _read_traffic(fields)
    rules = tuple(_read_rule(rule) for rule in fields.objects("rules"))
    action = fields.choice("action", Action)
    if bool(rules) != (action is Action.IPSEC):
        raise ManualError("`ipsec` needs rules, and nothing else takes them")
    priority = fields.number("priority", 0, low=-(2**31) + 1, high=2**31 - 1)
    policy = Policy(fields.choice("direction", Direction), action, rules, priority)
    return kind(traffic, policy, _read_context(fields))


def _traffic(traffic: Traffic) -> dict[str, Any]:
    values: dict[str, Any] = _range("source", traffic.source) | _range("destination", traffic.destination)
    values |= {"upper": traffic.protocol} if traffic.protocol is not None else {}
    values |= {"icmp": list(traffic.icmp)} if traffic.icmp else {}
    return values | ({"gre_key": traffic.gre_key} if traffic.gre_key is not None else {})


def _read_traffic(fields: Fields) -> Traffic:
    source, destination = (
        Range(*fields.prefix(name), fields.port(f"{name}_port")) for name in ("source", "destination")
    )
    if source.address.version != destination.address.version:
        raise ManualError("source and destination are of different IP versions")
    upper = fields.number("upper", 0, high=254) if "upper" in fields else None
    icmp = fields.pair("icmp") if "icmp" in fields else None
    return Traffic(source, destination, upper, icmp, fields.number("gre_key", 0) if "gre_key" in fields else None)


def _rule(rule: Rule) -> dict[str, Any]:
    values: dict[str, Any] = {"protocol": rule.security.value, "mode": rule.mode.value, "level": rule.level.value}
    values |= _host("source", rule.ends[0]) | _host("destination", rule.ends[1]) if rule.ends else {}
    return values | ({"unique": rule.unique} if rule.unique else {})


def _read_rule(fields: Fields) -> Rule:
    ends = None
    if "source" in fields or "destination" in fields:
        ends = _read_host(fields, "source"), _read_host(fields, "destination")
        if ends[0].address.version != ends[1].address.version:
            raise ManualError("source and destination are of different IP versions")
    security, mode = fields.choice("protocol", Security), fields.choice("mode", Mode)
    if security not in (Security.ESP, Security.AH, Security.IPCOMP) or mode is Mode.ANY:
        raise ManualError("a rule is `esp`, `ah` or `ipcomp`, in `transport` or `tunnel` mode")
    if mode is Mode.TUNNEL and ends is None:
        raise ManualError("a tunnel has two ends")
    level, unique = fields.choice("level", Level, Level.DEFAULT), fields.number("unique", 0, high=MAX_UNIQUE)
    if unique and level is not Level.UNIQUE:
        raise ManualError("`unique` needs the level `unique`")
    return Rule(security, mode, ends, level, unique)


# --- both


def _host(name: str, host: Host) -> dict[str, Any]:
    return {name: str(host.address)} | ({f"{name}_port": host.port} if host.port is not None else {})


def _read_host(fields: Fields, name: str) -> Host:
    return Host(fields.address(name), fields.port(f"{name}_port"))


def _range(name: str, range: Range) -> dict[str, Any]:
    port = {f"{name}_port": range.port} if range.port is not None else {}
    return {name: f"{range.address}/{range.prefix}"} | port


def _context(context: Context | None) -> dict[str, Any]:
    if context is None:
        return {}
    return {"context": {"doi": context.doi, "algorithm": context.algorithm, "name": context.name}}


def _read_context(fields: Fields) -> Context | None:
    if "context" not in fields:
        return None
    inner = fields.object("context")
    return Context(inner.number("doi", 0), inner.number("algorithm", 0), inner.text("name"))
