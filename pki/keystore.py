# SPDX-License-Identifier: ISC
"""Files that must not be lost, leaked or overwritten: private keys.

A file gets its name when it is whole and on the disk, and never the name of another: it is written under a temporary
name, synced, then linked (link(2) fails where the name is taken, rename(2) would replace it). Between these steps a
crash leaves a temporary file that the registry knows of (`issuance`).
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pki import keys, whole_files
from pki.errors import KeyMissing, KeystoreError
from pki.keys import PrivateKey

# Of what `pem` writes.
_FIRST_LINES = (b"-----BEGIN PRIVATE KEY-----\n", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")

Passphrase: TypeAlias = Callable[[Path], bytes]  # asked for the key in this file; empty: there is none


def pem(key: PrivateKey, *, traditional: bool = False, passphrase: bytes | None = None) -> bytes:
    """The key as PEM: PKCS#8, or the older PKCS#1 form that every isakmpd reads, which is never encrypted."""
    if traditional and not isinstance(key, rsa.RSAPrivateKey):
        raise KeystoreError(f"a key of kind {keys.kind(key)} has no older form", "isakmpd wants an RSA key")
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return key.private_bytes(
        Encoding.PEM, form, BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    )


def load(path: Path, passphrase: Passphrase | None = None) -> PrivateKey:
    """A key from its file; `passphrase` is asked for only where the key is encrypted. Raises KeystoreError, also
    where others than the owner may read the file and for a wrong passphrase."""
    return unlock(path, passphrase)[0]


def unlock(path: Path, passphrase: Passphrase | None = None) -> tuple[PrivateKey, bytes | None]:
    """The same, and the passphrase that its file is encrypted with, if it is. Raises KeystoreError."""
    return _key(path, read(path), passphrase)


def read(path: Path) -> bytes:
    """The content of a private key's file. Raises KeystoreError, also where others than the owner may read it, and
    KeyMissing."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeystoreError(f"private key `{path}` can be read by others", f"chmod 600 {path}")
            return whole_files.bounded(file, f"private key `{path}`")
    except OSError as error:
        kind = KeyMissing if isinstance(error, FileNotFoundError) else KeystoreError
        raise kind(f"private key `{path}` cannot be read: {error.strerror}") from error


def _key(path: Path, data: bytes, passphrase: Passphrase | None) -> tuple[PrivateKey, bytes | None]:
    given: bytes | None = None
    try:
        try:
            key = load_pem_private_key(data, password=None)
        except TypeError:
            given = passphrase(path) if passphrase else b""
            if not given:
                raise KeystoreError(
                    f"private key `{path}` is encrypted", "give its passphrase: --passphrase-file FILE"
                ) from None
            key = load_pem_private_key(data, given)
    except ValueError as error:
        if given:
            raise KeystoreError(f"this is not the passphrase of private key `{path}`") from None
        raise KeystoreError(f"`{path}` does not hold a private key in PEM") from error
    if not isinstance(key, keys.PRIVATE_KEYS):
        raise KeystoreError(f"`{path}` holds a kind of key that is not used here", f"one of {', '.join(keys.KINDS)}")
    return key, given


def make_directory(path: Path, mode: int) -> None:
    """A directory with exactly this mode, and its name on the disk; fine if it is there. Raises KeystoreError."""
    try:
        path.mkdir(mode=mode)
        path.chmod(mode)  # whatever the umask
        sync_directory(path.parent)
    except FileExistsError:
        if not path.is_dir():
            raise KeystoreError(f"`{path}` is not a directory") from None
    except OSError as error:
        raise KeystoreError(f"directory `{path}` cannot be made: {error.strerror}") from error


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A new file, whole and on the disk when this returns; what was written of it is removed where it fails.

    Raises KeystoreError, also where the name is taken."""
    write_all(((path, data),), mode)


def write_all(files: Iterable[tuple[Path, bytes]], mode: int = 0o600) -> None:
    """The same for several, whose directories are synced once: all of them or none."""
    written: list[Path] = []
    try:
        for path, data in files:
            _write(path, data, mode)
            written.append(path)
        for folder in _folders(written):
            try:
                sync_directory(folder)
            except OSError as error:
                raise KeystoreError(f"`{folder}` cannot be written: {error.strerror}") from error
    except KeystoreError:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise KeystoreError(f"`{path}` exists and is not overwritten") from None
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be written: {error.strerror}") from error
    try:
        try:
            os.fchmod(descriptor, mode)  # whatever the umask
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise KeystoreError(f"`{path}` cannot be written: {error.strerror}") from error


