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
