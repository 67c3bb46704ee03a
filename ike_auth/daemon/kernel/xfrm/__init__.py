# SPDX-License-Identifier: ISC
"""Linux's own IPsec: SAs and policies of XFRM, over netlink (docs/decisions/0711 to 0714).

netlink, structures, algorithms, states, policies, happenings   bytes ↔ values, no sockets
translation, selectors, table, marking                          our SAs and flows ↔ XFRM's, no sockets
conversation, sockets                                           system calls
backend                                                         `XfrmKernel`
"""
