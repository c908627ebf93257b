"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.care.views import disputes, found, opening

urlpatterns = [
    path("disputes/", disputes.dispute_list, name="disputes"),
    path("disputes/<int:dispute_id>/", disputes.dispute, name="dispute"),
    path("disputes/<int:dispute_id>/take/", disputes.take, name="dispute_take"),
    path("disputes/<int:dispute_id>/ask/", disputes.ask, name="dispute_ask"),
    path("disputes/<int:dispute_id>/remark/", disputes.remark, name="dispute_remark"),
    path("disputes/<int:dispute_id>/settle/", disputes.settle, name="dispute_settle"),
    path("disputes/<int:dispute_id>/refuse/", disputes.refuse, name="dispute_refuse"),
    path("disputes/<int:dispute_id>/refund/", disputes.refund, name="dispute_refund"),
    path("accounts/<int:account_id>/dispute/", opening.open_dispute, name="open_dispute"),
    path("found/", found.drawer, name="found_cards"),
    path("found/new/", found.take_in, name="found_new"),
    path("found/<int:found_id>/", found.found_card, name="found_card"),
    path("found/<int:found_id>/report-lost/", found.report_lost, name="found_report_lost"),
    path("found/<int:found_id>/leave/", found.leave, name="found_leave"),
    path("found/<int:found_id>/move/", found.move, name="found_move"),
    path("found/<int:found_id>/hand-over/", found.hand_over, name="found_hand_over"),
    path("found/<int:found_id>/dispose/", found.dispose, name="found_dispose"),
    path("searches/", found.searches, name="searches"),
    path("searches/<int:post_id>/show/", found.show_search, name="search_show"),
    path("searches/<int:post_id>/hide/", found.hide_search, name="search_hide"),
]
