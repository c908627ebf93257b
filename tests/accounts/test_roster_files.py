"""Files that offices make (reliability.md section 7, items 68 to 77): refused in words, never guessed."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import pytest
from openpyxl import load_workbook

from accounts.roster_files import sheets
from accounts.roster_files.columns import COLUMNS, find_columns
from accounts.roster_files.form import empty_form
from accounts.roster_files.persons import Rules, read_person
from accounts.roster_files.sheets import MAX_ROWS, Problem, Unreadable
from accounts.roster_files.texts import Doubtful, Encoding, read_text
from accounts.roster_files.workbooks import UNPACKED_MAX
from accounts.services.roster import read_table, shown_name
from tests import faults
from tests.accounts.roster import HEADER, csv, id_number, person, xlsx

RULES = Rules({"崂山校区": 1, "laoshan": 1, "鱼山校区": 2}, date(2026, 11, 23))
FEW = ("学工号", "姓名", "人员类别", "校区")


def people(data: bytes, name: str = "a.xlsx", **other):
    found = find_columns(read_table(name, data, **other))
    return [read_person(row, found, RULES) for row in found.rows]


def said(data: bytes, name: str = "a.xlsx", **other) -> str:
    """What the file as a whole is refused with."""
    with pytest.raises(Unreadable) as refused:
        find_columns(read_table(name, data, **other))
    return str(refused.value.problem)


def objections(**cells) -> list[str]:
    """What is said about one row."""
    (reading,) = people(xlsx(person(1, **cells)))
    return [str(problem) for problem in reading.problems]


def test_a_row_is_read_as_it_was_typed():
    (reading,) = people(xlsx(person(1)))

    assert not reading.problems
    assert not reading.remarks
    assert (reading.school_no, reading.name, reading.kind, reading.campus_id) == (
        "20260000001",
        "李洋海",
        "student",
        1,
    )
    assert (reading.unit, reading.group, reading.year) == ("示范学院2", "2026级2-1班", 2030)
    assert (reading.document_kind, reading.id_number, reading.line) == ("resident", id_number(1), 2)


def test_columns_are_found_by_name_in_any_order_and_language():
    header = ("ID number", " name ", "Kind *", "Campus（校区）", "STUDENT NUMBER")
    (reading,) = people(xlsx((id_number(1), "Anna Li", "student", "laoshan", "20260000001"), header=header))

    assert (reading.school_no, reading.name, reading.id_number) == ("20260000001", "Anna Li", id_number(1))


def test_a_title_above_the_header_and_a_total_below_are_no_people():
    """Item 76."""

    def title(_book, sheet):
        sheet.insert_rows(1)
        sheet["A1"] = "2026 级新生名册"
        sheet.merge_cells("A1:I1")

    found = find_columns(read_table("a.xlsx", xlsx(person(1), ("合计", "1 人"), edit=title)))

    assert [row.line for row in found.rows] == [3]
    assert [str(note) for note in found.notes] == ["第 4 行是合计，没有读取"]


def test_a_column_nobody_asked_for_is_named_and_not_read():
    """PIPL art. 6: no more than the card needs."""
    found = find_columns(
        read_table("a.xlsx", xlsx((*person(1), "男", "青岛"), header=(*HEADER, "性别", "家庭住址")))
    )

    assert [str(note) for note in found.notes] == ["这些列没有读取：性别、家庭住址"]
    assert set(found.places) == {column.key for column in COLUMNS}


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.csv", "文件是空的"),
        (b"\xef\xbb\xbf", "a.csv", "没有找到表头"),
        (b" \r\n \r\n", "a.csv", "文件是空的"),
        (csv(), "a.csv", "文件里只有表头，没有人员"),
        (xlsx(), "a.xlsx", "文件里只有表头，没有人员"),
        (xlsx(person(1), header=HEADER[1:]), "a.xlsx", "缺少这些列：学工号"),
        (csv(("1", "2")), "a.pdf", "只接受 xlsx 和 CSV 文件"),
        (xlsx(person(1)), "a.csv", "扩展名是 CSV，内容却不是文本"),
        (csv(person(1)), "a.xlsx", "扩展名是 xlsx，内容却不是"),
        (xlsx(person(1)), "a.xlsm", "文件含有宏"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "a.xls", "旧版 xls"),
        (b"PK\x03\x04" + bytes(100), "a.xlsx", "不是完整的 xlsx"),
        (xlsx(person(1))[:-40], "a.xlsx", "不是完整的 xlsx"),
        (csv(person(1)).replace(b"\r\n", b"\x00\r\n"), "a.csv", "不可见的控制字符"),
        (csv(person(1), header=(*HEADER, "学号")), "a.csv", "有两列都是学工号"),
        (("学工号,姓名,人员类别,校区\r\n" + "1,\"张,学生,崂山\r\n").encode(), "a.csv", "引号不成对"),
        (csv(person(1)) + b"x," * 70, "a.csv", "太多了"),
    ],
    ids=[
        "empty", "only a mark", "only blanks", "header only csv", "header only xlsx", "column missing", "pdf",
        "xlsx named csv", "csv named xlsx", "macros by name", "old xls", "no archive", "cut off", "nul",
        "column twice", "open quote", "70 columns",
    ],
)  # fmt: skip
def test_a_file_that_is_no_roster_is_refused_as_a_whole(data, name, reason):
    """Items 68, 69, 71, 74."""
    assert reason in said(data, name)


def archive(edit) -> bytes:
    """A workbook whose archive somebody worked on."""
    kept = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx(person(1)))) as old,
        zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
        edit(new)
    return kept.getvalue()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda z: z.writestr("xl/media/zeros.bin", bytes(UNPACKED_MAX)), "文件解开后太大"),
        (lambda z: z.writestr("xl/media/zeros.bin", bytes(5_000_000)), "文件解开后太大"),
        (lambda z: z.writestr("../../etc/passwd", b"x"), "内部结构不正常"),
        (lambda z: z.writestr("/abs.xml", b"x"), "内部结构不正常"),
        (lambda z: z.writestr("xl/vbaProject.bin", b"x"), "文件含有宏"),
        (lambda z: [z.writestr(f"x/{n}.bin", b"") for n in range(501)], "内部结构不正常"),
        (lambda z: z.writestr("xl/x.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), "内部结构不正常"),
    ],
    ids=["bomb by sum", "bomb by ratio", "path upward", "path from root", "macro", "501 members", "entities"],
)  # fmt: skip
def test_what_stands_in_a_workbook_s_archive_is_looked_at_before_it_is_opened(edit, reason):
    """Item 74: zip bomb, path names, macros."""
    assert reason in said(archive(edit))


def test_hidden_rows_and_merged_cells_are_refused_with_their_place():
    def hide(_book, sheet):
        sheet.row_dimensions[3].hidden = True

    def merge(_book, sheet):
        sheet.merge_cells("E2:E3")

    assert said(xlsx(person(1), person(2), edit=hide)) == "有 1 行被隐藏或筛掉（第 3 行），请全部显示后再导入"
    assert said(xlsx(person(1), person(2), edit=merge)) == "E2:E3 是合并的单元格，请取消合并"


def test_only_the_first_sheet_is_read_and_that_is_said():
    def more(book, _sheet):
        book.create_sheet("去年").append(["x"])

    table = read_table("a.xlsx", xlsx(person(1), edit=more))

    assert [str(note) for note in table.notes] == ["只读取了第一张工作表：Sheet"]


@pytest.mark.parametrize("make", [xlsx, csv], ids=["xlsx", "csv"])
def test_a_million_rows_are_refused_before_they_are_read(make):
    """Item 73. Both sides of the bound stand in one file: a lone cell far below."""
    name = "a.xlsx" if make is xlsx else "a.csv"
    rows = [("1", "2", "3", "4")] * (MAX_ROWS + 20)

    assert said(make(*rows, header=FEW), name) == "一个文件最多 20000 人，请分成几个文件"


def test_a_cell_in_the_last_line_of_the_sheet_is_no_million_rows():
    def far(_book, sheet):
        sheet["A1048576"] = "x"

    assert "最多 20000 人" in said(xlsx(person(1), edit=far))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_chinese_header_proves_the_encoding(encoding, comma):
    """Item 70: never mojibake. Names outside the basic plane too."""
    (reading, other) = people(
        csv(person(1), person(2, name="𠮷田·买买提"), encoding=encoding, comma=comma), "a.csv"
    )

    assert (reading.name, other.name) == ("李洋海", "𠮷田·买买提")
    assert not reading.problems


def test_without_a_chinese_header_gbk_is_asked_about():
    header = ("Student number", "Name", "Kind", "Campus")
    data = csv(("20260000001", "联通", "student", "laoshan"), header=header, encoding="gb18030")

    with pytest.raises(Doubtful) as doubt:
        read_text(data)

    lines = {sample.encoding: sample.lines[1] for sample in doubt.value.samples}
    assert lines[Encoding.GB18030] == "20260000001,联通,student,laoshan"
    assert "联通" not in lines.get(Encoding.UTF8, "")
    assert people(data, "a.csv", encoding=Encoding.GB18030)[0].name == "联通"


def test_plain_ascii_needs_no_question():
    header = ("Student number", "Name", "Kind", "Campus")

    assert people(
        csv(("20260000001", "Anna", "student", "laoshan"), header=header, encoding="ascii"), "a.csv"
    )


def test_a_wrong_choice_of_encoding_is_refused():
    header = ("Student number", "Name", "Kind", "Campus")
    data = csv(("20260000001", "王海", "student", "laoshan"), header=header, encoding="gb18030")

    assert "不是所选的编码" in said(data, "a.csv", encoding=Encoding.UTF8)


def test_an_encoding_that_is_none_of_both_is_refused():
    data = "学工号,姓名,人员类别,校区\r\n1,é,x,y\r\n".encode()[:-8] + b"\xff\xff\xfe\x81\x00"[:3]

    assert said(data, "a.csv") == "看不出文件的编码，请另存为 UTF-8 编码的 CSV 或 xlsx"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"id_number": 3.70202200409170e17}, "证件号码在表格里成了数值"),
        ({"id_number": 370202200409170114}, "证件号码在表格里成了数值"),
        ({"id_number": "3.70202E+17"}, "科学计数法"),
        ({"id_number": "370202200409170000"}, "证件号码在表格里成了数值"),
        ({"id_number": "370202200409170115"}, "校验位不正确"),
        ({"id_number": "37020220040917011"}, "应为 18 位"),
        ({"id_number": "370202040917011"}, "15 位旧号码"),
        ({"id_number": "37020220040230011X"}, "出生日期不存在"),
        ({"id_number": "３７０２０２２００４０９１７０１１４"}, "半角"),
        ({"id_number": "", "document_kind": "护照"}, "有证件类型，没有证件号码"),
        ({"id_number": "E12345678", "document_kind": "军官证"}, "证件类型应为"),
        ({"id_number": id_number(1), "document_kind": "外国人永久居留证"}, "证件类型与证件号码不符"),
        ({"school_no": "12345"}, "学号或工号不能是 5 位数字"),
        ({"school_no": "2026-001"}, "学号或工号由 4 至 20 位"),
        ({"school_no": ""}, "学号或工号由 4 至 20 位"),
        ({"school_no": 2026.5}, "已不完整"),
        ({"school_no": 20260000001234567}, "已不完整"),
        ({"school_no": date(2026, 9, 1)}, "被表格软件改成了日期"),
        ({"name": ""}, "请填写姓名"),
        ({"name": "王\u202e海"}, "不可见字符"),
        ({"name": "=1+1"}, "姓名是公式"),
        ({"name": True}, "姓名不是文字"),
        ({"name": "#N/A"}, "姓名是出错的单元格"),
        ({"name": "王" * 51}, "最多 50 个字符"),
        ({"kind": "领导"}, "人员类别应为"),
        ({"kind": ""}, "人员类别应为"),
        ({"campus": "火星校区"}, "没有这个校区"),
        ({"year": "三零"}, "离校年份应为四位数字"),
        ({"unit": "学" * 61}, "最多 60 个字符"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_in_words(cells, reason):
    """Items 34 to 48 and 75, as files bring them."""
    found = objections(**cells)

    assert found
    assert reason in found[0]


def test_spaces_and_hyphens_in_a_number_are_dropped_and_a_lower_x_is_one():
    """Items 36 and 41."""
    number = "37020220040917123X"
    spaced = f"{number[:6]} {number[6:14]}-{number[14:].lower()}"

    (reading,) = people(xlsx(person(1, id_number=spaced)))

    assert reading.id_number == number


def test_a_number_cell_keeps_its_leading_zeros_only_by_its_format():
    def zeros(_book, sheet):
        sheet["A2"], sheet["A3"] = 260001, 260002
        sheet["A2"].number_format = "00000000"

    padded, bare = people(xlsx(person(1), person(2), edit=zeros))

    assert padded.school_no == "00260001"
    assert not padded.remarks
    assert [str(remark) for remark in bare.remarks] == ["学工号在表格里是数值；如果原来以 0 开头，0 已丢失"]


def test_leading_zeros_of_text_stay():
    assert people(xlsx(person(1, school_no="00260001")))[0].school_no == "00260001"


def test_a_row_with_more_cells_than_the_header_is_refused():
    """Item 71: wrong column count at row n."""
    (reading,) = people(csv((*person(1), "多", "余")), "a.csv")

    assert [str(problem) for problem in reading.problems] == ["这一行比表头多 2 列，可能错位"]


def test_passports_and_permits_have_their_own_form():
    rows = [
        person(1, document_kind="护照", id_number="E1234 5678"),
        person(2, document_kind="通行证", id_number="H12345678"),
        person(3, document_kind="护照", id_number="!"),
    ]
    passport, permit, wrong = people(xlsx(*rows))

    assert (passport.document_kind, passport.id_number) == ("passport", "E12345678")
    assert (permit.document_kind, permit.id_number) == ("permit", "H12345678")
    assert wrong.problems


def test_the_empty_form_is_all_text_and_reads_back_whatever_is_typed():
    book = load_workbook(io.BytesIO(empty_form([("崂山校区", "Laoshan")])))
    sheet = book.worksheets[0]
    assert {sheet.cell(2, at).number_format for at in range(1, len(COLUMNS) + 1)} == {"@"}
    for at, value in enumerate(person(1), start=1):
        sheet.cell(2, at, value)
    kept = io.BytesIO()
    book.save(kept)

    (reading,) = people(kept.getvalue())

    assert not reading.problems
    assert reading.id_number == id_number(1)


def test_a_problem_is_said_in_the_reader_s_language():
    from django.utils.translation import override

    kept = Problem.from_json(objections_of(kind="x"))

    assert str(kept) == "人员类别应为学生、教职工或其他人员"
    with override("en"):
        assert str(kept) == "The kind must be student, staff or other"


def objections_of(**cells):
    (reading,) = people(xlsx(person(1, **cells)))
    return reading.problems[0].to_json()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../名册.xlsx", "名册.xlsx"),
        ("C:\\用户\\名册.xlsx", "名册.xlsx"),
        ("a\r\nb\u202ec.csv", "abc.csv"),
        ("", "-"),
        ("a" * 300, "a" * 80),
    ],
)
def test_a_file_s_name_is_shown_without_path_and_tricks(name, shown):
    """Items 52 and 74."""
    assert shown_name(name) == shown


def test_any_bytes_at_all_are_read_or_refused_and_never_a_fault():
    """Every truncation and many flipped bytes of a good workbook and a good CSV."""
    cases = wrong = 0
    for data, name in ((xlsx(person(1), person(2)), "a.xlsx"), (csv(person(1), encoding="gb18030"), "a.csv")):
        broken = [data[:end] for end in range(0, len(data), max(1, len(data) // 60))]
        broken += [
            data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
            for at in range(0, len(data), max(1, len(data) // 150))
        ]
        for each in broken:
            cases += 1
            try:
                people(each, name)
            except (Unreadable, Doubtful):
                continue
            except Exception:  # noqa: BLE001 - that is the question
                wrong += 1

    faults.report("ROSTER-BYTES", cases, wrong)
    assert wrong == 0


def test_rows_survive_being_kept_between_two_steps():
    rows = read_table("a.xlsx", xlsx(person(1), person(2, id_number=3.7e17))).rows

    assert sheets.from_json(sheets.to_json(rows)) == rows
