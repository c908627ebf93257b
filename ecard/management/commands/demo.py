"""`demo`: seed the demo campus, run the site and a simulated till, and say what to try."""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts import wiring
from accounts.models import Account
from ecard.demo import alerts, staff
from ecard.demo import once as story
from ecard.demo.counters import live_at_the_counters
from ecard.demo.stage import NotReady, Stage, free_port
from ecard.demo.story import INITIAL_PIN, QUERY_PIN, STILL_INITIAL, STORIES


class Command(BaseCommand):
    """`ecardctl demo` has made the database and migrated it before."""

    help = "Run the demo campus. --once plays its story without a browser and prints one JSON object."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--once", action="store_true")

    def handle(self, *args: Any, port: int, once: bool, **options: Any) -> None:
        """Everything that is started here is ended here."""
        if not settings.DEMO:
            raise CommandError("只在演示环境中可用 (ECARD_DEMO=1)")
        if once:
            self._play_once()
            return
        stage = Stage(settings.BASE_DIR / "var" / "demo", port)
        self._prepare(stage)
        try:
            with stage.open():
                stage.enrol_till()
                stage.start(stage.till_command("--ui", f"127.0.0.1:{port + 1}"))
                desk = stage.enrol_desk()
                if desk:
                    stage.start(stage.desk_command("--ui", f"127.0.0.1:{port + 2}"))
                self._say_what_to_try(stage, desk=desk)
                stage.watch()
        except NotReady as problem:
            raise CommandError(str(problem)) from problem
        except KeyboardInterrupt:
            self.stdout.write("\n演示结束。")

    def _play_once(self) -> None:
        with tempfile.TemporaryDirectory(prefix="ecard-demo-") as folder:
            stage = Stage(Path(folder), free_port())
            self._prepare(stage, quiet=True)
            with stage.open():
                stage.enrol_till()
                played = story.play(stage)
        self.stdout.write(json.dumps(played, ensure_ascii=False, indent=1))
        if not played["ok"]:
            raise SystemExit(1)

    def _prepare(self, stage: Stage, *, quiet: bool = False) -> None:
        if Account.objects.exists():
            if not stage.cards.is_dir():
                raise CommandError(
                    f"数据库已有演示数据，但 {stage.cards.name} 不见了；请删除 var/ 后重新运行"
                )
        else:
            out = StringIO() if quiet else self.stdout
            call_command("seed_demo", "--size", "small", "--wallet", str(stage.cards), stdout=out)
        stage.folder.mkdir(parents=True, exist_ok=True)
        live_at_the_counters(wiring.now(), wallet=stage.cards, desk_config=stage.desk_config)
        alerts.make_alerts(wiring.now())

    def _say_what_to_try(self, stage: Stage, *, desk: bool) -> None:
        self.stdout.write("\n校园卡演示已就绪（Ctrl-C 结束）\n")
        self.stdout.write(f"  网站     {stage.url}/")
        self.stdout.write(
            f"  消费机   http://127.0.0.1:{stage.port + 1}/   选一张卡放到读卡区；可以“拿卡过快”，也可以断网"
        )
        if desk:
            self.stdout.write(
                f"  读卡器   http://127.0.0.1:{stage.port + 2}/   柜台的读卡器：把卡放上去，对账台上才能读卡、解冻"
            )
        self.stdout.write(
            f"  发出的信 {settings.OUTBOX.relative_to(settings.BASE_DIR)}/   提醒邮件、短信和验证码，每 20 秒发一次"
        )
        self.stdout.write(f"  工作人员 {stage.url}/counter/   后台 {stage.url}/admin/\n")
        for username, name, role, does in staff.tasks():
            self.stdout.write(f"  {username:<9} {name} · {role.label}：{does}")
        self.stdout.write(
            f"  密码都是 {staff.PASSWORD}  动态码 {staff.present_code()}（./ecardctl manage demo_code 看新的）\n"
        )
        for told in sorted(STORIES, key=lambda story: story.number):
            pin = f"{INITIAL_PIN} (初始密码)" if told.number in STILL_INITIAL else QUERY_PIN
            self.stdout.write(f"  {told.number}  查询密码 {pin}  {told.tells}")
        self.stdout.write("")
        self.stdout.flush()
