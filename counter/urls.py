"""The addresses of the staff. Everything but the door itself asks for password and one-time code."""

from __future__ import annotations

from django.urls import include, path

from counter.views import cases, decisions, entry, papers, queue

app_name = "counter"
urlpatterns = [
    path("", entry.home, name="home"),
    path("login/", entry.login, name="login"),
    path("logout/", entry.logout, name="logout"),
    path("extend/", entry.extend, name="extend"),
    path("cases/", queue.cases, name="cases"),
    path("cases/<int:case_id>/", cases.case, name="case"),
    path("cases/<int:case_id>/take/", cases.take, name="take"),
    path("cases/<int:case_id>/assign/", cases.assign, name="assign"),
    path("cases/<int:case_id>/remark/", cases.remark, name="remark"),
    path("cases/<int:case_id>/hold/", cases.hold, name="hold"),
    path("cases/<int:case_id>/escalate/", cases.escalate, name="escalate"),
    path("cases/<int:case_id>/close/", cases.close, name="close"),
    path("cases/<int:case_id>/decide/<slug:action>/", decisions.decide, name="decide"),
    path("cases/<int:case_id>/letter/", papers.letter, name="letter"),
    path("decisions/", decisions.waiting, name="decisions"),
    path("decisions/<int:decision_id>/", decisions.decision, name="decision"),
    path("decisions/<int:decision_id>/approve/", decisions.approve, name="approve"),
    path("decisions/<int:decision_id>/refuse/", decisions.refuse, name="refuse"),
    path("decisions/<int:decision_id>/withdraw/", decisions.withdraw, name="withdraw"),
    path("decisions/<int:decision_id>/carry-out/", decisions.carry_out, name="carry_out"),
    path("", include("counter.jobs")),
    path("", include("counter.people.urls")),
    path("", include("counter.cards.urls")),
    path("", include("counter.roster.urls")),
    path("", include("counter.cash.urls")),
    path("", include("counter.oversight.urls")),
    path("", include("counter.office.urls")),
    path("", include("counter.care.urls")),
]
