"""What the report says, in Chinese and English: both stand in the file, a switch shows one."""

from __future__ import annotations

from html import escape

WORDS = {
    "title": ("校园模拟报告", "Campus simulation"),
    "passed": ("全部相符", "Everything adds up"),
    "failed": ("有不符之处", "Something does not add up"),
    "lead": (
        "真实的消费机程序对真实的服务器：两天相隔六天，各种故障，最后逐笔核对。",
        "Real till programs against a real server: two days that lie six days apart, every fault, then every sum.",
    ),
    "payments": ("每{unit}付款笔数", "Payments per {unit}"),
    "minute": ("分钟", "minute"),
    "seconds": ("5 秒", "5 seconds"),
    "items": ("未结差额（元）", "Open items (yuan)"),
    "numbers": ("数字", "Figures"),
    "faults": ("注入的故障", "Faults injected"),
    "sums": ("逐笔核对", "What was handed over against the books"),
    "refusals": ("拒绝", "Refusals"),
    "cases": ("差错案例", "Cases"),
    "broken": ("不符之处", "What does not hold"),
    "table": ("数据表", "Table"),
    "from_s": ("自（秒）", "From (s)"),
    "at_s": ("时刻（秒）", "At (s)"),
    "paid": ("联机", "online"),
    "paid_offline": ("脱机", "offline"),
    "torn_fen": ("拿卡过快", "torn"),
    "unwritten_fen": ("款未写卡", "unwritten"),
    "offline_fen": ("脱机流水未到", "offline"),
    "late_fen": ("重复扣款", "late"),
    "six_days": ("六天后", "six days later"),
    "back": ("静默终端恢复", "silent till back"),
    "server_killed": ("服务器被杀", "server killed"),
    "what": ("项目", "What"),
    "count": ("数量", "Count"),
    "yuan": ("元", "Yuan"),
    "seed": ("种子", "Seed"),
    "tills": ("消费机", "Tills"),
    "cards": ("卡", "Cards"),
    "selling_s": ("营业秒数", "Seconds of selling"),
    "taps": ("刷卡", "Taps"),
    "taps_per_s": ("每秒刷卡", "Taps per second"),
    "online_ms": ("联机刷卡 p50 / p99（毫秒）", "Online tap p50 / p99 (ms)"),
    "offline_ms": ("脱机刷卡 p50 / p99（毫秒）", "Offline tap p50 / p99 (ms)"),
    "levelled": ("平账", "Levelled"),
    "healed": ("十秒内补刷完成", "Finished by the same card within 10 s"),
    "verify": ("不变量检查", "Invariants checked"),
    "frozen": ("冻结账户", "Frozen accounts"),
    "tear": ("拿卡过快", "card pulled"),
    "outage": ("断网", "outage"),
    "power_cut": ("断电", "power cut"),
    "power_cut_in_sale": ("交易中断电", "power cut within a sale"),
    "clock_wrong": ("时钟错误", "clock wrong"),
    "upload_again": ("重复上传", "record uploaded again"),
    "void": ("撤销", "void"),
    "lost_answer": ("应答丢失", "answer lost"),
    "garbled_answer": ("应答损坏", "answer spoilt"),
    "no_connection": ("连接失败", "no connection"),
    "slow": ("应答太慢", "answer too slow"),
    "silent_till": ("终端静默六天", "till silent for six days"),
    "wiped": ("终端数据丢失", "till's disk lost"),
    "revoked": ("终端被盗注销", "till stolen and revoked"),
    "clone": ("复制卡", "card cloned"),
    "dump_restored": ("旧数据还原", "old content restored"),
    "loss_in_flight": ("交易中挂失", "loss reported in flight"),
    "double_tap_caught": ("重复刷卡拦下", "double tap caught"),
    "card_damaged": ("卡片损坏", "card damaged"),
    "keys": ("操作键", "operation keys"),
    "beeps": ("一声“嘀”", "beeps"),
    "voided": ("已撤销", "taken back"),
    "void_torn": ("撤销时拿卡过快", "taken back, card pulled"),
    "torn_charged": ("入库未出声（拿卡过快）", "charged without a beep (torn)"),
    "no_beep_no_charge": ("未出声未扣款", "no beep, no charge"),
    "lost_with_a_disk": ("随终端数据丢失", "lost with a till's disk"),
    "quarantined": ("隔离待查", "quarantined"),
    "suspect": ("存疑待查", "suspect"),
    "cards_compared": ("逐卡比对", "cards compared"),
    "cards_differ": ("有差额且已解释", "cards that differ, explained"),
    "handed_over": ("持卡人付出", "handed over"),
    "charged": ("已入库", "charged"),
}


def both(name: str, **values: str) -> str:
    """A phrase in both languages, as HTML; an unknown name stands for itself."""
    zh, en = WORDS.get(name, (name, name.replace("_", " ")))
    unit = WORDS.get(values.get("unit", ""), ("", ""))
    zh, en = zh.replace("{unit}", unit[0]), en.replace("{unit}", unit[1])
    return f'<span lang="zh-Hans">{escape(zh)}</span><span lang="en">{escape(en)}</span>'


def both_svg(name: str) -> str:
    """The same within a drawing."""
    zh, en = WORDS.get(name, (name, name))
    return f'<tspan lang="zh-Hans">{escape(zh)}</tspan><tspan lang="en">{escape(en)}</tspan>'
