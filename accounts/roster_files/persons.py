"""One row of a file as a person: every field by the checks of ``accounts.checks``, every objection in words.

A spreadsheet turns an identity number into a number of 15 digits and an exponent; that is said outright, because the
number on the screen still looks nearly right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.identifiers import parse_school_number
from accounts.checks.idnumber import parse_document_number, parse_id_number
from accounts.checks.text import parse_name, parse_text

from .columns import Found
from .sheets import EMPTY, Cell, Kind, Problem, Row

UNIT_MAX = 60
_YEAR = re.compile(r"\A(?:19[5-9]|20[0-9])[0-9]\Z")
_EXACT_DIGITS = 15
"""A spreadsheet keeps so many digits of a number; the rest becomes zeros."""
_SPOILT = re.compile(r"\A[0-9]{15}000\Z")

KINDS = {
    "student": ("学生", "本科生", "研究生", "硕士研究生", "博士研究生", "student"),
    "staff": ("教职工", "教工", "教师", "职工", "在编", "staff"),
    "other": ("其他人员", "其他", "校外人员", "临时人员", "other"),
}
DOCUMENTS = {
    "resident": ("居民身份证", "身份证", "居民身份证或居住证", "居住证", "resident identity card", "id card"),
    "permanent": ("外国人永久居留证", "外国人永久居留身份证", "永久居留证", "permanent residence card"),
    "permit": ("通行证", "港澳居民来往内地通行证", "台湾居民来往大陆通行证", "travel permit"),
    "passport": ("护照", "passport"),
    "none": ("无", "none"),
}
_UNUSABLE: Mapping[Kind, str | Promise] = {
    Kind.FORMULA: _("%(field)s是公式，请改成文字后再导入"),
    Kind.DATE: _("%(field)s被表格软件改成了日期，请把该列设为文本后重新填写"),
    Kind.TRUTH: _("%(field)s不是文字"),
    Kind.ERROR: _("%(field)s是出错的单元格"),
}


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """A row as it was understood. With ``problems`` it is refused, and the fields are what could be read."""

    line: int
    school_no: str = ""
    name: str = ""
    kind: str = ""
    campus_id: int | None = None
    unit: str = ""
    group: str = ""
    year: int | None = None
    document_kind: str = "none"
    id_number: str = ""
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return f"Reading(line={self.line}, …)"


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are read against: names of campuses (folded) with their ids, and the present day."""

    campuses: Mapping[str, int]
    today: date


@dataclass(slots=True)
class _Hand:
    """Collects what is read from one row, and what is said about it."""

    cells: Mapping[str, Cell]
    fields: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def text(self, key: str, label: str | Promise) -> str | None:
        """What somebody typed; None (and a problem) for what a program made."""
        cell = self.cells.get(key, EMPTY)
        if cell.kind in _UNUSABLE:
            self.problems.append(Problem.of(_UNUSABLE[cell.kind], field=label))
            return None
        return cell.text.strip()

    def take(self, key: str, read: Callable[[], Any]) -> None:
        """Keep what a check accepts, or what it says."""
        try:
            self.fields[key] = read()
        except Rejected as rejected:
            self.problems.append(Problem.from_rejected(rejected))


def read_person(row: Row, found: Found, rules: Rules) -> Reading:
    """Understand one row. Never raises: what is wrong stands in ``problems``."""
    extra = [cell for cell in row.cells[found.width :] if not cell.empty]
    if extra:
        return Reading(
            row.line,
            problems=(Problem.of(_("这一行比表头多 %(count)s 列，可能错位"), count=len(extra)),),
        )
    hand = _Hand(found.cells(row))
    _school_number(hand)
    _words(hand)
    _kind_and_campus(hand, rules)
    _document(hand, rules)
    return Reading(row.line, problems=tuple(hand.problems), remarks=tuple(hand.remarks), **hand.fields)


def read_school_number(row: Row, found: Found) -> Reading:
    """Understand a row of a list that names people by their number alone."""
    hand = _Hand(found.cells(row))
    _school_number(hand)
    return Reading(row.line, problems=tuple(hand.problems), **hand.fields)


