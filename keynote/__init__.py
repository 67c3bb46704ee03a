# SPDX-License-Identifier: ISC
"""KeyNote trust management (RFC 2704): who may do what, on whose authority, and why.

    policy = keynote.load_policy("policy.kn")
    session = keynote.Session(policy)
    decision = session.query({"app_domain": "IPsec policy"}, ["DN:/O=Example/CN=gw"])
    decision.allowed, decision.because

Text is Latin-1 throughout: a str has one character for each byte.
"""

from keynote.assertions import Assertion, Field, trusted
from keynote.environment import Unknown
from keynote.errors import KeynoteError, PolicyError, Problem, QueryError, SignatureError, Unsupported
from keynote.explanation import Decision
from keynote.files import SetAside, load_policy, parse_assertion, parse_credentials, parse_policy
from keynote.limits import Limits
from keynote.locations import Location
from keynote.principals import UndecodableKey, key_principal
from keynote.private_keys import UnusablePrivateKey, load_private_key
from keynote.session import Session, query
from keynote.signing import sign, signed

__all__ = [
    # assertions
    "Assertion",
    "Field",
    "Location",
    "SetAside",
    "load_policy",
    "parse_assertion",
    "parse_credentials",
    "parse_policy",
    "trusted",
    # queries
    "Decision",
    "Limits",
    "Session",
    "Unknown",
    "query",
    # keys and signatures
    "key_principal",
    "load_private_key",
    "sign",
    "signed",
    # errors
    "KeynoteError",
    "PolicyError",
    "Problem",
    "QueryError",
    "SignatureError",
    "UndecodableKey",
    "Unsupported",
    "UnusablePrivateKey",
]
