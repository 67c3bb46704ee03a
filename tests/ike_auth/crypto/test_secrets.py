# SPDX-License-Identifier: ISC
import copy
import pickle

import pytest

from ike_auth.crypto.secrets import Secret

VALUE = b"mekmitasdigoat"
SECRET = Secret(VALUE)


def test_reveal_is_the_way_to_the_bytes() -> None:
    assert SECRET.reveal() == VALUE
    assert (len(SECRET), bool(SECRET), bool(Secret(b""))) == (14, True, False)


TEXTS = [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET:>40}", f"{[SECRET]}", "%s" % SECRET]  # noqa: UP031


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_form_shows_it(text: str) -> None:
    assert "Secret(14 bytes)" in text
    assert "mekmitas" not in text
    assert VALUE.hex() not in text


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(SECRET, protocol)


def test_it_is_not_copied_either() -> None:
    with pytest.raises(TypeError):
        copy.copy(SECRET)


def test_it_has_no_attributes_that_show_it() -> None:
    with pytest.raises(TypeError):
        vars(SECRET)
    with pytest.raises(TypeError):
        bytes(SECRET)  # type: ignore[call-overload]


def test_comparison() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != Secret(b"aa")
    assert Secret(b"a") != b"a"
    assert hash(Secret(b"a")) == hash(Secret(b"a"))


def test_fingerprint() -> None:
    assert Secret(b"a").fingerprint() == Secret(b"a").fingerprint() != Secret(b"b").fingerprint()
    assert len(SECRET.fingerprint()) == 16
    assert VALUE.hex() not in SECRET.fingerprint()
