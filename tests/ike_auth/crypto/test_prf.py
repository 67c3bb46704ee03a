# SPDX-License-Identifier: ISC
import pytest

from ike_auth.crypto.prf import digest, digest_size, prf, supported
from ike_auth.errors import UnsupportedAlgorithm
from ike_auth.wire.numbers import HashAlgorithm

MD5, SHA1, SHA2_256, SHA2_384, SHA2_512 = (HashAlgorithm(number) for number in (1, 2, 4, 5, 6))
LONG_KEY, LONG_TEXT = b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First"


@pytest.mark.parametrize(
    ("algorithm", "key", "data", "expected"),
    [
        # RFC 2202, first cases
        (MD5, b"\x0b" * 16, b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
        (SHA1, b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        # RFC 4231, cases 1 and 6; the blocks of SHA-384 and SHA-512 are 128 bytes, which not every daemon knew
        (SHA2_256, b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            SHA2_384,
            b"\x0b" * 20,
            b"Hi There",
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        ),
        (
            SHA2_512,
            b"\x0b" * 20,
            b"Hi There",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (
            SHA2_512,
            LONG_KEY,
            LONG_TEXT,
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
            "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        ),
    ],
)
def test_published_vectors(algorithm: HashAlgorithm, key: bytes, data: bytes, expected: str) -> None:
    assert prf(algorithm, key, data).hex() == expected
    assert digest_size(algorithm) == len(expected) // 2


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (MD5, "900150983cd24fb0d6963f7d28e17f72"),
        (SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (SHA2_256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_digests(algorithm: HashAlgorithm, expected: str) -> None:
    assert digest(algorithm, b"abc").hex() == expected


def test_all_work_here() -> None:
    assert supported() == {MD5, SHA1, SHA2_256, SHA2_384, SHA2_512}


def test_a_library_without_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_md5(key: bytes, data: bytes, name: str) -> bytes:
        if name == "md5":
            raise ValueError("unsupported hash type md5")
        return b""

    monkeypatch.setattr("ike_auth.crypto.prf.hmac.digest", without_md5)
    assert supported() == {SHA1, SHA2_256, SHA2_384, SHA2_512}


@pytest.mark.parametrize("algorithm", [HashAlgorithm.TIGER, HashAlgorithm(99)])
def test_hashes_that_we_do_not_have(algorithm: HashAlgorithm) -> None:
    for use in (lambda: prf(algorithm, b"", b""), lambda: digest(algorithm, b""), lambda: digest_size(algorithm)):
        with pytest.raises(UnsupportedAlgorithm, match=f"hash algorithm {algorithm}"):
            use()
