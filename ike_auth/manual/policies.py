# SPDX-License-Identifier: ISC
"""What follows `-P`: direction, priority, action and rules, as ipsec_set_policy(3) has them."""

from typing import TypeVar

from ike_auth.manual import addresses
from ike_auth.manual.cursor import Cursor
from ike_auth.manual.errors import Refused, did_you_mean, quoted
from ike_auth.manual.statements import Action, Direction, Host, Level, Mode, Policy, Rule, Security
from ike_auth.manual.tokens import Kind
from keynote.locations import Location

T = TypeVar("T")

DIRECTIONS = {direction.value: direction for direction in Direction}
ACTIONS = {action.value: action for action in Action}
RULE_PROTOCOLS = {security.value: security for security in (Security.ESP, Security.AH, Security.IPCOMP)}
RULE_MODES = {mode.value: mode for mode in (Mode.TRANSPORT, Mode.TUNNEL)}
LEVELS = {level.value: level for level in Level}
PRIORITIES = {"low": -(2**30), "def": 0, "high": 2**30}
MAX_UNIQUE = 32767


def direction(cursor: Cursor) -> Direction:
    """`-P in`."""
    if not cursor.at(Kind.WORD, "-P"):
        cursor.fail("`-P` is missing here", "`-P out`, `-P in` or `-P fwd`")
    cursor.advance()
    return cursor.choice("a direction", DIRECTIONS)


def policy(cursor: Cursor) -> Policy:
    """All of it, up to the `;`."""
    where = direction(cursor)
    priority = _priority(cursor) if cursor.at(Kind.WORD, "prio") or cursor.at(Kind.WORD, "priority") else 0
    place = cursor.where
    action = cursor.choice("an action", ACTIONS)
    rules: list[Rule] = []
    while cursor.at_word():
        at = cursor.where
        rules.append(_rule(cursor, cursor.advance().text, at))
    if bool(rules) != (action is Action.IPSEC):
        message = "`ipsec` needs a rule" if action is Action.IPSEC else f"`{action}` takes no rules"
        cursor.complaints.error(place, message, "`protocol/mode/source-destination/level`")
    return Policy(where, action, tuple(rules), priority)


def _priority(cursor: Cursor) -> int:
    """`prio -5`, `prio high`, `prio def + 5`: higher goes first."""
    cursor.advance()
    where = cursor.where
    words = [cursor.word("the priority")]
    while cursor.at_word() and cursor.token.text not in ACTIONS:
        words.append(cursor.advance().text)
    text = "".join(words)
    base, offset = next(
        ((PRIORITIES[name], text[len(name) :]) for name in PRIORITIES if text.startswith(name)), (0, text)
    )
    digits = offset[1:] if offset[:1] in ("+", "-") else offset
    signed = not text.startswith(tuple(PRIORITIES)) or offset[:1] in ("+", "-")
    if offset and not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and signed):
        cursor.fail(
            f"{quoted(' '.join(words))} is no priority", "a number, or low, def, high with + or - a number", where
        )
    found = base + (int(offset) if offset else 0)
    if not -(2**31) < found < 2**31:
        cursor.complaints.error(where, "the priority is out of range", "up to 2147483647, above and below 0")
    return found


def _rule(cursor: Cursor, text: str, where: Location) -> Rule:
    """`protocol/mode[/[source-destination][/[level]]]`."""
    parts = text.split("/")
    if not 2 <= len(parts) <= 4 or not parts[1]:
        cursor.fail(f"{quoted(text)} is no rule", "`esp/tunnel/10.0.0.1-10.0.0.2/require`, for example", where)
    protocol, mode, ends, level = (*parts, "", "")[:4]
    security = _known(cursor, protocol, RULE_PROTOCOLS, "a protocol of rules", where)
    way = _known(cursor, mode, RULE_MODES, "a mode of rules", where)
    hosts = _ends(cursor, ends, where) if ends else None
    if way is Mode.TUNNEL and hosts is None:
        cursor.complaints.error(
            where, f"{quoted(text)}: a tunnel has two ends", "`esp/tunnel/10.0.0.1-10.0.0.2/require`"
        )
    strictness, unique = _level(cursor, level, where)
    return Rule(security, way, hosts, strictness, unique)


def _known(cursor: Cursor, text: str, values: dict[str, T], what: str, where: Location) -> T:
    if text not in values:
        hint = did_you_mean(text, values) or f"one of {', '.join(values)}"
        cursor.fail(f"{quoted(text)} is not {what}", hint, where)
    return values[text]


def _ends(cursor: Cursor, text: str, where: Location) -> tuple[Host, Host]:
    first, hyphen, second = text.partition("-")
    try:
        if not hyphen:
            raise Refused(f"{quoted(text)} is not `source-destination`")
        hosts = addresses.host(first), addresses.host(second)
        if hosts[0].address.version != hosts[1].address.version:
            raise Refused(f"{quoted(text)}: the two are of different IP versions")
    except Refused as refused:
        cursor.fail(str(refused), refused.hint, where)
    return hosts


def _level(cursor: Cursor, text: str, where: Location) -> tuple[Level, int]:
    name, colon, number = text.partition(":")
    level = _known(cursor, name, LEVELS, "a level", where) if text else Level.DEFAULT
    if not colon:
        return level, 0
    if (
        level is not Level.UNIQUE
        or not (number.isascii() and number.isdigit())
        or not 1 <= _small(number) <= MAX_UNIQUE
    ):
        cursor.fail(f"{quoted(text)} is not a level", f"`unique:1` to `unique:{MAX_UNIQUE}`", where)
    return level, int(number)


def _small(digits: str) -> int:
    return int(digits) if len(digits) <= 6 else MAX_UNIQUE + 1
