# SPDX-License-Identifier: ISC
"""Transform attributes as mappings, for comparing what two ends say (RFC 2408 3.3, RFC 2407 4.5)."""

from collections.abc import Mapping
from functools import lru_cache

from ike_auth.errors import BadProposalSyntax
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.proposals import Transform

KEPT_OFFERS = 256  # in their form on the wire; peers that are configured alike share one


@lru_cache(2 * KEPT_OFFERS)
def attribute_map(attributes: tuple[Attribute, ...], life: tuple[int, int]) -> Mapping[int, int]:
    """Class to value, without the lifetimes, whose classes `life` names: they come in pairs and may repeat.

    Raises BadProposalSyntax for a class that stands twice, MalformedMessage for a value that is no number.
    """
    found: dict[int, int] = {}
    for attribute in attributes:
        number = attribute.as_int  # of lifetimes too: what is remembered here has no long values
        if attribute.type in life:
            continue
        if attribute.type in found:
            raise BadProposalSyntax(f"attribute {attribute.type} stands twice in one transform")
        found[attribute.type] = number
    return found


@lru_cache(2 * KEPT_OFFERS)
def lifetimes(attributes: tuple[Attribute, ...], life: tuple[int, int]) -> Mapping[int, int]:
    """Life type to duration: each duration belongs to the type before it. Raises BadProposalSyntax."""
    type_class, duration_class = life
    found: dict[int, int] = {}
    kind: int | None = None
    for attribute in attributes:
        if attribute.type == type_class:
            kind = attribute.as_int
        elif attribute.type == duration_class:
            if kind is None or kind in found:
                raise BadProposalSyntax("a life duration without a life type of its own before it")
            found[kind], kind = attribute.as_int, None
    return found


def same_transform(one: Transform, other: Transform, life: tuple[int, int]) -> bool:
    """Attribute for attribute, lifetimes too; most peers send back what they got, some in another order or form.

    Raises BadProposalSyntax, MalformedMessage.
    """
    if one.id != other.id:
        return False
    if one.attributes == other.attributes:
        return True
    return all(read(one.attributes, life) == read(other.attributes, life) for read in (attribute_map, lifetimes))
