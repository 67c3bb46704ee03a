# SPDX-License-Identifier: ISC
"""Policies in few words, what is asked of them, and what is told."""

import keynote
from keynote import Decision, parse_policy


def ask(text: str, requesters: str, **action: str) -> Decision:
    session = keynote.Session(parse_policy(text, name="p"))
    return session.query(action, requesters.split(), ("low", "mid", "high"))


def told(decision: Decision) -> list[str]:
    return [f"{reason.away}: {reason}".removeprefix(": ") for reason in decision.reasons]


def policy(*assertions: str) -> str:
    """Each as `authorizer > licensees > conditions`, and each of four lines."""
    text = ""
    for assertion in assertions:
        authorizer, licensees, conditions = assertion.split(" > ", 2)
        text += f'Authorizer: "{authorizer}"\nLicensees: {licensees}\nConditions: {conditions}\n\n'
    return text
