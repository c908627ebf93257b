"""Who may see a personal page: a signed-in holder, his own account only; with the initial password two pages only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.kinds import SecretKind
from accounts.selectors import AccountOverview, account_overview
from accounts.wiring import now
from portal import holder_session
from portal.holder_session import HolderSession
from transactions.days import local_day


class HolderRequest(HttpRequest):
    """A request of a signed-in holder: ``account`` is his own, whatever the address says."""

    account: AccountOverview
    holder_session: HolderSession
    must_change: bool


HolderView = Callable[..., HttpResponseBase]


def holder_required(*, initial_password: bool = False) -> Callable[[HolderView], HolderView]:
    """Let signed-in holders in. ``initial_password``: also those who still have it (security.md section 4)."""

    def wrap(view: HolderView) -> HolderView:
        @wraps(view)
        @never_cache
        def guarded(request: HolderRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if (refused := _take_in(request)) is not None:
                return refused
            if request.must_change and not initial_password:
                messages.warning(request, _("您还在使用初始密码，请先设置新的查询密码。"))
                return redirect("portal:security")
            return view(request, *args, **kwargs)

        return guarded

    return wrap


def _take_in(request: HolderRequest) -> HttpResponse | None:
    moment = now()
    timed_out = holder_session.is_signed_in(request)
    session = holder_session.current(request, now=moment)
    if session is None:
        if timed_out:
            messages.info(request, _("为保护您的账户，长时间未操作已自动退出，请重新登录。"))
        return redirect(f"{reverse('portal:login')}?{urlencode({'next': request.get_full_path()})}")
    request.holder_session = session
    request.account = account_overview(session.account_id, today=local_day(moment))
    changed_at = request.account.query_changed_at
    if changed_at is not None and changed_at > session.since_at:
        holder_session.sign_out(request)
        messages.info(request, _("查询密码已修改，请用新密码登录。"))
        return redirect("portal:login")
    request.must_change = SecretKind.QUERY in request.account.default_passwords
    return None
