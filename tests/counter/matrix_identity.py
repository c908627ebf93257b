"""Rows of the permission matrix for the identity API and the screens of its keys, and what their addresses name."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from terminals.models import Partner, PartnerContact
from tests.reconciliation.books import campus

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
identity                GET   405 - - - - - - - - - - -
identity                POST  401 - - - - - - - - - - -
identity_denied         GET   401 - - - - - - - - - - -
identity_denied         POST  405 - - - - - - - - - - -
counter:partners        GET   in - 403 403 403 200 200 200 200 200 403 200
counter:partners        POST  in - 403 403 403 405 405 405 405 405 403 405
counter:new_partner     GET   in - 403 403 403 403 403 403 403 403 403 200
counter:new_partner     POST  in - 403 403 403 403 403 403 403 403 403 400
counter:partner         GET   in - 403 403 403 200 404 200 200 404 403 200
counter:partner         POST  in - 403 403 403 405 405 405 405 405 403 405
counter:turn_key        GET   in - 403 403 403 403 403 403 403 403 403 405
counter:turn_key        POST  in - 403 403 403 403 403 403 403 403 403 400
counter:shut_out_partner GET  in - 403 403 403 405 405 405 403 403 403 405
counter:shut_out_partner POST in - 403 403 403 400 404 400 403 403 403 400
counter:hand_key        GET   in - 403 403 403 404 404 404 403 403 403 404
counter:hand_key        POST  in - 403 403 403 404 404 404 403 403 403 404
"""


def world() -> dict:
    """A key of 崂山."""
    moment = timezone.now()
    partner = Partner.objects.create(
        name_zh="图书馆系统", contact="图书馆技术部", services=["library_gate"], made_at=moment, turned_at=moment,
        expires_on=(moment + timedelta(days=200)).date(),
    )  # fmt: skip
    partner.campuses.add(campus("laoshan"))
    PartnerContact.objects.create(partner=partner)
    return {"partner_id": partner.pk}
