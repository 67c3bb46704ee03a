# SPDX-License-Identifier: ISC
"""Checks of what a policy for IPsec lets in: without encryption, with weak algorithms, under any name.

Asked is by which clauses of POLICY's own assertions something could be allowed to anybody who can request it, all
delegations considered. So a test is not missed where a delegation further down makes it, if nobody can get around it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from keynote import expressions, regular_expressions
from keynote.binding import Strangers
from keynote.errors import EvaluationError
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.flow import attribute
from keynote.lint.graph import IPSEC, by_authorizer, can_request, for_ipsec, values_in, ways
from keynote.lint.subjects import ClauseFacts, Policy, Subject
from keynote.principals import POLICY
from keynote.schemas.ipsec import APP_DOMAIN
from keynote.sets import Set, only
from keynote.syntax import Match, Name, Node, walk

#: A value that nobody ever compares anything with.
_STRANGE: Final = "\x01"


def _ipsec_ways(policy: Policy, wanted: Mapping[str, Sequence[str | int]]) -> Iterator[tuple[Subject, ClauseFacts]]:
    """The clauses for IPsec of POLICY's own by which such an action could be allowed."""
    sets: dict[str, Set] = {**IPSEC, **{key: only(values) for key, values in wanted.items()}}
    for subject, clause in ways(policy, sets):
        if clause is not None and clause.ipsec:
            yield subject, clause


# -- guards ----------------------------------------------------------------------------------------------------------


def unguarded(policy: Policy) -> Iterator[Draft]:
    hint = f'begin with `app_domain == "{APP_DOMAIN}" &&`'
    for subject in policy.believed:
        if not subject.is_policy:
            continue
        if subject.assertion.conditions is None:
            yield subject.as_a_whole("no Conditions: this delegates everything, in whatever application", hint)
        for clause in subject.leaves:
            if not _tests_app_domain(clause):
                message = "app_domain is not tested: this holds in whatever application"
                yield subject.in_conditions(clause.node, message, hint)


def _tests_app_domain(clause: ClauseFacts) -> bool:
    assert clause.state is not None, "leaves hold"
    if _STRANGE not in values_in(clause.state, "app_domain"):
        return True
    return any(
        not passage.negated
        and passage.fact is None
        and any(isinstance(node, Name) and node.name == "app_domain" for node in walk(passage.relation))
        for passage in clause.passages()
    )


