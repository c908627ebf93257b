"""Planted bugs: each is one exact replacement in one file of the product, and the test that has to notice it.

A text that no longer stands in its file exactly once fails the run, so this table cannot rot. docs/reliability.md shows
it to readers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One planted bug. ``test`` is a file, with ``::name`` for one test of it."""

    name: str
    path: str
    old: str
    new: str
    test: str


DEBIT = "tests/transactions/test_debit.py"
PLAIN = "tests/transactions/test_plain.py"
RULES = "tests/purse/test_rules.py"
EVIDENCE = "tests/purse/test_evidence.py"
BATCHES = "tests/transactions/test_offline_batches.py"
UPLOADS = "tests/terminals/test_uploads.py"
LEVELLING = "tests/reconciliation/test_levelling.py"
FOUND = "tests/faultruns/test_found.py"
CLOSING = "tests/reconciliation/test_close_day.py"
SIGNING = "tests/terminals/test_signing.py"

MUTANTS = [
    # ------------------------------------------------------------------------------------------------------- debit
    Mutant(
        "the book is written whatever it has become since it was read",
        "transactions/ledger/sql.py",
        "WHERE id = %(account_id)s AND version = %(version)s",
        "WHERE id = %(account_id)s",
        "tests/transactions/test_concurrency.py::test_sixteen_tills_on_three_hot_accounts_end_as_some_serial_order",
    ),
    Mutant(
        "the image goes to the till although the book did not move",
        "transactions/services/running.py",
        "recorded=written.confirmed) if written.moved else None",
        "recorded=written.confirmed)",
        "tests/transactions/test_concurrency.py::test_sixteen_tills_on_three_hot_accounts_end_as_some_serial_order",
    ),
    Mutant(
        "the same key with another content is answered as if it were the same",
        "transactions/services/running.py",
        "if facts.answer is None or facts.answer.asked not in (order.asked, TOMBSTONE):",
        "if facts.answer is None:",
        f"{DEBIT}::test_the_same_key_with_another_amount_is_a_fault_and_moves_nothing",
    ),
    Mutant(
        "funds are what the book has, whatever the card shows",
        "purse/rules.py",
        "if facts.amount_fen > min(facts.card_fen, facts.book_fen):",
        "if facts.amount_fen > facts.book_fen:",
        RULES,
    ),
    Mutant(
        "the password is asked at the limit, not above it",
        "purse/rules.py",
        "return spent_today_fen + amount_fen > limit_fen",
        "return spent_today_fen + amount_fen >= limit_fen",
        RULES,
    ),
    Mutant(
        "the day of the limit is the UTC day",
        "transactions/days.py",
        'SHANGHAI = ZoneInfo("Asia/Shanghai")',
        'SHANGHAI = ZoneInfo("UTC")',
        f"{DEBIT}::test_a_new_day_begins_at_midnight_in_shanghai",
    ),
    # -------------------------------------------------------------------------------------------------- plain path
    Mutant(
        "the plain sale lets unclaimed money lie",
        "transactions/migrations/0011_leaner_sale.py",
        "AND a.unclaimed_fen = 0 AND a.book_fen >=",
        "AND a.book_fen >=",
        f"{DEBIT}::test_unclaimed_money_rides_on_a_purchase",
    ),
    Mutant(
        "the plain sale asks for no password",
        "transactions/migrations/0011_leaner_sale.py",
        "AND p_spent_before + p_fen <= a.daily_limit_fen",
        "",
        PLAIN,
    ),
    Mutant(
        "the plain sale does not look whether the account is frozen",
        "transactions/migrations/0011_leaner_sale.py",
        "AND a.life = 'open' AND a.frozen_reasons = '{}'",
        "AND a.life = 'open'",
        PLAIN,
    ),
    # --------------------------------------------------------------------------------------------------- evidence
    Mutant(
        "a late outcome of an earlier write settles the card",
        "purse/evidence.py",
        "if image is None or image.withheld or (image.seq, image.total_fen) != (seq, total_fen):",
        "if image is None or (seq, total_fen) not in [(told.seq, told.total_fen) for told in mirror.told]:",
        f"{EVIDENCE}::test_a_confirmed_write_closes_every_leg_and_a_late_one_for_an_earlier_image_closes_none",
    ),
    Mutant(
        "a report confirms an image that its terminal was not given again",
        "transactions/services/replay.py",
        "if _withhold(facts, left_out, book):",
        "if True:",
        "tests/transactions/test_replay.py::test_a_report_confirms_what_was_given_again_and_nothing_else",
    ),
    Mutant(
        "one number with another total is taken for the same state",
        "purse/evidence.py",
        "if (seen.total_fen, seen.offline_fen, seen.stop) != (floor.total_fen, floor.offline_fen, floor.stop):",
        "if (seen.offline_fen, seen.stop) != (floor.offline_fen, floor.stop):",
        f"{EVIDENCE}::test_one_number_with_two_contents_is_a_fork",
    ),
    Mutant(
        "the next image forgets what the card lacks",
        "purse/evidence.py",
        "total_fen=mirror.shown.total_fen + mirror.missing_fen + fen,",
        "total_fen=mirror.shown.total_fen + fen,",
        f"{DEBIT}::test_the_next_tap_anywhere_heals_a_torn_one_without_a_second_debit",
    ),
    # ---------------------------------------------------------------------------------------- offline and upload
    Mutant(
        "a key twice in one batch is charged twice",
        "transactions/services/upload.py",
        "            return self._again(sale, known, card)\n        if card is None:\n            return Posted("
        'Posting.SUSPECT, "account"',
        "            known = None\n        if card is None:\n            return Posted(Posting.SUSPECT, "
        '"account"',
        BATCHES,
    ),
    Mutant(
        "what was levelled away is late from one number too high",
        "transactions/services/upload.py",
        "        if sale.card_seq_after <= card.facts.levelled_seq:\n            card.late_fen",
        "        if sale.card_seq_after < card.facts.levelled_seq:\n            card.late_fen",
        f"{BATCHES}::test_a_record_that_hits_a_levelled_gap_is_deducted_again_and_freezes",
    ),
    Mutant(
        "an old sale counts in today's limit",
        "transactions/services/upload.py",
        "if local_day(sale.occurred_at) == self._today:",
        "if account.spent_on is None or account.spent_on <= self._today:",
        f"{FOUND}::test_a_sale_of_yesterday_does_not_count_today",
    ),
    Mutant(
        "one number with two contents is taken for the same record",
        "terminals/services/uploads.py",
        "if row.mac != record.mac:",
        "if row.mac == NO_RECORD_MAC:",
        f"{UPLOADS}::test_one_number_with_two_contents_is_a_fork_and_posts_nothing",
    ),
    # -------------------------------------------------------------------------------------------------- levelling
    Mutant(
        "a gap is levelled after more than five days, not from five days on",
        "purse/rules.py",
        "return now - silent_since >= policy.levelling_silence and",
        "return now - silent_since > policy.levelling_silence and",
        f"{LEVELLING}::test_five_days_to_the_second",
    ),
    Mutant(
        "a gap is levelled although an open purchase may be part of it",
        "transactions/services/levelling.py",
        "if held.may_hide_legs():",
        "if False:",
        f"{LEVELLING}::test_an_open_purchase_that_may_be_part_of_the_gap_waits_for_a_reader",
    ),
    Mutant(
        "one silent terminal is enough",
        "transactions/services/levelling.py",
        "    for holder in holders:\n        if not levelling_due(",
        "    for holder in holders[:1]:\n        if not levelling_due(",
        f"{LEVELLING}::test_two_terminals_one_of_them_silent_is_not_enough",
    ),
    Mutant(
        "the levelling does not remember up to where it reached",
        "transactions/services/levelling.py",
        "card.late_fen, levelled_seq=order.spend_seq)",
        "card.late_fen)",
        "tests/reconciliation/test_late.py::test_the_guides_story_of_six_days_line_by_line",
    ),
    # ----------------------------------------------------------------------------------------- refund, corrections
    Mutant(
        "a record that had not been levelled is refunded",
        "transactions/services/corrections.py",
        "return None if is_late(entry) else Why.NOT_LATE",
        "return None",
        f"{FOUND}::test_a_record_beside_a_late_one_is_not_refunded",
    ),
    Mutant(
        "a reversed sale goes back into the book although the card may have taken it",
        "transactions/services/corrections.py",
        "        entry.contra,\n        unclaimed_fen=fen,\n",
        "        entry.contra,\n        book_fen=fen,\n",
        FOUND,
    ),
    # -------------------------------------------------------------------------------------------------- close_day
    Mutant(
        "the seal of a day does not rest on the day before",
        "reconciliation/digest.py",
        "mac = hmac.new(key, previous + day.isoformat().encode(), hashlib.sha256)",
        "mac = hmac.new(key, day.isoformat().encode(), hashlib.sha256)",
        f"{FOUND}::test_the_seal_of_a_day_rests_on_the_day_before",
    ),
    Mutant(
        "today may be closed",
        "reconciliation/services/close_day.py",
        "if until is not None and until >= today:",
        "if until is not None and until > today:",
        f"{CLOSING}::test_up_to_a_day_and_never_a_day_that_is_not_over",
    ),
    # ---------------------------------------------------------------------------------------------- freeze rules
    Mutant(
        "a gap of exactly 50.00 freezes",
        "purse/rules.py",
        "if card_fen - book_fen > policy.freeze_gap_fen:",
        "if card_fen - book_fen >= policy.freeze_gap_fen:",
        RULES,
    ),
    Mutant(
        "an empty book freezes",
        "purse/rules.py",
        "    if book_fen < 0:\n        return FreezeReason.BOOK_NEGATIVE",
        "    if book_fen <= 0:\n        return FreezeReason.BOOK_NEGATIVE",
        RULES,
    ),
    Mutant(
        "a freeze is taken away although card and book differ",
        "accounts/services/standing.py",
        "if card.card_fen - account.book_fen != open_items_fen:",
        "if card.card_fen < open_items_fen:",
        "tests/accounts/test_standing.py",
    ),
    # --------------------------------------------------------------------------------------------------- throttle
    Mutant(
        "one guess more than the budget",
        "accounts/services/throttle.py",
        "WHERE a.failures < %(below)s AND",
        "WHERE a.failures <= %(below)s AND",
        "tests/accounts/test_throttle.py",
    ),
    # ---------------------------------------------------------------------------------------------------- journal
    Mutant(
        "the till's journal does not wait for the disk",
        "terminals/device/store.py",
        "PRAGMA synchronous=FULL",
        "PRAGMA synchronous=NORMAL",
        "tests/till/test_power.py::test_what_was_acknowledged_survives_a_power_cut_at_any_write",
    ),
    # ---------------------------------------------------------------------------------------------------- signing
    Mutant(
        "the signature of a request leaves out its body",
        "terminals/messages/signing.py",
        "nonce, sha256(request.body).digest())",
        "nonce)",
        SIGNING,
    ),
    Mutant(
        "an answer is not bound to its request",
        "terminals/messages/signing.py",
        "_framed(_VERSION, nonce, str(status).encode()",
        "_framed(_VERSION, str(status).encode()",
        SIGNING,
    ),
]
