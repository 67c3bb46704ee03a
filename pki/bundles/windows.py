# SPDX-License-Identifier: ISC
"""A PowerShell script for Windows that imports the identity and sets up a connection, and the files that it imports.

Machine certificates live in the store of the machine, so it is run by an administrator. Windows then calls itself by
the subject of the certificate (ID_DER_ASN1_DN), and looks for the server's name, as it was typed, among the
subjectAltNames of the server's certificate.
"""

import re

from pki.bundles import pkcs12, texts
from pki.bundles.files import PUBLIC, SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Request

# PowerShell takes typographic quotes for what they look like (about_Quoting_Rules).
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")

_SCRIPT = """\
#Requires -RunAsAdministrator
# Imports the key of {identity_comment} and the certificates of its authority, and adds the connection.
$ErrorActionPreference = 'Stop'
$name = {title}
$server = {server}

if (Get-VpnConnection -AllUserConnection -Name $name -ErrorAction SilentlyContinue) {{
    throw "there is a connection $name already"
}}

$password = Read-Host -AsSecureString -Prompt {prompt}
$file = Join-Path $PSScriptRoot {p12}
Import-PfxCertificate -FilePath $file -CertStoreLocation Cert:\\LocalMachine\\My -Password $password | Out-Null
{authorities}

Add-VpnConnection -AllUserConnection -Name $name -ServerAddress $server -TunnelType Ikev2 `
    -AuthenticationMethod MachineCertificate -EncryptionLevel Required{split}
Set-VpnConnectionIPsecConfiguration -AllUserConnection -ConnectionName $name `
    -EncryptionMethod AES256 -IntegrityCheckMethod SHA256 -DHGroup Group14 `
    -CipherTransformConstants AES256 -AuthenticationTransformConstants SHA256128 -PfsGroup PFS2048 -Force
{routes}"""


def make(handover: Handover, request: Request) -> Bundle:
    """Script, PKCS#12, and certificates of authorities."""
    stem = texts.stem(handover.identity)
    stores = [("Root", it) for it in handover.anchors] + [("CA", it) for it in handover.intermediates]
    certificates = [
        (store, File(f"{name}.crt", texts.pem(certificate).encode(), PUBLIC))
        for (store, _), (name, certificate) in zip(
            stores, texts.authority_stems(certificate for _, certificate in stores), strict=True
        )
    ]
    script = _SCRIPT.format(
        identity_comment=handover.identity.value,
        title=quoted(request.shown_title),
        server=quoted(request.host),
        prompt=quoted(f"Password of {stem}.p12"),
        p12=quoted(f"{stem}.p12"),
        authorities="\n".join(_import(store, file.path) for store, file in certificates),
        split=" -SplitTunneling" if request.networks else "",
        routes="".join(
            f"Add-VpnConnectionRoute -AllUserConnection -ConnectionName $name -DestinationPrefix {quoted(str(it))}\n"
            for it in request.networks
        ),
    )
    # Windows PowerShell 5.1 takes a script without a byte order mark to be in the system's code page.
    text = script.replace("\n", "\r\n").encode("utf-8-sig")
    files = (File(f"{stem}.ps1", text), File(f"{stem}.p12", pkcs12.sealed(handover, request), SECRET))
    return Bundle((*files, *(file for _, file in certificates)))


def quoted(text: str) -> str:
    """A literal string of PowerShell: in single quotes nothing has a meaning but these, which are doubled."""
    return "'" + _QUOTES.sub(lambda match: match[0] * 2, text) + "'"


def _import(store: str, path: str) -> str:
    return (
        f"Import-Certificate -FilePath (Join-Path $PSScriptRoot {quoted(path)}) "
        f"-CertStoreLocation Cert:\\LocalMachine\\{store} | Out-Null"
    )
