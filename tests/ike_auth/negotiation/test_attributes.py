# SPDX-License-Identifier: ISC
import pytest

from ike_auth.errors import BadProposalSyntax, MalformedMessage
from ike_auth.negotiation.attributes import attribute_map, lifetimes
from ike_auth.negotiation.refusals import listed
from ike_auth.wire.attributes import Attribute

LIFE = (1, 2)


def attributes(*pairs: tuple[int, int | bytes]) -> tuple[Attribute, ...]:
    return tuple(Attribute(type, value) for type, value in pairs)


def test_class_to_value_in_either_form_and_without_lifetimes() -> None:
    given = attributes((3, 7), (1, 1), (2, 3600), (4, b"\1\0\0"))
    assert attribute_map(given, LIFE) == {3: 7, 4: 65536}


def test_a_class_stands_once() -> None:
    with pytest.raises(BadProposalSyntax, match="attribute 3 stands twice"):
        attribute_map(attributes((3, 7), (3, 7)), LIFE)


def test_a_value_that_is_no_number() -> None:
    with pytest.raises(MalformedMessage):
        attribute_map(attributes((3, bytes(9))), LIFE)
    with pytest.raises(MalformedMessage):
        attribute_map(attributes((1, 1), (2, bytes(9))), LIFE)


def test_each_duration_belongs_to_the_type_before_it() -> None:
    assert lifetimes(attributes((1, 1), (2, 3600), (9, 9), (1, 2), (2, b"\0\1\0\0")), LIFE) == {1: 3600, 2: 65536}
    assert lifetimes(attributes((1, 1)), LIFE) == {}, "a type without a duration says nothing"


@pytest.mark.parametrize("pairs", [[(2, 60)], [(1, 1), (2, 60), (2, 60)], [(1, 1), (2, 60), (1, 1), (2, 61)]])
def test_a_duration_without_a_type_of_its_own(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(BadProposalSyntax, match="without a life type of its own"):
        lifetimes(attributes(*pairs), LIFE)


def test_a_few_reasons_and_how_many_more() -> None:
    assert listed(["a", "b"]) == "a; b"
    assert listed([str(number) for number in range(10)]) == "0; 1; 2; 3; 4; 5; 6; 7; and 2 more"
