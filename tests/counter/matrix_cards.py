"""Rows of the permission matrix for ``counter/cards``: any desk serves any holder; cashiers have no business here."""

from __future__ import annotations

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
counter:open_account       GET   in - 200 200 403 200 200 200 403 403 403 403
counter:open_account       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:new_card           GET   in - 200 200 403 200 200 200 403 403 403 403
counter:new_card           POST  in - 400 400 403 400 400 400 403 403 403 403
counter:slips              GET   in - 200 200 403 200 200 200 403 403 403 403
counter:slips              POST  in - 400 400 403 400 400 400 403 403 403 403
counter:replace_card       GET   in - 200 200 403 200 200 200 403 403 403 403
counter:replace_card       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:extend_card        GET   in - 200 200 403 200 200 200 403 403 403 403
counter:extend_card        POST  in - 400 400 403 400 400 400 403 403 403 403
counter:grants             GET   in - 200 200 403 200 200 200 403 403 403 403
counter:grants             POST  in - 400 400 403 400 400 400 403 403 403 403
counter:release_hold       GET   in - 200 200 403 200 200 200 403 403 403 403
counter:release_hold       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:make_card          GET   in - 200 200 403 200 200 200 200 200 403 403
counter:make_card          POST  in - 405 405 403 405 405 405 405 405 403 403
counter:close_account      GET   in - 200 200 403 200 200 200 200 200 403 403
counter:close_account      POST  in - 405 405 403 405 405 405 405 405 403 403
counter:unused_cards       GET   in - 200 200 403 200 200 200 200 200 403 403
counter:unused_cards       POST  in - 405 405 403 405 405 405 405 405 403 403
counter:start_making       GET   in - 405 405 403 405 405 405 403 403 403 403
counter:start_making       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:void_making        GET   in - 405 405 403 405 405 405 403 403 403 403
counter:void_making        POST  in - 400 400 403 400 400 400 403 403 403 403
counter:hand_over_card     GET   in - 405 405 403 405 405 405 403 403 403 403
counter:hand_over_card     POST  in - 400 400 403 400 400 400 403 403 403 403
counter:revoke_grant       GET   in - 405 405 403 405 405 405 403 403 403 403
counter:revoke_grant       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:begin_closing      GET   in - 405 405 403 405 405 405 403 403 403 403
counter:begin_closing      POST  in - 400 400 403 400 400 400 403 403 403 403
counter:give_up_closing    GET   in - 405 405 403 405 405 405 403 403 403 403
counter:give_up_closing    POST  in - 400 400 403 400 400 400 403 403 403 403
counter:ask_to_pay         GET   in - 405 405 403 405 405 405 403 403 403 403
counter:ask_to_pay         POST  in - 400 400 403 400 400 400 403 403 403 403
counter:pay_closing        GET   in - 405 405 403 405 405 405 403 403 403 403
counter:pay_closing        POST  in - 400 400 403 400 400 400 403 403 403 403
"""


def world() -> dict[str, object]:
    """Nothing of its own: ``account_id`` is made by the pages about people."""
    return {}
