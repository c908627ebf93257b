"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.cards import requests as _requests  # noqa: F401 - makes the kind known
from counter.cards.views import closing, issue, life, making

urlpatterns = [
    path("accounts/new/", issue.open_account, name="open_account"),
    path("accounts/<int:account_id>/new-card/", issue.new_card, name="new_card"),
    path("accounts/<int:account_id>/make/", making.make, name="make_card"),
    path("accounts/<int:account_id>/make/start/", making.start, name="start_making"),
    path("accounts/<int:account_id>/make/void/", making.void, name="void_making"),
    path("accounts/<int:account_id>/make/hand-over/", making.hand_over, name="hand_over_card"),
    path("accounts/<int:account_id>/slips/", making.slips, name="slips"),
    path("accounts/<int:account_id>/replace/", life.replace, name="replace_card"),
    path("accounts/<int:account_id>/extend/", life.extend, name="extend_card"),
    path("accounts/<int:account_id>/services/", life.grants, name="grants"),
    path("accounts/<int:account_id>/services/revoke/", life.revoke, name="revoke_grant"),
    path("accounts/<int:account_id>/held/", life.release_hold, name="release_hold"),
    path("accounts/<int:account_id>/close/", closing.close, name="close_account"),
    path("accounts/<int:account_id>/close/begin/", closing.begin, name="begin_closing"),
    path("accounts/<int:account_id>/close/give-up/", closing.give_up, name="give_up_closing"),
    path("accounts/<int:account_id>/close/ask/", closing.ask, name="ask_to_pay"),
    path("accounts/<int:account_id>/close/pay/", closing.pay, name="pay_closing"),
    path("cards/unused/", life.unused, name="unused_cards"),
]
