"""Every statement of the guide and every use case of a cardholder that concerns the web, and the tests that hold it.

A row whose test is gone, or renamed, or that was forgotten, fails the build. What needs a door that is not the web
stands with that door's tests, or in ``NOT_HERE`` with its reason.
"""

from __future__ import annotations

import ast
import re
import uuid
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Secret, SecretKind
from accounts.pinhash import hash_pin
from accounts.wiring import secrets
from tests.campus import make_person
from tests.portal.conftest import NEW_PIN, PIN, sign_in, text_of
from transactions.services.credit import Credit, credit_unclaimed

TESTS = Path(settings.BASE_DIR, "tests")
STATEMENTS = [f"R{number:03}" for number in range(59, 82)]
USE_CASES = [f"H{number:02}" for number in range(1, 28)]

HELD_BY = {
    # ------------------------------------------------------------- what the guide says of the site (L115 to L157)
    "R059": "portal/test_requirements.py::test_every_page_that_the_guide_names_is_there_in_both_languages",
    "R060": "portal/test_requirements.py::test_every_page_that_the_guide_names_is_there_in_both_languages"
    " portal/test_statement.py::test_pages_follow_each_other_without_gap_or_repetition",
    "R061": "portal/test_loss_and_security.py::test_marks_the_card_and_gives_a_number",
    "R062": "portal/test_lost_found.py::test_a_search_stands_on_the_board_masked"
    " portal/test_lost_found.py::test_found_cards_stand_on_the_board_for_thirty_days_if_the_desk_says_so",
    "R063": "portal/test_articles.py::test_the_guide_is_there_in_both_languages_under_all_six_topics"
    " portal/test_articles.py::test_search_takes_any_question",
    "R064": "portal/test_articles.py::test_home_shows_five_of_each_the_newest_news_first"
    " portal/test_articles.py::test_an_article_is_there_from_its_time_to_its_end",
    "R065": "portal/test_entry.py::test_either_number_opens_the_overview",
    "R066": "portal/test_pages.py::test_lists_every_place_of_the_guide",
    "R068": "accounts/test_idnumber.py::test_the_initial_password_is_the_last_six_digits_without_x"
    " portal/test_requirements.py::test_the_login_page_explains_the_initial_password_with_an_example_that_is_true",
    "R069": "portal/test_requirements.py::test_a_loss_is_reported_with_either_number_and_the_query_password",
    "R071": "counter/test_people_deeds.py::test_a_document_a_reference_number_and_a_receipt",
    "R072": "portal/test_never_on_the_web.py::test_no_address_of_the_portal_changes_what_only_the_counter_may"
    " portal/test_never_on_the_web.py::test_the_counter_lets_no_holder_in_and_writes_nothing"
    " portal/test_never_on_the_web.py::test_the_portal_does_not_know_the_services"
    " accounts/test_standing.py::test_no_remote_door_can_be_made_into_one_that_lifts_a_loss",
    "R073": "counter/test_people_deeds.py::test_a_post_without_the_card_changes_nothing",
    "R074": "portal/test_entry.py::test_leads_to_a_new_password portal/test_entry.py::test_shows_no_money"
    " browser/test_portal_journeys.py::test_the_first_login_leads_to_a_password_of_one_s_own",
    "R075": "accounts/test_accounts.py::test_both_initial_passwords_follow_from_the_identity_number",
    "R076": "portal/test_requirements.py::test_the_consumption_password_opens_nothing_on_the_web",
    "R077": "portal/test_loss_and_security.py::test_the_consumption_password_is_text_only"
    " portal/test_never_on_the_web.py::test_no_page_asks_for_what_the_web_may_not_change"
    " accounts/test_passwords.py::test_each_password_is_changed_only_where_the_guide_says",
    "R078": "accounts/test_accounts.py::test_an_account_opens_with_a_five_digit_number_and_the_default_limit"
    " portal/test_overview.py::test_shows_book_card_place_and_the_day_against_the_limit",
    "R079": "counter/test_people_deeds.py::test_from_nothing_to_six_hundred",
    "R080": "portal/test_requirements.py::test_the_guide_says_how_to_hold_the_card",
    "R081": "house/test_checks.py::test_what_belongs_to_demos_is_refused_in_production"
    " portal/test_statement_print.py::test_whoever_holds_the_paper_sees_its_sums_and_nobody_s_name",
    # ------------------------------------------------------------------------------- what a cardholder does there
    "H06": "portal/test_bank_card.py::test_unbound_says_where_to_go_with_what"
    " portal/test_bank_card.py::test_bound_it_is_masked_with_day_and_desk",
    "H09": "portal/test_overview.py::test_a_frozen_holder_reads_the_reason_what_is_blocked_and_where_to_go"
    " portal/test_overview.py::test_says_why_card_and_book_differ_with_the_arithmetic",
    "H11": "portal/test_overview.py::test_shows_book_card_place_and_the_day_against_the_limit"
    " portal/test_statement.py::test_totals_add_up_to_the_book",
    "H13": "portal/test_requirements.py::test_a_loss_is_reported_with_either_number_and_the_query_password"
    " browser/test_portal_journeys.py::test_a_keyboard_alone_goes_from_the_login_to_a_reported_loss",
    "H14": "portal/test_loss_and_security.py::test_a_lost_card_shows_since_when_and_how_to_take_it_back",
    "H15": "portal/test_loss_and_security.py::test_the_consumption_password_is_text_only",
    "H16": "portal/test_loss_and_security.py::test_the_new_password_opens_and_the_old_one_does_not"
    " portal/test_loss_and_security.py::test_every_other_session_is_over_with_the_old_password",
    "H18": "portal/test_lost_found.py::test_a_search_stands_on_the_board_masked"
    " portal/test_lost_found.py::test_the_owner_is_told_and_the_finder_learns_nothing"
    " browser/test_care.py::test_a_found_card_comes_back_to_its_owner",
    "H19": "portal/test_requirements.py::test_every_page_that_the_guide_names_is_there_in_both_languages",
    "H20": "portal/test_overview.py::test_a_frozen_holder_is_told_the_number_of_his_case"
    " browser/test_demo_journey.py::test_six_silent_days_from_the_till_to_the_desk_to_the_statement",
    "H21": "portal/test_disputes.py::test_a_double_charge_is_disputed_in_two_pages"
    " portal/test_disputes.py::test_sixty_days_and_not_one_more"
    " browser/test_care.py::test_a_double_charge_is_disputed_decided_and_the_money_is_there",
    "H22": "portal/test_requirements.py::test_unclaimed_money_says_when_it_comes",
    "H23": "portal/test_alerts.py::test_what_is_saved_is_shown_again alerts/test_rules.py::test_below_means_below",
    "H24": "portal/test_analysis.py::test_the_month_adds_up_to_what_the_statement_says"
    " portal/test_statement_print.py::test_opening_plus_in_minus_out_is_closing_and_closing_is_the_book",
    "H26": "portal/test_requirements.py::test_who_forgot_his_password_reads_where_to_go",
}
NOT_HERE = {
    "R067": "the telephone",
    "R070": "the query kiosk",
    "H01": "batch issue (tests/counter/test_roster_pages.py)",
    "H02": "the counter (tests/counter/test_cards_pages.py)",
    "H03": "the counter (tests/counter/test_cards_pages.py)",
    "H04": "the cashier (tests/counter/test_cash_pages.py)",
    "H05": "the load kiosk",
    "H07": "the till (tests/till)",
    "H08": "the till (tests/till)",
    "H10": "doors and libraries (tests/terminals/test_identity.py)",
    "H12": "the query kiosk; the counter (tests/counter/test_people_statement.py)",
    "H17": "the load kiosk",
    "H25": "the counter (tests/reconciliation/test_closing.py)",
    "H27": "of low priority; nothing on the web takes money",
}


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests, in classes too."""
    code = ast.parse((TESTS / file).read_text())
    return frozenset(node.name for node in ast.walk(code) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", [*STATEMENTS, *USE_CASES])
def test_every_row_is_held_by_tests_that_exist(row):
    assert (row in HELD_BY) != (row in NOT_HERE)
    for named in HELD_BY.get(row, "").split():
        file, test = named.split("::")
        assert test.startswith("test_")
        assert test in names_in(file), named


def test_the_tables_have_no_other_rows():
    assert HELD_BY.keys() | NOT_HERE.keys() == {*STATEMENTS, *USE_CASES}


# --------------------------------------------------------------------------------- rows without a test elsewhere


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_that_the_guide_names_is_there_in_both_languages(web, language):
    """指南 L115: 个人信息查询、流水查询、挂失、寻卡、丢卡发布、使用指南、答问精华、最新消息、相关规定。"""
    call_command("load_articles", stdout=StringIO())
    web.post("/i18n/setlang/", {"language": language, "next": "/"})
    pages = {
        "/me/": ("我的校园卡", "My campus card"),
        "/me/statement/": ("流水", "Statement"),
        "/me/loss/": ("挂失", "Report"),
        "/lost-found/": ("失卡招领", "found"),
        "/me/lost-card/": ("寻卡", "card"),
        "/guide/": ("使用指南", "Guide"),
        "/faq/": ("答问精华", "Questions"),
        "/news/": ("最新消息", "News"),
        "/rules/": ("相关规定", "Rules"),
    }

    for where, words in pages.items():
        answer = web.get(where)
        heading = text_of(answer).split("<h1", 1)[1].split("</h1>", 1)[0]
        assert answer.status_code == 200
        assert words[language == "en"].lower() in heading.lower(), where


@pytest.mark.parametrize("identifier", ["account", "school"])
def test_a_loss_is_reported_with_either_number_and_the_query_password(client, holder, identifier):
    """指南 L133: 凭学工号或帐号和查询密码在网上挂失; A8: a freeze is no obstacle."""
    account = holder.account
    number = str(account.number) if identifier == "account" else account.holder.school_no
    client.post("/login/", {"identifier": number, "pin": PIN, "next": "/me/loss/"})

    answer = client.post("/me/loss/", {"key": str(uuid.uuid4()), "pin": PIN})

    assert answer.status_code == 302
    holder.fresh()
    assert holder.card_row.lost_at is not None
    assert "受理号" in text_of(client.get(answer.url))


def test_the_consumption_password_opens_nothing_on_the_web(client, db):
    """指南 L153: the query password serves telephone, web and self-service; the other one never does."""
    holder = make_person()
    for kind, pin in ((SecretKind.QUERY, PIN), (SecretKind.CONSUMPTION, NEW_PIN)):
        hashed = hash_pin(pin, kind=kind, account_id=holder.account.pk, secrets=secrets())
        Secret.objects.create(
            account=holder.account, kind=kind, pin_hash=hashed, is_default=False, changed_at=timezone.now()
        )

    assert sign_in(client, holder, NEW_PIN).status_code == 403
    assert sign_in(client, holder, PIN).status_code == 302
    assert client.post("/me/loss/", {"key": str(uuid.uuid4()), "pin": NEW_PIN}).status_code == 403
    holder.fresh()
    assert holder.card_row.lost_at is None


def test_the_login_page_explains_the_initial_password_with_an_example_that_is_true(client, db):
    """指南 L131: 身份证号的后六位, 末位是 X 的去掉 X。"""
    page = text_of(client.get("/login/"))

    assert "后六位" in page
    for tail, pin in re.findall(r"…(\d+X?) 的(?:初始密码)?是 (\d{6})", page):
        assert tail.rstrip("X")[-6:] == pin
    assert len(re.findall(r"…(\d+X?) 的(?:初始密码)?是 (\d{6})", page)) == 2


def test_who_forgot_his_password_reads_where_to_go(client, db):
    """H26: only the counter sets it anew, with a document."""
    page = text_of(client.get("/login/"))

    assert "忘了密码" in page
    assert "持有效证件到任一校区的校园智能卡管理中心重置" in page


def test_the_guide_says_how_to_hold_the_card(client, db):
    """指南 L161: 刷卡时不要用力, 靠近即可, 可以放在钱包里; two cards at once are not."""
    call_command("load_articles", stdout=StringIO())

    page = text_of(client.get("/faq/"))

    for words in ("钱包", "用力", "一张卡"):
        assert words in page


def test_unclaimed_money_says_when_it_comes(web, holder, till):
    """H22: it comes at the next tap of an online till, and then it is gone from here."""
    assert "没有待领的补助或退款" in text_of(web.get("/me/"))
    credit_unclaimed(Credit(uuid.uuid4(), holder.account.pk, 50_00), now=timezone.now())

    waiting = text_of(web.get("/me/"))
    assert till.tap(holder, 1_00).refusal is None

    assert "¥50.00" in waiting
    assert "下次在联机终端刷卡时自动到账" in waiting
    assert "没有待领的补助或退款" in text_of(web.get("/me/"))
    assert "¥77.40" in text_of(web.get("/me/"))
