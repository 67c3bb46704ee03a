# SPDX-License-Identifier: ISC
"""What peers fetch over HTTP: revocation lists, certificates of authorities, OCSP answers. Needs the extra `web`."""
