# SPDX-License-Identifier: ISC
"""Signing, private keys as texts, and keynote(1)'s layout."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

import keynote
from keynote import keys, literals, private_keys, signatures, signing
from keynote.errors import SignatureError
from keynote.private_keys import KINDS, UnusablePrivateKey, load_private_key, private_text
from keynote.signing import laid_out
from tests.keynote.key_pairs import BITS, key, pem, principal

BODY = f'Authorizer: "{principal("ed25519")}"\nLicensees: "K"\n'


def verifies(text: str) -> bool:
    try:
        signatures.verify(keynote.parse_assertion(text, name="c.kn"))
    except SignatureError:
        return False
    return True


# --- signing


@pytest.mark.parametrize("before", ["", "\n\n", "# of the author\n", "KeyNote-Version: 2\n"])
@pytest.mark.parametrize("end", ["", "Signature:\n", 'Signature: "sig-rsa-sha1-hex:00"\n', "signature:\n\n\n"])
def test_the_signature_goes_behind_the_assertion(before: str, end: str) -> None:
    text = keynote.signed(before + BODY + end, key("ed25519"))
    assert verifies(text)
    assert text.startswith(f'{before}{BODY}Signature: "sig-ed25519-base64:')
    assert text.count("ignature:") == 1
    made = keynote.sign(before + BODY + end, key("ed25519"))
    assert literals.decode(text[text.index('"sig') :].strip()) == made  # Ed25519 signatures are always the same


def test_a_last_line_without_its_end_gets_one() -> None:
    assert keynote.signed(BODY[:-1], key("ed25519")) == keynote.signed(BODY.encode(), key("ed25519"))


def test_what_follows_the_old_signature_stays() -> None:
    text = BODY + 'Signature: "sig-ed25519-hex:00\\\n   11"\n  # with it\nnot signed\n\nnor this\n'
    again = keynote.signed(text, key("ed25519"))
    assert again.endswith('"\nnot signed\n\nnor this\n')
    assert "with it" not in again
    assert verifies(again)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in signing._BY_KEY.items()])
def test_there_is_an_algorithm_for_each_key(kind: str, name: str) -> None:
    text = f'Authorizer: "{principal(kind)}"\n'
    assert keynote.sign(text, key(kind)).startswith(f"{name}-base64:")


@pytest.mark.parametrize(
    ("text", "algorithm", "message"),
    [
        (BODY, "sig-ed25519-hex", "`sig-ed25519-hex` is no signature algorithm"),
        (BODY, "sig-foo-hex:", "`sig-foo-hex:` is no signature algorithm"),
        (BODY, "sig-ed25519-octal:", "is no signature algorithm"),
        (BODY, "sig-rsa-sha1-hex:", "sig-rsa-sha1 is made with an RSA key, and this is an Ed25519 key"),
        (BODY.replace(principal("ed25519"), principal("rsa")), None, "the Authorizer is not the key that signs"),
        (BODY.replace(principal("ed25519"), principal("ed25519", number=1)), None, "not the key that signs"),
    ],
    ids=range(6),
)
def test_keys_that_cannot_sign(text: str, algorithm: str | None, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        keynote.sign(text, key("ed25519"), algorithm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.kn:1:1: no assertion"),
        ("# nothing\n\n\n", "c.kn:1:1: no assertion"),
        ("Licensees: x\n", "no Authorizer field"),
        ("# of the author\n\n" + BODY + "Conditions: a = b;\n", "c.kn:5:"),
        (BODY + BODY, "a second Authorizer field"),
        (BODY + "\n" + BODY, "c.kn:4:1: a second assertion"),
        (BODY + "Signature:\n\n" + BODY, "c.kn:5:1: a second assertion"),
        (BODY + "Signature:\n" + BODY, "c.kn:4:1: a field behind the signature, which would not cover it"),
        (BODY + "\nConditions: never == now;\n", "c.kn:4:1: cut in two by a blank line before this"),
        (BODY + "\n  && more\n", "c.kn:4:1: cut in two by a blank line before this"),
        (BODY + "\nConditions: never == now;\nSignature:\n", "c.kn:4:1: cut in two by a blank line before this"),
        (BODY + "Signature:\n\nConditions: never == now;\n", "c.kn:5:1: cut in two by a blank line before this"),
    ],
)
def test_what_is_not_one_assertion_in_one_piece_is_not_signed(text: str, message: str) -> None:
    """Or a restriction behind a blank line would vanish from what is signed."""
    for make in (keynote.sign, keynote.signed):
        with pytest.raises(keynote.PolicyError) as raised:
            make(text, key("ed25519"), name="c.kn")
        assert message in str(raised.value)


@pytest.mark.parametrize("behind", ["\n# comment\n", "\n\n  # comment\n\n# and more\n"])
def test_comments_may_stand_alone_before_and_behind_it(behind: str) -> None:
    before = "# a credential\n#\n\n# of theirs\n\n"
    text = keynote.signed(before + BODY + behind, key("ed25519"))
    assert text.startswith(before + BODY + "Signature: ")
    assert text.endswith('"\n' + behind)
    (assertion,), refused = keynote.parse_credentials(text, name="c.kn")
    signatures.verify(assertion)
    assert refused == ()
    assert keynote.signed(text, key("ed25519")) == text


def test_lines_that_go_on_are_indented() -> None:
    with pytest.raises(ValueError, match="indented"):
        keynote.signed(BODY, key("ed25519"), offset=0)


# --- private keys


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("kind", BITS)
def test_private_keys_as_texts(kind: str, encoding: str) -> None:
    text = private_text(key(kind), encoding)
    assert text.startswith(f"private-{kind}-{encoding}:")
    for spelling in (text, text.replace(":", ": \n ") if encoding == "base64" else text.upper(), pem(kind)):
        public = load_private_key(spelling).public_key()
        assert keys.text(public) == principal(kind)


@pytest.mark.parametrize("kind", ["rsa", "dsa", "ec"])
def test_old_pem_files(kind: str) -> None:
    assert keys.text(load_private_key(pem(kind, traditional=True)).public_key()) == principal(kind)


def test_what_is_no_private_key() -> None:
    other = ed448.Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret = private_text(key("rsa"), "hex")
    for text in ("", "rsa-hex:00", "private-rsa-hex:zz", secret[:-2], "-----BEGIN PRIVATE KEY-----", other.decode()):
        with pytest.raises(UnusablePrivateKey) as caught:
            load_private_key(text)
        assert "3082" not in "".join(
            map(str, (caught.value, caught.value.__cause__, caught.value.__context__ and ""))
        )


@given(st.text(), st.sampled_from(["rsa", "dsa", "ec", "ed25519", "x509", ""]), st.sampled_from(["hex", "base64"]))
def test_any_text_is_a_private_key_or_none(bits: str, kind: str, encoding: str) -> None:
    for text in (bits, f"private-{kind}-{encoding}:{bits}", f"-----BEGIN PRIVATE KEY-----\n{bits}"):
        with pytest.raises(UnusablePrivateKey):
            load_private_key(text)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_that_there_are_not(kind: str) -> None:
    with pytest.raises(UnusablePrivateKey, match=f"no {kind} key has 100 bits"):
        private_keys.generate(kind, 100)


def test_private_keys_are_hidden_in_messages() -> None:
    secret = private_text(key("ed25519"), "hex")
    session = keynote.Session(keynote.parse_policy(f'Authorizer: "POLICY"\nLicensees: "{secret}"\n', name="p"))
    assert session.query({}, ["K"]).because == "p:2: licenses `private-key:(hidden)`, not `K`"


# --- layout


@pytest.mark.parametrize(
    ("text", "offset", "length", "head", "lines"),
    [
        ("abc", 0, 50, 0, ['"abc"']),
        ("abcdefgh", 2, 6, 0, ['  "abcd\\', '  efgh"']),
        ("abcdefghi", 2, 6, 0, ['  "abcd\\', '  efghi"']),
        ("abcdefghij", 2, 6, 0, ['  "abcd\\', "  efghi\\", '  j"']),
        ("x:abcdefgh", 0, 4, 2, ['"x:\\', "abc\\", "def\\", 'gh"']),
        ("x:abcdefgh", 0, 3, 2, ['"x:abcdefgh"']),
        ("abc", 1, 2, 0, [' "\\', " a\\", " b\\", ' c"']),
        ("abc", 0, 1, 0, ['"abc"']),
    ],
)
def test_layout(text: str, offset: int, length: int, head: int, lines: list[str]) -> None:
    assert laid_out(text, offset, length, head=head).split("\n") == lines


@given(st.text("abc:-="), st.integers(0, 20), st.integers(1, 80), st.integers(0, 10))
def test_any_layout_is_a_literal_with_the_text_as_its_value(text: str, offset: int, length: int, head: int) -> None:
    printed = laid_out(text, offset, length, head=min(head, len(text)))
    assert literals.decode(printed.strip()) == text
    lines = printed.split("\n")
    assert all(line.startswith(" " * offset) for line in lines)
    assert all(len(line) == offset + length for line in lines[:-1])
    assert len(lines) == 1 or len(lines[-1]) <= offset + length + 1


def test_the_key_is_none() -> None:
    for make in (keynote.sign, keynote.signed):
        with pytest.raises(TypeError, match="the key is a private one"):
            make('Authorizer: "K"\n', "private")  # type: ignore[arg-type]


def test_a_private_key_is_read_as_keygen_writes_it() -> None:
    text = private_text(key("ed25519"), "hex")
    principal_of = [
        keynote.key_principal(load_private_key(form).public_key())
        for form in (text, f"{text}\n", laid_out(text), f"# mine\n{laid_out(text)}\n\n# end")
    ]
    assert principal_of == [principal("ed25519")] * 4
    with pytest.raises(UnusablePrivateKey, match="not a private key"):
        load_private_key(f'"{text}" "{text}"')
    with pytest.raises(TypeError, match="a private key is text"):
        load_private_key(b"")  # type: ignore[arg-type]
