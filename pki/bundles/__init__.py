# SPDX-License-Identifier: ISC
"""What a peer is handed, in the form that its software reads: one module a format, `formats` is their list.

A bundle is a value; `files.write` puts it on disk, whole or not at all.
"""
