"""One holder who is written to, so that the outbox of the demo has something in it."""

from __future__ import annotations

from datetime import datetime

from accounts.actors import Actor, Channel
from accounts.alerts import Choice
from accounts.kinds import AlertGroup, AlertWay
from accounts.models import Account, AlertChoice, AlertContact
from accounts.services import alertcontacts, alerts
from accounts.wiring import secrets
from portal import alertjob

NUMBER = 10086
ADDRESS = "xiaoyu.lin@example.edu.cn"


def make_alerts(now: datetime) -> None:
    """Once: an address, asked for and confirmed, and what goes there."""
    account = Account.objects.select_related("holder").filter(number=NUMBER).first()
    if account is None or AlertChoice.objects.filter(pk=account.pk).exists():
        return
    actor = Actor.holder(account.holder.uid, channel=Channel.WEB, place="demo")
    way, keys = AlertWay.MAIL, secrets()
    alertcontacts.ask(account.pk, way, ADDRESS, source="web:demo", actor=actor, now=now, secrets=keys)
    alertjob.run()
    code = alertcontacts.code_of(AlertContact.objects.get(account=account, way=way), keys)
    alertcontacts.confirm(account.pk, way, code, actor=actor, now=now, secrets=keys)
    wanted = Choice(
        low_fen=20_00,
        spend_fen=15_00,
        waiting=True,
        letters={way: frozenset({AlertGroup.LOW, AlertGroup.SPEND, AlertGroup.STANDING})},
        quiet=False,
    )
    alerts.choose(account.pk, wanted, actor=actor, now=now)
