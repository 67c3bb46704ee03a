# SPDX-License-Identifier: ISC
"""The delegation graph: what delegates to whom, and for an action, who gets authority and where it stops.

`model` makes a graph of a session; `dot`, `mermaid` and `page` write it. Names come from policies, and so from
anywhere: each of the three escapes what its format reads as more than text.
"""
