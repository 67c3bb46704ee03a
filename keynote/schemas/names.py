# SPDX-License-Identifier: ISC
"""Distinguished names as the IKE daemon and the CA write them, in `DN:` principals and in `remote_id`.

`/TYPE=value` for each part, `+` between the attributes of one; every byte of a value that is not printable ASCII, and
backslash, slash and plus, as `\\xHH`. A string type is written where it is not the usual one: `/O:printable=Example`.
docs/decisions/0201-dn-text.md has the reasons.
"""

import re
from typing import Final

from keynote.redaction import quoted

_PRINTABLE: Final = ("serialNumber", "C", "dnQualifier", "jurisdictionC")
_IA5: Final = ("mail", "DC", "emailAddress")
_UTF8: Final = (
    *("CN", "SN", "L", "ST", "street", "O", "OU", "title", "description", "businessCategory", "postalAddress"),
    *("postalCode", "postOfficeBox", "physicalDeliveryOfficeName", "telephoneNumber", "name", "GN", "initials"),
    *("generationQualifier", "x500UniqueIdentifier", "houseIdentifier", "pseudonym", "role"),
    *("organizationIdentifier", "UID", "unstructuredName", "unstructuredAddress", "jurisdictionL", "jurisdictionST"),
)
#: The string type that is usual for each type of attribute.
TYPES: Final = {
    **dict.fromkeys(_UTF8, "utf8"),
    **dict.fromkeys(_PRINTABLE, "printable"),
    **dict.fromkeys(_IA5, "ia5"),
}
STRINGS: Final = ("utf8", "numeric", "printable", "t61", "ia5", "visible", "general", "universal", "bmp")

# What other programs call some of them, in lower case.
_OTHER_NAMES: Final = {
    "e": "emailAddress",
    "email": "emailAddress",
    "s": "ST",
    "sp": "ST",
    "givenname": "GN",
    "surname": "SN",
    "userid": "UID",
    "commonname": "CN",
    "countryname": "C",
    "organizationname": "O",
    "organizationalunitname": "OU",
    "localityname": "L",
    "stateorprovincename": "ST",
    "domaincomponent": "DC",
}
_BY_LOWER: Final = {**{name.lower(): name for name in TYPES}, **_OTHER_NAMES}

_ATTRIBUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9]*|[0-9]+(?:\.[0-9]+)+)(?::([a-z0-9]+))?=(.*)", re.DOTALL)
_DER: Final = re.compile(r"(?:[0-9a-f]{2})+")
_VALUE: Final = re.compile(r"(?:[ -*,-.0-\[\]-~]|\\x[0-9A-F]{2})*")
# What nobody needs to escape: printable ASCII but backslash, slash and plus.
_NEEDLESS: Final = re.compile(r"\\x(?!2B|2F|5C)(?:[2-6][0-9A-F]|7[0-9A-E])")
_PART: Final = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*([^,/+=\\\"]*?)[ \t]*")


def mistake(text: str) -> str:
    """What in a name, without the prefix `DN:`, is never written so; empty if it could be some certificate's. The
    words go on after the name: "has …"."""
    if not text.startswith("/"):
        return "does not begin with `/`" if text else "is empty"
    for part in text[1:].split("/"):
        for attribute in part.split("+"):
            if found := _mistake(attribute):
                return found
    return ""


def _mistake(attribute: str) -> str:
    match = _ATTRIBUTE.fullmatch(attribute)
    if match is None:
        return (
            f"has the part {quoted(attribute)}, which is no `TYPE=value`" if attribute else "has a part that is empty"
        )
    kind, strings, value = match.groups()
    if kind[0].isalpha() and kind not in TYPES:
        return f"has an attribute of the type `{kind}`, which the daemon writes otherwise, or as numbers"
    if strings == "der":
        return "" if _DER.fullmatch(value) else "has a value that is no hexadecimal DER"
    if strings is not None and strings not in STRINGS:
        return f"has a value of the string type `{strings}`, which there is not"
    if strings == TYPES.get(kind, "utf8"):
        return f"has `:{strings}`, which is usual for `{kind}` and never written"
    if not _VALUE.fullmatch(value):
        return r"has a character that is written as `\xHH`, which in a literal is `\\xHH`"
    return r"has a character as `\xHH` that is written as itself" if _NEEDLESS.search(value) else ""


def meant(text: str) -> str:
    """The name as it is written, for some of the ways in which other programs write it; empty for all others."""
    parts = text[1:].removesuffix("/").split("/") if text.startswith("/") else text.split(",")[::-1]
    found = ""
    for part in parts:
        match = _PART.fullmatch(part)
        kind = match and _BY_LOWER.get(match[1].lower())
        if match is None or kind is None:
            return ""
        found += f"/{kind}={match[2]}"
    return found if found != text and not mistake(found) else ""
