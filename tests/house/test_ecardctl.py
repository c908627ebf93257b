"""The command that sets everything up: secrets of its own, help when asked, one installation at a time."""

from __future__ import annotations

import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest

from ecard import env
from ecard.ctl import catalogues, debian, environment, keys
from ecard.ctl.environment import ROOT


def test_demo_secrets_are_random_private_and_stay_the_same(tmp_path):
    first = keys.demo_settings(tmp_path / "a" / "demo.env")
    other = keys.demo_settings(tmp_path / "b" / "demo.env")

    assert keys.demo_settings(tmp_path / "a" / "demo.env") == first
    assert not set(first.values()) & set(other.values()) - {"1", "0"}
    assert stat.S_IMODE((tmp_path / "a" / "demo.env").stat().st_mode) == 0o600
    assert {len(key) for name in keys.RINGS for key in env.key_ring(name, first[name]).values()} == {32}


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["help"], 0), (["nonsense"], 2)])
def test_whoever_asks_wrongly_is_told_the_commands(arguments, status):
    done = subprocess.run([ROOT / "ecardctl", *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == status
    for command in ("demo", "test", "check", "manage", "till"):
        assert command in done.stderr


class TestInterpreter:
    def of(
        self, monkeypatch, tmp_path, *, config: str, answer: str | None, prefix: str = "/somewhere"
    ) -> str:
        """What is chosen by a Python configured like this, beside a system's own that answers with this status."""
        monkeypatch.setattr(environment.sysconfig, "get_config_var", lambda name: config)
        monkeypatch.setattr(environment.sys, "base_prefix", prefix)
        own = tmp_path / "python3"
        if answer is not None:
            own.write_text(f"#!/bin/sh\nexit {answer}\n")
            own.chmod(0o755)
        chosen = environment.interpreter(str(own))
        return "system" if chosen == str(own) else "ours" if chosen == environment.sys.executable else chosen

    @pytest.mark.parametrize(
        ("config", "answer", "prefix", "chosen"),
        [
            ("--enable-shared", "0", "/somewhere", "system"),
            ("--enable-shared --enable-optimizations", "0", "/somewhere", "ours"),
            ("--enable-shared", "0", "/usr", "ours"),
            ("--enable-shared", "1", "/somewhere", "ours"),
            ("--enable-shared", None, "/somewhere", "ours"),
        ],
    )
    def test_a_python_without_optimisation_gives_way_to_an_able_one(
        self, monkeypatch, tmp_path, config, answer, prefix, chosen
    ):
        assert self.of(monkeypatch, tmp_path, config=config, answer=answer, prefix=prefix) == chosen

    def test_headers_are_looked_for_in_the_environment_s_own_python(self):
        assert environment.has_headers() == Path(sysconfig.get_path("include"), "Python.h").exists()


def test_the_environment_is_current_only_for_exactly_these_requirements(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path)
    (tmp_path / "requirements.txt").write_text("a==1\n")
    (tmp_path / "requirements.txt.installed").write_text(environment._digest("requirements.txt"))

    assert environment._is_current("requirements.txt")
    (tmp_path / "requirements.txt").write_text("a==2\n")
    assert not environment._is_current("requirements.txt")


def test_every_requirement_is_locked_by_hash_and_names_no_registry():
    for file in (environment.RUNTIME, environment.DEVELOPMENT, environment.READER):
        text = (ROOT / file).read_text()
        blocks = [block for block in text.split("\n") if "==" in block]
        assert all(block.endswith("\\") for block in blocks), file
        assert "://" not in text
        assert "--index" not in text


def test_every_dependency_says_why_it_is_there():
    for file in ("requirements.in", "requirements-dev.in", "requirements-reader.in"):
        lines = (ROOT / file).read_text().splitlines()
        assert all("#" in line for line in lines if line and not line.startswith("-")), file


def test_a_part_that_cannot_be_installed_is_named_with_the_reason(monkeypatch):
    part = debian.Part("flying", ("wings",), lambda: False)
    monkeypatch.setattr(debian, "PARTS", (part,))
    monkeypatch.setattr(debian, "_privilege", lambda: None)

    assert debian.install_missing() == ["flying: left out, neither root nor passwordless sudo (wings)"]


@pytest.mark.parametrize(
    ("archive", "taken"), [({"shell", "whole"}, "shell"), ({"whole"}, "whole"), (set(), "whole")]
)
def test_of_two_packages_the_first_that_the_archive_has_is_taken(monkeypatch, archive, taken):
    def show(command, **_):
        return subprocess.CompletedProcess(command, 0 if command[-1] in archive else 100)

    monkeypatch.setattr(debian.subprocess, "run", show)

    assert debian._first_known("shell | whole") == taken


PO = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "挂失"\nmsgstr "{}"\n'


@pytest.mark.parametrize(
    ("compiled", "now", "complaints"),
    [
        ("Report loss", "Report loss", []),
        ("Report loss", "Report a loss", ["x.po: 挂失 differs from the compiled catalogue"]),
        ("Report loss", "", ["x.po: 挂失 is not translated"]),
    ],
)
def test_a_compiled_catalogue_says_what_its_source_says(tmp_path, compiled, now, complaints):
    source = tmp_path / "x.po"
    source.write_text(PO.format(compiled))
    source.with_suffix(".mo").write_bytes(catalogues.compile_entries(catalogues.read_entries(source)))
    source.write_text(PO.format(now))

    assert catalogues.complaints(source) == complaints


def test_plural_forms_and_contexts_count_too(tmp_path):
    source = tmp_path / "x.po"
    source.write_text(
        PO.format("Report loss")
        + '\nmsgctxt "verb"\nmsgid "卡"\nmsgstr "clip"\n'
        + '\nmsgid "%d 天"\nmsgid_plural "%d 天"\nmsgstr[0] "%d day"\nmsgstr[1] "%d days"\n'
        + '\n#, fuzzy\nmsgid "冻结"\nmsgstr "freeze"\n\n#~ msgid "旧"\n#~ msgstr "old"\n'
    )
    source.with_suffix(".mo").write_bytes(catalogues.compile_entries(catalogues.read_entries(source)))

    assert catalogues.complaints(source) == ["x.po: 冻结 is not translated"]


def test_a_catalogue_without_a_compiled_one_is_named(tmp_path):
    source = tmp_path / "x.po"
    source.write_text(PO.format("Report loss"))

    assert catalogues.complaints(source) == ["x.po: there is no x.mo"]
