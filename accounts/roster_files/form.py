"""The empty form to fill in: every column as text, so that no spreadsheet program changes a number."""

from __future__ import annotations

import io

from django.utils.translation import get_language
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation

from .columns import COLUMNS

_WIDTHS = {"school_no": 16, "name": 14, "kind": 12, "campus": 14, "unit": 28, "group": 18, "id_number": 24}
_ROWS = 2000
"""Cells that are text from the start."""


def empty_form(campuses: list[tuple[str, str]]) -> bytes:
    """The form in the language now active; ``campuses`` are (Chinese, English) names to choose from."""
    english = (get_language() or "").startswith("en")
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Roster" if english else "名册"
    for at, column in enumerate(COLUMNS, start=1):
        cell = sheet.cell(1, at, (column.en if english else column.zh) + (" *" if column.required else ""))
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DCEFEC")
        cell.alignment = Alignment(vertical="center")
        letter = cell.column_letter
        sheet.column_dimensions[letter].width = _WIDTHS.get(column.key, 16)
        sheet.column_dimensions[letter].number_format = "@"
        for line in range(2, _ROWS + 2):
            sheet.cell(line, at).number_format = "@"
    _choices(sheet, "C", ["student", "staff", "other"] if english else ["学生", "教职工", "其他人员"])
    _choices(sheet, "D", [names[1] if english else names[0] for names in campuses])
    sheet.freeze_panes = "A2"
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def _choices(sheet: object, letter: str, words: list[str]) -> None:
    rule = DataValidation(type="list", formula1='"' + ",".join(words) + '"', allow_blank=True)
    rule.add(f"{letter}2:{letter}{_ROWS + 1}")
    sheet.add_data_validation(rule)  # type: ignore[attr-defined]