def replace(path: Path, data: bytes, mode: int) -> None:
    """A file in the place of the one of that name, or a new one: at any time the old or the new is there whole. A
    file that was there keeps its mode. Raises KeystoreError."""
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            raise KeystoreError(f"`{path}` is not a file, so it is not overwritten")
        kept = stat.S_IMODE(target.stat().st_mode) if target.exists() else mode
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be written: {error.strerror}") from error
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        write(temporary, data, kept)
    except KeystoreError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else str(error)
        raise KeystoreError(f"`{path}` cannot be written: {reason}") from error
    try:
        temporary.replace(target)
        sync_directory(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise KeystoreError(f"`{path}` cannot be written: {error.strerror}") from error


def give_name(temporary: Path, path: Path) -> None:
    """Move a file to a name that nothing has yet; done again it changes nothing. Raises KeystoreError."""
    give_names(((temporary, path),))


def give_names(moves: Iterable[tuple[Path, Path]]) -> None:
    """The same for several, whose directories are synced once. Raises KeystoreError; then some may have their names,
    and it can be done again."""
    linked = [move for move in moves if _link(*move)]
    if not linked:
        return
    move = linked[0]
    try:
        for folder in _folders(path for _, path in linked):
            sync_directory(folder)
        for move in linked:
            os.unlink(move[0])
        for folder in _folders(temporary for temporary, _ in linked):
            sync_directory(folder)
    except OSError as error:
        raise _not_moved(*move, error) from error


def _link(temporary: Path, path: Path) -> bool:
    """Give a file a second name; False where it has that alone already. Raises KeystoreError."""
    try:
        if not temporary.exists() and path.exists():
            return False
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        if not path.samefile(temporary):
            raise KeystoreError(f"`{path}` exists and is not overwritten", f"the new key is in `{temporary}`")
    except OSError as error:
        raise _not_moved(temporary, path, error) from error
    return True


def _not_moved(temporary: Path, path: Path, error: OSError) -> KeystoreError:
    return KeystoreError(f"`{temporary}` cannot be moved to `{path}`: {error.strerror}")


def _folders(paths: Iterable[Path]) -> Iterable[Path]:
    return dict.fromkeys(path.parent for path in paths)


def reveal(hidden: Path, path: Path) -> None:
    """Rename a file of the same directory; where that does not get on the disk, it keeps its old name.

    Raises KeystoreError."""
    try:
        hidden.rename(path)
        try:
            sync_directory(path.parent)
        except OSError:
            path.rename(hidden)
            raise
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def work_beside(path: Path) -> Iterator[Path]:
    """A directory of nobody else's on the file system of `path`, for what is to get that name. It is gone when this
    block has ended; who is killed leaves it, hidden. Raises KeystoreError."""
    try:
        work = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be written: {error.strerror}") from error
    try:
        yield Path(work)
    finally:
        try:
            shutil.rmtree(work)
        except OSError as error:
            raise KeystoreError(
                f"`{work}` cannot be removed: {error.strerror}", "remove it: it may hold private keys"
            ) from error


def may_be_key(path: Path) -> bool:
    """Whether a file is a private key in PEM, as far as it was written, or not there."""
    try:
        with path.open("rb") as file:
            begin = file.readline(max(map(len, _FIRST_LINES)))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return any(first.startswith(begin) for first in _FIRST_LINES)


def discard(path: Path) -> None:
    """Remove a file; fine if it is gone. Raises KeystoreError."""
    try:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be removed: {error.strerror}") from error


@contextlib.contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock that is this file. It falls with the process, however that ends.

    Raises KeystoreError where it cannot be had: at once, if told not to wait."""
    descriptor = _locked(path, wait)
    while not _is_file_of_that_name(descriptor, path):  # whoever held it has removed it
        os.close(descriptor)
        descriptor = _locked(path, wait)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path, wait: bool) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KeystoreError(f"lock `{path}` cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(descriptor)
        raise KeystoreError(f"lock `{path}` is held: {error.strerror}") from error
    return descriptor


def _is_file_of_that_name(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def sync_directory(path: Path) -> None:
    """The names in it are on the disk when this returns. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
