# SPDX-License-Identifier: ISC
"""Conditions for needs that many have: `networks=10.1.0.0/16`, `hours=Mon-Fri,08:00-18:00`.

Each makes one test of a KeyNote Conditions field, and tests are joined with `&&`. Attributes are those of
`keynote.schemas.ipsec`; a test is false where an attribute that it needs is missing. docs/delegations.md lists them.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from keynote import literals
from keynote.schemas.ipsec import APP_DOMAIN, padded
from pki import names
from pki.errors import DelegationInvalid, PkiError, shown
from pki.names import Identity

#: What every test by templates begins with: the attributes of other applications have the same names.
GUARD: Final = f'app_domain == "{APP_DOMAIN}" && doi == "ipsec"'

Identities = tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """`make` gets what stands behind `=`, and the identities of the licensee's certificate; it gives the test and
    the argument in its one text. `argument` is how that is written. Raises DelegationInvalid."""

    name: str
    argument: str
    meaning: str
    example: str
    make: Callable[[str, Identities], tuple[str, str]]


def made_of(arguments: Sequence[str], identities: Identities = ()) -> tuple[str, ...]:
    """A test for each `NAME=ARGUMENT`, with a comment above it, and before them all what each of them needs.

    `identities` are those of the licensee's certificate, if it has one. Raises DelegationInvalid."""
    found: dict[str, str] = {}
    for text in arguments:
        name, _, argument = text.partition("=")
        template = TEMPLATES.get(name.strip())
        if template is None:
            hint = f"there are {', '.join(TEMPLATES)} (keynote-pki delegate --list-templates)"
            raise DelegationInvalid(f"there is no template `{shown(name)}`", hint)
        if template.name in found:
            raise DelegationInvalid(
                f"template `{template.name}` is given twice, and both tests would have to hold",
                f"give all in one, with commas: --template {template.name}=A,B",
            )
        test, canonical = template.make(argument.strip(), identities)
        found[template.name] = f"# {template.name}={canonical}\n{test}"
    return (GUARD, *found.values()) if found else ()


def _items(name: str, argument: str) -> list[str]:
    items = [item.strip() for item in argument.split(",")]
    if not all(items):
        raise _wrong(name, argument)
    return items


def _wrong(name: str, argument: str, why: str = "") -> DelegationInvalid:
    template = TEMPLATES[name]
    reason = f": {why}" if why else ""
    return DelegationInvalid(
        f"template `{name}` cannot be made of `{shown(argument)}`{reason}",
        f"write --template {template.example}",
    )


def _any_of(tests: Iterable[str]) -> str:
    alternatives = list(tests)
    joined = " ||\n".join(alternatives)
    return joined if len(alternatives) == 1 else f"({joined})"


# -- networks --------------------------------------------------------------------------------------------------------


def _networks(name: str, side: str) -> Callable[[str, Identities], tuple[str, str]]:
    """Whether all of one side of the tunnel lies in one of these networks; neighbours that make up a greater one
    count as that."""

    def make(argument: str, _: Identities) -> tuple[str, str]:
        found: dict[int, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {4: [], 6: []}
        for item in _items(name, argument):
            try:
                network = ipaddress.ip_network(item)
            except ValueError as error:
                raise _wrong(name, argument, str(error)) from error
            found[network.version].append(network)
        collapsed: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
            *ipaddress.collapse_addresses(it for it in found[4] if isinstance(it, ipaddress.IPv4Network)),
            *ipaddress.collapse_addresses(it for it in found[6] if isinstance(it, ipaddress.IPv6Network)),
        ]
        return _any_of(_within(side, network) for network in collapsed), ",".join(map(str, collapsed))

    return make