def _school_number(hand: _Hand) -> None:
    text = hand.text("school_no", _("学工号"))
    if text is None:
        return
    if hand.cells["school_no"].kind is Kind.NUMBER:
        if "." in text or "e" in text.lower() or len(text) > _EXACT_DIGITS:
            hand.problems.append(Problem.of(_("学工号在表格里是数值，已不完整；请把该列设为文本后重新填写")))
            return
        if not text.startswith("0"):
            hand.remarks.append(Problem.of(_("学工号在表格里是数值；如果原来以 0 开头，0 已丢失")))
    hand.take("school_no", lambda: parse_school_number(text).value)


def _words(hand: _Hand) -> None:
    name = hand.text("name", _("姓名"))
    if name is not None:
        hand.take("name", lambda: parse_name(name))
    _line(hand, "unit", _("学院或部门"))
    _line(hand, "group", _("班级"))
    year = hand.text("year", _("离校年份"))
    if not year:
        return
    if _YEAR.match(year):
        hand.fields["year"] = int(year)
    else:
        hand.problems.append(Problem.of(_("离校年份应为四位数字，如 2030")))


def _line(hand: _Hand, key: str, label: str | Promise) -> None:
    text = hand.text(key, label)
    if text is not None:
        hand.take(key, lambda: parse_text(text, field=label, limit=UNIT_MAX, empty=True))


def _kind_and_campus(hand: _Hand, rules: Rules) -> None:
    kind = hand.text("kind", _("人员类别"))
    if kind is not None:
        found = _word_in(kind, KINDS)
        if found is None:
            hand.problems.append(Problem.of(_("人员类别应为学生、教职工或其他人员")))
        else:
            hand.fields["kind"] = found
    campus = hand.text("campus", _("校区"))
    if campus is None:
        return
    campus_id = rules.campuses.get(campus.casefold()) or rules.campuses.get(campus.casefold() + "校区")
    if campus_id is None:
        hand.problems.append(Problem.of(_("没有这个校区")))
    else:
        hand.fields["campus_id"] = campus_id


def _document(hand: _Hand, rules: Rules) -> None:
    raw_kind, number = hand.text("document_kind", _("证件类型")), hand.text("id_number", _("证件号码"))
    if raw_kind is None or number is None:
        return
    if not number:
        if raw_kind and _word_in(raw_kind, DOCUMENTS) != "none":
            hand.problems.append(Problem.of(_("有证件类型，没有证件号码")))
        return
    kind = _word_in(raw_kind, DOCUMENTS) if raw_kind else "resident"
    if kind in (None, "none"):
        hand.problems.append(Problem.of(_("证件类型应为居民身份证、外国人永久居留证、通行证或护照")))
        return
    if hand.cells["id_number"].kind is Kind.NUMBER and kind in ("resident", "permanent"):
        hand.problems.append(_mangled())
        return
    if _SPOILT.match(number) and not _is_citizen(number, rules):
        hand.problems.append(_mangled())
        return
    hand.take("id_number", lambda: _number(str(kind), number, hand, rules))
    if "id_number" in hand.fields:
        hand.fields["document_kind"] = kind


def _number(kind: str, number: str, hand: _Hand, rules: Rules) -> str:
    if kind in ("permit", "passport"):
        return parse_document_number(re.sub(r"[ \-]", "", number), passport=kind == "passport")
    parsed = parse_id_number(number, today=rules.today, lenient=True)
    if parsed.permanent != (kind == "permanent"):
        raise Rejected(_("证件类型与证件号码不符"))
    if parsed.warning:
        hand.remarks.append(Problem.of(parsed.warning))
    return parsed.number


def _is_citizen(number: str, rules: Rules) -> bool:
    try:
        parse_id_number(number, today=rules.today)
    except Rejected:
        return False
    return True


def _mangled() -> Problem:
    return Problem.of(
        _("证件号码在表格里成了数值，15 位以后的数字已变成 0；请把该列设为文本，从原始资料重新填写")
    )


def _word_in(text: str, words: Mapping[str, tuple[str, ...]]) -> str | None:
    folded = text.strip().casefold()
    return next((value for value, names in words.items() if folded in names), None)