def name_without_type(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        for clause in subject.leaves:
            if not clause.ipsec:
                continue
            tested = {
                node.name: passage.relation
                for passage in clause.passages()
                for node in walk(passage.relation)
                if isinstance(node, Name) and not passage.negated
            }
            if "remote_id" in tested and "remote_id_type" not in tested:
                message = "remote_id is tested and its type is not: it may be a key ID of that text, or another kind"
                yield subject.in_conditions(tested["remote_id"], message, 'add `remote_id_type == "FQDN"`')


# -- algorithms ------------------------------------------------------------------------------------------------------


def unencrypted(policy: Policy) -> Iterator[Draft]:
    told = set()
    for wanted, how, hint in (
        ({"esp_present": ["no"]}, "without ESP", 'test `esp_present == "yes"`'),
        ({"esp_present": ["yes"], "esp_enc_alg": ["null"]}, "with ESP's NULL cipher", 'test `esp_enc_alg == "aes"`'),
    ):
        for subject, clause in _ipsec_ways(policy, wanted):
            if (subject, clause) not in told:
                told.add((subject, clause))
                yield subject.in_conditions(clause.node, f"allows tunnels without encryption: {how}", hint)


#: Of all groups that IANA has for IKEv1, those that are weaker than MODP of 2048 bits: MODP of 768, 1024 (22, too)
#: and 1536 bits; elliptic curves below 224 bits (3, 4, 6, 7: over fields of characteristic two); and those with small
#: subgroups (RFC 5114), against which RFC 8247 2.4 advises, as against 1, 2, 5 and 22.
_GROUPS: Final = ["1", "2", "3", "4", "5", "6", "7", "22", "23", "24", "25"]
#: Attribute -> what is weak by today's measure: docs/decisions/0302, and what no implementation should have any more.
_WEAK: Final[Mapping[str, Sequence[str]]] = {
    "esp_enc_alg": ["des-iv64", "des", "3des", "rc5", "idea", "cast", "blowfish", "3idea", "des-iv32", "rc4"],
    "esp_auth_alg": ["hmac-md5", "des-mac", "kpdk"],
    "ah_auth_alg": ["hmac-md5", "des-mac", "kpdk"],
    "ah_hash_alg": ["md5", "des"],
    **dict.fromkeys(("phase1_group_desc", "esp_group_desc", "ah_group_desc"), _GROUPS),
}
_PRESENT: Final = {"esp": "esp_present", "ah": "ah_present"}


def weak_algorithms(policy: Policy) -> Iterator[Draft]:
    for name, words in _WEAK.items():
        found: dict[ClauseFacts, tuple[Subject, list[str]]] = {}
        if not any(_constrains(clause, name) for subject in policy.believed for clause in subject.leaves):
            continue
        for word in words:
            wanted: dict[str, Sequence[str | int]] = {name: [word]}
            if word.isdigit():
                wanted[f"@{name}"] = [int(word)]
            if (present := _PRESENT.get(name.partition("_")[0])) is not None:
                wanted[present] = ["yes"]
            for subject, clause in _ipsec_ways(policy, wanted):
                if _constrains(clause, name) and not _excludes(subject, clause, name, word):
                    found.setdefault(clause, (subject, []))[1].append(word)
        for clause, (subject, weak) in found.items():
            shown = ", ".join(f"`{word}`" for word in weak)
            message = f"{name} may be {shown}, which {'is' if len(weak) == 1 else 'are'} weak"
            yield subject.in_conditions(_relation_of(clause, name), message, "name the strong ones only")


def _constrains(clause: ClauseFacts, name: str) -> bool:
    """Whether the clause says anything of an attribute. What is not tested at all is another check's matter."""
    state = clause.state
    return clause.ipsec and state is not None and (name in state or f"@{name}" in state)


def _excludes(subject: Subject, clause: ClauseFacts, name: str, word: str) -> bool:
    """Whether a pattern that the attribute is to match does not match this."""
    constants = subject.assertion.constants
    for passage in clause.passages():
        relation = passage.relation
        if isinstance(relation, Match) and not passage.negated and attribute(relation.subject, constants) == name:
            pattern = expressions.string(relation.pattern, constants)
            if isinstance(pattern, str) and not _matches(pattern, word):
                return True
    return False


def _matches(pattern: str, word: str) -> bool:
    try:
        return regular_expressions.compiled(pattern).search(word.encode()) is not None
    except EvaluationError:
        return False


def _relation_of(clause: ClauseFacts, name: str) -> Node:
    for passage in clause.passages():
        if any(isinstance(node, Name) and node.name == name for node in walk(passage.relation)):
            return passage.relation
    return clause.node


def no_pfs(policy: Policy) -> Iterator[Draft]:
    for subject, clause in _ipsec_ways(policy, {"pfs": ["no"]}):
        message = "allows tunnels without perfect forward secrecy"
        yield subject.in_conditions(clause.node, message, 'test `pfs == "yes"`')


# -- names and networks ----------------------------------------------------------------------------------------------


def unbound(policy: Policy) -> Iterator[Draft]:
    """Strict rule 3 of the daemon, asked of the principals that an assertion of POLICY licenses: what they cannot do,
    nobody can to whom they delegate."""
    delegations = Strangers(subject.assertion for subject in policy.believed if not subject.is_policy)
    concerned = for_ipsec(policy)
    for subject in policy.believed:
        principals = _who_ask(policy, subject) if subject.is_policy and subject in concerned else []
        answer = delegations.extended([subject.assertion]).admitted(principals) if principals else None
        if answer is not None:
            who = answer.path[-1].licensees if answer.path else ()
            message = f"remote_id is not bound: whomever `{who[0] if who else 'anybody'}` vouches for"
            yield subject.as_a_whole(f"{message} is let in under any name", _BIND)


_BIND: Final = (
    "test `remote_id` and `remote_id_type`, with `==` or a pattern that ends in a dot or `@` and your domain, not a"
    " mere shape; the daemon demands it of its authorities, and of keys that several peers share, unless"
    " `Strict-Remote-ID` is off"
)


#: Somebody who can request.
_SOMEBODY: Final = "DN:/"


def _who_ask(policy: Policy, subject: Subject) -> list[str]:
    """Those whom an assertion licenses and who can request; of the others, whom they license."""
    issuers = by_authorizer(policy)
    found: dict[str, None] = {}
    seen: set[str] = set()
    if None in subject.names.values():
        found[_SOMEBODY] = None  # it may be anybody whom the action names
    todo = [name for name in subject.names.values() if name is not None]
    for name in todo:  # grows while it runs
        if can_request(name):
            found[name] = None
        elif name not in seen and name != POLICY:
            seen.add(name)
            todo += [licensee for other in issuers.get(name, ()) for licensee in other.names.values() if licensee]
    return list(found)


#: What somebody proposes who wants all traffic.
_ALL: Final[Mapping[str, Sequence[str | int]]] = {
    "remote_filter_type": ["IPv4 subnet"],
    "remote_filter": ["000.000.000.000-255.255.255.255"],
    "remote_filter_addr_lower": ["000.000.000.000"],
    "remote_filter_addr_upper": ["255.255.255.255"],
}


def any_network(policy: Policy) -> Iterator[Draft]:
    issuers = by_authorizer(policy)
    for subject, clause in _ipsec_ways(policy, _ALL):
        # Who divides what he has among others says there who has which network.
        if not any(name in issuers for name in subject.names.values()):
            message = "allows the peer any network for its own, the whole internet too"
            yield subject.in_conditions(clause.node, message, "test `remote_filter`, or its bounds")


_WARNING, _INFO = Severity.WARNING, Severity.INFO

CHECKS: Final = (
    Check(
        "KN501",
        _WARNING,
        "app_domain is not tested",
        "Credentials and policies of other applications use the same names for other things. An assertion of"
        " POLICY that"
        " does not test app_domain delegates in all of them.",
        'Conditions: esp_present == "yes" && esp_enc_alg == "aes" -> "true";',
        'Begin with `app_domain == "IPsec policy" &&`, in each clause or in one around them.',
        unguarded,
    ),
    Check(
        "KN502",
        _WARNING,
        "no test of encryption",
        "Somebody who is licensed can have a tunnel that does not encrypt: with AH alone, or with ESP's NULL cipher.",
        'Conditions: app_domain == "IPsec policy" && esp_present == "yes" -> "true";',
        'Test `esp_enc_alg == "aes"`, which there is with ESP only.',
        unencrypted,
    ),
    Check(
        "KN503",
        _WARNING,
        "weak algorithms",
        "What is tested still leaves ciphers with blocks of 64 bits, MD5, or groups below 2048 bits, or below 224"
        " bits of an elliptic curve; those of RFC 5114 (22 to 24) are advised against too, and `@esp_group_desc >="
        " 14` leaves them. The daemon asks policy only for what its configuration allows, so this is the second of"
        " two fences.",
        'Conditions: app_domain == "IPsec policy" && esp_present == "yes" &&\n'
        '    (esp_enc_alg == "aes" || esp_enc_alg == "3des") -> "true";',
        "Name the strong ones: `aes`; `hmac-sha2-256` and up; groups 14 to 21, and from 26 on.",
        weak_algorithms,
    ),
    Check(
        "KN504",
        _INFO,
        "no perfect forward secrecy",
        "Without `pfs` the keys of all tunnels come from one Diffie-Hellman exchange: whoever gets hold of that"
        " reads them"
        " all.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" -> "true";',
        'Test `pfs == "yes"`.',
        no_pfs,
    ),
    Check(
        "KN505",
        _WARNING,
        "remote_id is not bound",
        "A certificate of your authority, or a key that several peers have, proves that somebody belongs to you;"
        " who he is"
        " says `remote_id`. If policy lets them in under any name, each can take the place of any other. This is the"
        " daemon's strict rule 3, and the same code.",
        'Licensees: "DN:/O=Example/CN=Gateway CA"\n'
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" -> "true";',
        "Test `remote_id` and `remote_id_type`: the whole name with `==`, or a pattern that says whose names they"
        " are (`@example\\\\.org$`, `^/O=Example/`). A shape such as `^[a-z]+\\\\.[a-z]+$` fits whomever wants to get"
        " in. If the licensee is one peer's own certificate or key, which nobody else has, and certifies nobody,"
        " ignore this.",
        unbound,
    ),
    Check(
        "KN506",
        _INFO,
        "remote_id without its type",
        "The same text can be an FQDN, a user FQDN and a key ID, and not all are certified alike.",
        'Conditions: app_domain == "IPsec policy" && remote_id == "gw.example.org" -> "true";',
        "Test `remote_id_type` too.",
        name_without_type,
    ),
    Check(
        "KN507",
        _INFO,
        "any network of the peer's",
        "Nothing says which addresses the peer may have behind it. It may propose all of them, and draw traffic"
        " to itself"
        " that is meant for others. Not told of licensees who delegate further.",
        'Licensees: "DN:/CN=gw"\nConditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" -> "true";',
        "Test `remote_filter`, or `remote_filter_addr_lower` and `remote_filter_addr_upper`.",
        any_network,
    ),
)
