"""The addresses of the portal (interfaces.md)."""

from __future__ import annotations

from django.urls import path

from portal.views import (
    alerts,
    analysis,
    articles,
    bankcard,
    disputes,
    entry,
    files,
    lostfound,
    own,
    places,
    public,
    receipts,
    statements,
)

app_name = "portal"
COLUMNS = ("news", "guide", "faq", "rules")
urlpatterns = [
    path("", public.home, name="home"),
    path("places/", places.places, name="places"),
    *(path(f"{name}/", articles.column, {"column": name}, name=name) for name in COLUMNS),
    *(
        path(f"{name}/<slug:slug>/", articles.article, {"column": name}, name=f"{name}_article")
        for name in COLUMNS
    ),
    path("search/", articles.search, name="search"),
    path("lost-found/", lostfound.board, name="lost_found"),
    path("lost-found/report/", lostfound.finder, name="finder"),
    path("lost-found/report/thanks/", lostfound.finder_thanks, name="finder_thanks"),
    path("receipt/", receipts.check, name="receipt"),
    path("statement-check/", statements.statement_check, name="statement_check"),
    path("login/", entry.login, name="login"),
    path("logout/", entry.logout, name="logout"),
    path("me/", own.overview, name="overview"),
    path("me/extend/", entry.extend, name="extend"),
    path("me/statement/", own.statement, name="statement"),
    path("me/statement.csv", files.statement_csv, name="statement_csv"),
    path("me/statement/print/", statements.statement_print, name="statement_print"),
    path("me/statement/<int:entry_seq>/", disputes.movement, name="movement"),
    path("me/statement/<int:entry_seq>/dispute/", disputes.dispute_movement, name="dispute_movement"),
    path("me/disputes/", disputes.own_disputes, name="disputes"),
    path("me/disputes/missing-top-up/", disputes.missing_top_up, name="missing_top_up"),
    path("me/disputes/<int:dispute_id>/", disputes.dispute, name="dispute"),
    path("me/disputes/<int:dispute_id>/word/", disputes.add_word, name="dispute_word"),
    path("me/disputes/<int:dispute_id>/withdraw/", disputes.withdraw, name="dispute_withdraw"),
    path("me/messages/", lostfound.messages, name="messages"),
    path("me/lost-card/", lostfound.lost_card, name="lost_card"),
    path("me/lost-card/post/", lostfound.post_search, name="post_search"),
    path("me/lost-card/<int:post_id>/renew/", lostfound.renew_search, name="renew_search"),
    path("me/lost-card/<int:post_id>/close/", lostfound.close_search, name="close_search"),
    path("me/alerts/", alerts.alerts, name="alerts"),
    path("me/alerts/<slug:alert_way>/ask/", alerts.ask, name="alerts_ask"),
    path("me/alerts/<slug:alert_way>/confirm/", alerts.confirm, name="alerts_confirm"),
    path("me/alerts/<slug:alert_way>/remove/", alerts.remove, name="alerts_remove"),
    path("alerts/off/<str:off_token>/", alerts.alerts_off, name="alerts_off"),
    path("me/analysis/", analysis.spending, name="analysis"),
    path("me/bank-card/", bankcard.bank_card, name="bank_card"),
    path("me/loss/", own.loss, name="loss"),
    path("me/loss/<str:reference>/", own.loss_done, name="loss_done"),
    path("me/security/", own.security, name="security"),
]