def _within(side: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    # Without the type, texts of IPv6 addresses would lie between those of an IPv4 network such as 0.0.0.0/0.
    low, high = padded(network.network_address), padded(network.broadcast_address)
    return f'{side}_type ~= "^IPv{network.version} " && {side}_addr_lower >= "{low}" && {side}_addr_upper <= "{high}"'


# -- hours -----------------------------------------------------------------------------------------------------------

_DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_DAY_RANGE: Final = re.compile(rf"({'|'.join(_DAYS)})(?:-({'|'.join(_DAYS)}))?", re.IGNORECASE)
_TIME_RANGE: Final = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


def _hours(argument: str, _: Identities) -> tuple[str, str]:
    """Days of the week, hours of the day, or both; in the gateway's local time unless `UTC` is said.

    Up to the last second before the end. Hours that go past midnight belong to the days on whose clocks they are:
    `Fri,22:00-06:00` is Friday before 6 and from 22 on."""
    days: set[int] = set()
    times: list[tuple[int, int]] = []
    written: list[str] = []
    clock = "LocalTimeOfDay"
    for item in _items("hours", argument):
        if item.upper() == "UTC":
            clock = "GMTTimeOfDay"
        elif day := _DAY_RANGE.fullmatch(item):
            first = _DAYS.index(day[1].capitalize())
            last = first if day[2] is None else _DAYS.index(day[2].capitalize())
            days |= {number % 7 for number in range(first, last + (7 if last < first else 0) + 1)}
            written.append(item.title())
        elif time := _TIME_RANGE.fullmatch(item):
            begin, end = _minute(time[1], time[2], argument), _minute(time[3], time[4], argument)
            if begin in (end, 2400):
                raise _wrong("hours", argument, f"`{item}` has no beginning before its end")
            times.append((begin, end))
            written.append(item)
        else:
            raise _wrong("hours", argument, f"`{shown(item)}` is neither a day nor hours of one")
    if not written:
        raise _wrong("hours", argument)
    # The digits first: an attribute that is missing counts as 0, which would be a day and an hour too.
    tests = [f'{clock} ~= "^[0-9]{{14}}$"']
    if 0 < len(days) < 7:
        tests.append(_any_of(_weekday(clock, first, count) for first, count in _runs(days)))
    if times:
        tests.append(_any_of(_between(clock, begin, end) for begin, end in times))
    return " &&\n".join(tests), ",".join(written if clock == "LocalTimeOfDay" else [*written, "UTC"])


def _minute(hour: str, minute: str, argument: str) -> int:
    """Hours and minutes as the clock's digits are, so that they compare as numbers."""
    if int(hour) * 60 + int(minute) > 24 * 60 or int(minute) > 59:
        raise _wrong("hours", argument, f"`{hour}:{minute}` is no time of day")
    return int(hour + minute)


def _between(clock: str, begin: int, end: int) -> str:
    now = f"@{clock} % 1000000"
    joined = "&&" if begin < end else "||"
    return f"({now} >= {begin * 100} {joined} {now} < {end * 100})"


def _runs(days: set[int]) -> list[tuple[int, int]]:
    """Days that follow each other, as the first and how many; Sunday follows Saturday."""
    firsts = [day for day in sorted(days) if (day - 1) % 7 not in days]
    return [(first, next(n for n in range(1, 8) if (first + n) % 7 not in days)) for first in firsts]


def _weekday(clock: str, first: int, count: int) -> str:
    """Whether it is one of so many days from the first one on, Sunday being 0, by a clock's YYYYMMDDHHMMSS: Zeller's
    congruence with years that begin in March. KeyNote's integers have no bound here, and `/` cuts off."""
    year, month, day = f"@{clock} / 10000000000", f"@{clock} / 100000000 % 100", f"@{clock} / 1000000 % 100"
    before_march = f"(14 - {month}) / 12"
    y = f"({year} - {before_march})"
    m = f"({month} + 12 * ({before_march}) - 2)"
    days = f"{day} + {y} + {y} / 4 - {y} / 100 + {y} / 400 + 31 * {m} / 12"
    return f"({days} + {7 - first}) % 7 < {count}"


# -- algorithms ------------------------------------------------------------------------------------------------------

_STRENGTHS: Final = {"strong": "@esp_key_length >= 128", "strong-256": "@esp_key_length == 256"}
# 2048 bits and more, NIST's curves and Curve25519. AEAD ciphers propose no separate authentication; what has none at
# all is refused before policy is asked.
_GROUPS: Final = '"^(1[4-9]|2[01]|31)$"'


def _algorithms(argument: str, _: Identities) -> tuple[str, str]:
    strength = _STRENGTHS.get(argument.lower())
    if strength is None:
        raise _wrong("algorithms", argument, f"one of {', '.join(_STRENGTHS)}")
    test = (
        'esp_present == "yes" && ah_present == "no" && pfs == "yes" &&\n'
        f'esp_enc_alg == "aes" && {strength} &&\n'
        '(esp_auth_alg == "" || esp_auth_alg ~= "^hmac-sha2-(256|384|512)$") &&\n'
        f"phase1_group_desc ~= {_GROUPS} && esp_group_desc ~= {_GROUPS}"
    )
    return test, argument.lower()


_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _lifetime(argument: str, _: Identities) -> tuple[str, str]:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", argument)
    if match is None:
        raise _wrong("lifetime", argument)
    seconds = int(match[1]) * _UNITS[match[2]]
    return f"@esp_life_seconds > 0 && @esp_life_seconds <= {seconds}", argument


# -- names -----------------------------------------------------------------------------------------------------------

_ID_TYPES: Final[Mapping[str, str]] = {
    "FQDN": "FQDN",
    "USER_FQDN": "User FQDN",
    "IPV4_ADDR": "IPv4 address",
    "IPV6_ADDR": "IPv6 address",
}


def _identity(argument: str, own: Identities) -> tuple[str, str]:
    """The identities that are named, or those of the licensee's certificate."""
    if argument.startswith("DN:/"):
        try:
            subject = names.dn_keynote(names.dn_from_keynote(argument))
        except PkiError as error:
            raise _wrong("identity", argument, str(error)) from error
        return f'remote_id_type == "ASN1 DN" && remote_id == {literals.encode(subject)}', f"DN:{subject}"
    if not argument and not own:
        raise _wrong("identity", argument, "the licensee has no certificate here whose identities could be meant")
    try:
        wanted = tuple(names.identity(item) for item in _items("identity", argument)) if argument else own
    except PkiError as error:
        raise _wrong("identity", argument, str(error)) from error
    return _any_of(map(_is, wanted)), ",".join(identity.value for identity in wanted)


def _is(identity: Identity) -> str:
    value = identity.value
    if identity.kind in ("IPV4_ADDR", "IPV6_ADDR"):
        value = padded(ipaddress.ip_address(value))
    return f'remote_id_type == "{_ID_TYPES[identity.kind]}" && remote_id == {literals.encode(value)}'


def _below(name: str, kind: str, before: str) -> Callable[[str, Identities], tuple[str, str]]:
    def make(argument: str, _: Identities) -> tuple[str, str]:
        try:
            domains = [names.fqdn(item) for item in _items(name, argument)]
        except PkiError as error:
            raise _wrong(name, argument, str(error)) from error
        patterns = (f"^{before}{domain.replace('.', chr(92) + '.')}$" for domain in domains)
        test = _any_of(f"remote_id ~= {literals.encode(pattern)}" for pattern in patterns)
        return f'remote_id_type == "{kind}" && {test}', ",".join(domains)

    return make


_ALL: Final = (
    Template(
        "algorithms",
        "strong or strong-256",
        "ESP with AES of 128 bits or more (256), SHA-2 or GCM, forward secrecy, groups of 2048 bits or curves",
        "algorithms=strong",
        _algorithms,
    ),
    Template(
        "hosts",
        "DOMAIN,…",
        "the peer is a host whose name ends in the domain",
        "hosts=gw.example.org",
        _below("hosts", "FQDN", r"([a-z0-9_-]+\.)+"),
    ),
    Template(
        "hours",
        "days and hours of the gateway's clock, UTC for that of Greenwich",
        "what is asked for is asked for at these times",
        "hours=Mon-Fri,08:00-18:00",
        _hours,
    ),
    Template(
        "identity",
        "NAME,… or DN:/…; alone, the identities of the licensee's certificate",
        "the peer calls itself so",
        "identity=gw.example.org,192.0.2.1",
        _identity,
    ),
    Template(
        "lifetime",
        "seconds, or 15m, 8h, 1d",
        "the tunnel is decided about again after so long at the latest",
        "lifetime=1h",
        _lifetime,
    ),
    Template(
        "mails",
        "DOMAIN,…",
        "the peer is a person with a mail address at the domain",
        "mails=example.org",
        _below("mails", "User FQDN", r"[^@]+@"),
    ),
    Template(
        "networks",
        "NETWORK,…",
        "our side of the tunnel lies in one of these networks: what the peer may reach",
        "networks=10.1.0.0/16,10.2.0.0/16",
        _networks("networks", "local_filter"),
    ),
    Template(
        "remote-networks",
        "NETWORK,…",
        "the peer's side of the tunnel lies in one of these networks: what it may bring",
        "remote-networks=10.9.0.0/24",
        _networks("remote-networks", "remote_filter"),
    ),
)
#: Every template by its name.
TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType({template.name: template for template in _ALL})
