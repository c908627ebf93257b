"""The holder's own pages, the site's articles, and where they are written."""

from __future__ import annotations

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
portal:news             GET   200 - - - - - - - - - - -
portal:news             POST  405 - - - - - - - - - - -
portal:news_article     GET   404 - - - - - - - - - - -
portal:news_article     POST  405 - - - - - - - - - - -
portal:guide            GET   200 - - - - - - - - - - -
portal:guide            POST  405 - - - - - - - - - - -
portal:guide_article    GET   404 - - - - - - - - - - -
portal:guide_article    POST  405 - - - - - - - - - - -
portal:faq              GET   200 - - - - - - - - - - -
portal:faq              POST  405 - - - - - - - - - - -
portal:faq_article      GET   404 - - - - - - - - - - -
portal:faq_article      POST  405 - - - - - - - - - - -
portal:rules            GET   200 - - - - - - - - - - -
portal:rules            POST  405 - - - - - - - - - - -
portal:rules_article    GET   404 - - - - - - - - - - -
portal:rules_article    POST  405 - - - - - - - - - - -
portal:search           GET   200 - - - - - - - - - - -
portal:search           POST  405 - - - - - - - - - - -
admin:article_changelist GET  in - in - - - - - - - - 200
admin:article_changelist POST in - in - - - - - - - - 200
admin:article_add       GET   in - in - - - - - - - - 200
admin:article_add       POST  in - in - - - - - - - - 200
admin:article_delete    GET   in - in - - - - - - - - 403
admin:article_delete    POST  in - in - - - - - - - - 403
admin:article_history   GET   in - in - - - - - - - - go
admin:article_history   POST  in - in - - - - - - - - go
admin:article_change    GET   in - in - - - - - - - - go
admin:article_change    POST  in - in - - - - - - - - go
admin:article_preview   GET   in - in - - - - - - - - 404
admin:article_preview   POST  in - in - - - - - - - - 404
portal:analysis         GET   in 200 in - - - - - - - - -
portal:analysis         POST  in 405 in - - - - - - - - -
portal:bank_card        GET   in 200 in - - - - - - - - -
portal:bank_card        POST  in 405 in - - - - - - - - -
portal:statement_csv    GET   in 200 in - - - - - - - - -
portal:statement_csv    POST  in 405 in - - - - - - - - -
portal:statement_print  GET   in 200 in - - - - - - - - -
portal:statement_print  POST  in 405 in - - - - - - - - -
portal:statement_check  GET   200 - - - - - - - - - - -
portal:statement_check  POST  400 - - - - - - - - - - -
"""


def world() -> dict[str, object]:
    """An article that is not there: what is there is read by anybody."""
    return {"slug": "nothing", "article_id": 999_999}
