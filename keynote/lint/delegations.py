# SPDX-License-Identifier: ISC
"""Checks of who delegates to whom."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.graph import by_authorizer, can_request, cycles, for_ipsec
from keynote.lint.principals import is_misspelt
from keynote.lint.spelling import Speller
from keynote.lint.subjects import Policy
from keynote.nearest import nearest
from keynote.principals import POLICY, shown_principal
from keynote.redaction import meant
from keynote.schemas import names
from keynote.syntax import Name, Nobody, Threshold, walk


def issues_nothing(policy: Policy) -> Iterator[Draft]:
    issuers, concerned, speller = by_authorizer(policy), for_ipsec(policy), Speller()
    for subject in policy.subjects:
        for node, name in subject.names.items():
            if name is None or name == POLICY or can_request(name) or name in issuers or is_misspelt(name):
                continue
            if subject in concerned or _is_bare_name(name) or meant(name):
                message = (
                    f"`{shown_principal(name)}` is no key, no `DN:` and no passphrase, so it never requests anything,"
                    " and no assertion delegates for it"
                )
                close = "" if meant(name) else speller.meant(name, issuers)
                hint = f"did you mean `{shown_principal(close)}`?" if close else _principal_hint(name)
                yield subject.in_licensees(node, message, hint)


def _is_bare_name(name: str) -> bool:
    return name.startswith("/") and not names.mistake(name)


def _principal_hint(name: str) -> str:
    if prefix := meant(name):
        return f"did you mean `{prefix}`?"
    if name.startswith("/"):
        return "a distinguished name is written `DN:/…`"
    return "the daemon's principals are `DN:/…`, `rsa-hex:…` and `passphrase:…`"


def no_constant(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        constants = subject.assertion.constants
        for field in (subject.assertion.authorizer, subject.assertion.licensees):
            for node in walk(field.tree) if field is not None else ():
                if isinstance(node, Name) and not node.name.startswith("_") and node.name not in constants:
                    close = nearest(node.name, constants)
                    hint = f"did you mean `{close}`?" if close else f'a principal is written `"{node.name}"`'
                    message = f"`{node.name}` is no constant, so the principal is an attribute's value"
                    yield subject.at(field, node, message, hint)  # type: ignore[arg-type]


def dangling(policy: Policy) -> Iterator[Draft]:
    if not any(subject.is_policy for subject in policy.subjects):
        return  # credentials alone, whose policy is elsewhere
    if any(None in subject.names.values() for subject in policy.subjects):
        return  # who is licensed depends on the action
    licensed = {name for subject in policy.subjects for name in subject.names.values() if name is not None}
    speller = Speller()
    for subject in policy.subjects:
        authorizer = subject.authorizer
        if authorizer is None or authorizer == POLICY or authorizer in licensed:
            continue
        if _nearly_policy(authorizer):
            continue
        close = speller.meant(authorizer, licensed, 0.9)
        hint = f"did you mean `{shown_principal(close)}`?" if close else ""
        message = f"no assertion licenses `{shown_principal(authorizer)}`, so this one counts for nothing"
        yield subject.as_a_whole(message, hint)


def misspelt_policy(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        if subject.authorizer is not None and _nearly_policy(subject.authorizer):
            message = f"`{shown_principal(subject.authorizer)}` is a principal like others, and not `POLICY`"
            yield subject.as_a_whole(message, "write `POLICY`, in capitals")


def _nearly_policy(authorizer: str) -> bool:
    return authorizer != POLICY and authorizer.strip().upper() == POLICY


def cycle(policy: Policy) -> Iterator[Draft]:
    for way in cycles(policy):
        names = [f"`{shown_principal(subject.authorizer or '')}`" for subject in way]
        shown = [*names[:6], "…"] if len(names) > 7 else names
        message = f"authority goes in a circle: {' → '.join([*shown, names[0]])}"
        yield way[0].as_a_whole(message, "it gives nobody anything; the last delegation may be meant for another")


def believed_by_nobody(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        if not subject.trusted and subject.assertion.signature is None:
            message = "a credential without a signature, which is set aside"
            if subject.authorizer == POLICY:
                message = "a credential of `POLICY`, which nobody can sign, and which is set aside"
                yield subject.as_a_whole(message, "what POLICY says is given as policy, not as a credential")
            else:
                yield subject.as_a_whole(message, "sign it: `keynote sign`")


def wrong_signature(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        field = subject.assertion.signature
        if field is not None and subject.refused is not None:
            yield subject.at(field, field.tree, f"{subject.refused}: the assertion is set aside", "sign it anew")


def anybody(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        if subject.assertion.licensees is None and any(True for _ in subject.leaves):
            yield subject.as_a_whole("no Licensees field: this licenses anybody", "name whom you mean in Licensees")
        elif subject.assertion.licensees is None and subject.assertion.conditions is None:
            yield subject.as_a_whole("neither Licensees nor Conditions: this licenses anybody for anything")


def nobody(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        field = subject.assertion.licensees
        if field is not None and isinstance(field.tree, Nobody):
            hint = "anybody is written by leaving the field out"
            yield Draft(subject, field.start, "Licensees without a principal license nobody", hint)


def counted_twice(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        field = subject.assertion.licensees
        for node in walk(field.tree) if field is not None else ():
            if not isinstance(node, Threshold):
                continue
            times = Counter(subject.names[member] for member in node.principals)
            for member in node.principals:
                name = subject.names[member]
                if name is not None and times.pop(name, 0) > 1:
                    message = f"`{shown_principal(name)}` is in this list more than once, and counts as often"
                    yield subject.in_licensees(member, message, f"{node.k}-of means {node.k} different principals")


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

CHECKS: Final = (
    Check(
        "KN301",
        _WARNING,
        "licensee that can do nothing",
        "The daemon's principals are keys, `DN:` names and passphrases. Any other name can only pass on"
        " authority, by an"
        " assertion of which it is the authorizer, and there is none. Most often the name is misspelt.",
        'Licensees: "/O=Example/CN=Gateway CA"\nConditions: app_domain == "IPsec policy" -> "true";',
        "Write it as the daemon does, or add the assertion that it is to issue.",
        issues_nothing,
    ),
    Check(
        "KN302",
        _WARNING,
        "principal that is an attribute",
        "A name that is no local constant is an attribute of the action, here as in Conditions: whoever chooses the"
        " attribute's value chooses the principal. If nobody sets it, nobody is licensed.",
        'Local-Constants: STAFF_CA = "DN:/O=Example/CN=Staff CA"\nLicensees: STAF_CA',
        "Name the constant as it is defined in the same assertion, or put quotes around a principal.",
        no_constant,
    ),
    Check(
        "KN303",
        _WARNING,
        "delegation by nobody",
        "Authority comes down from POLICY. An assertion whose authorizer no assertion licenses has nothing to"
        " pass on."
        " Told only where an assertion of POLICY is looked at too.",
        'Authorizer: "POLICY"\nLicensees: "DN:/CN=Gateway CA"\n\nAuthorizer: "DN:/CN=Gatway CA"\nLicensees:'
        ' "DN:/CN=gw"',
        "License the authorizer, or correct its name.",
        dangling,
    ),
    Check(
        "KN304",
        _WARNING,
        "circular delegation",
        "Around a circle authority comes back to somebody who has it already. That is allowed, gives nobody"
        " anything, and"
        " is seldom meant.",
        'Authorizer: "DN:/CN=a"\nLicensees: "DN:/CN=b"\n\nAuthorizer: "DN:/CN=b"\nLicensees: "DN:/CN=a"',
        "Take the delegation away that leads back up.",
        cycle,
    ),
    Check(
        "KN305",
        _ERROR,
        "credential that is not signed",
        "A credential is believed for its signature alone (RFC 2704 4.6.7). Without one it is set aside,"
        " whatever is in it.",
        'Authorizer: "ed25519-base64:…"\nLicensees: "DN:/CN=gw"',
        "Sign it with the authorizer's key: `keynote sign`. What you trust for where it comes from is given as"
        " policy.",
        believed_by_nobody,
    ),
    Check(
        "KN306",
        _ERROR,
        "signature that does not verify",
        "The text was changed after it was signed, or another key signed it, or the algorithm is one that is no"
        " longer"
        " believed. The assertion is set aside, also from a policy.",
        'Authorizer: "ed25519-base64:…"\nLicensees: "DN:/CN=gw"\nSignature: "sig-ed25519-base64:AAAA"',
        "Sign it anew; `keynote fmt --resign` does that after a change of layout. `--legacy-signatures` believes"
        " MD5 and"
        " SHA-1.",
        wrong_signature,
    ),
    Check(
        "KN307",
        _WARNING,
        "anybody is licensed",
        "Licensees that are left out are not nobody, they are everybody: whoever asks, with whatever key.",
        'Authorizer: "POLICY"\nConditions: app_domain == "IPsec policy" -> "true";',
        "Name the principals: your authority's `DN:`, a key, a passphrase.",
        anybody,
    ),
    Check(
        "KN308",
        _WARNING,
        "nobody is licensed",
        "Licensees that are there and empty license nobody. It is easy to take them for Licensees that are left out.",
        'Authorizer: "POLICY"\nLicensees:',
        "Take the assertion away, or name somebody.",
        nobody,
    ),
    Check(
        "KN309",
        _WARNING,
        "principal that counts twice",
        "In `k-of` each entry of the list counts. A principal that is in it twice has two votes, also if it is"
        " written in"
        " two ways.",
        'Licensees: 2-of("DN:/CN=a", "DN:/CN=a", "DN:/CN=b")',
        "Name each once.",
        counted_twice,
    ),
    Check(
        "KN310",
        _ERROR,
        "authorizer that is nearly POLICY",
        "Only `POLICY`, in capitals, is the root of all authority. `Policy` is somebody of that name, whom"
        " nobody licenses.",
        'Authorizer: "Policy"\nLicensees: "DN:/CN=gw"',
        "Write `POLICY`.",
        misspelt_policy,
    ),
)
