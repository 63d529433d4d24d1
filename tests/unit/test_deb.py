"""The Debian package's own parts, without building it: that takes a minute and the network, and is `make deb`."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("postinst", "prerm", "postrm", "smartbox.sh")


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deb_build", ROOT / "deb/build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_environment_gets_what_the_program_needs_and_no_tools(build: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = build.requirements()
    names = set(re.findall(r"^([\w.\-]+)==", text, re.M))
    for wanted in project["project"]["dependencies"]:
        assert re.match(r"[\w\-]+", wanted)[0] in names  # type: ignore[index]
    for tool in project["dependency-groups"]["dev"]:
        assert re.match(r"[\w\-]+", tool)[0] not in names  # type: ignore[index]
    assert {"aiosignal", "yarl", "rich"} <= names  # what the dependencies need themselves
    assert text.count("--hash=sha256:") > len(names)


def test_every_file_of_the_package_exists_and_every_one_below_etc_is_a_conffile(build: ModuleType) -> None:
    for source in build.FILES:
        assert (ROOT / source).is_file(), source
    below_etc = [f"/{place}" for place in build.FILES.values() if place.parts[0] == "etc"]
    assert (ROOT / "deb/conffiles").read_text().split() == below_etc
    left = {path.name for path in (ROOT / "systemd").iterdir()} - {Path(source).name for source in build.FILES}
    assert left == set(), "in systemd/ and not in the package"


def test_only_languages_of_the_console_stay(build: ModuleType) -> None:
    for name in ("root.dat", "de.dat", "de_AT.dat", "en.dat", "en_001.dat", "en_GB.dat"):
        assert build.LOCALES.fullmatch(name)
    for name in ("fr.dat", "dsb.dat", "enm.dat", "den.dat"):
        assert not build.LOCALES.fullmatch(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_for_a_plain_shell(name: str) -> None:
    path = ROOT / "deb" / name
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_example_of_the_settings_is_all_commented_and_loads(build: ModuleType) -> None:
    from smartbox_tui.settings.load import load
    from smartbox_tui.settings.schema import Settings

    example = ROOT / "deb/smartbox.toml"
    assert load(example, None, {}).settings == Settings()


def test_the_example_is_right_where_somebody_uncomments_it(tmp_path: Path) -> None:
    from smartbox_tui.settings.load import load

    lines = (ROOT / "deb/smartbox.toml").read_text().splitlines()
    settings = [line[2:] for line in lines if re.match(r"# (\[\[?\w+\]\]?|\w+ = )", line)]
    (tmp_path / "box.toml").write_text("\n".join(settings))
    loaded = load(tmp_path / "box.toml", None, {}).settings
    assert loaded.sources[0].id == "endo"
    assert loaded.destinations[0].aet == "PACS"
    assert loaded.worklist.host == "10.0.0.6"


def test_the_changelog_is_one_that_debians_tools_read(build: ModuleType) -> None:
    text = build.changelog("1.2.3", 1_700_000_000)
    heading, empty, change, blank, trailer = text.splitlines()
    assert heading == "smartbox (1.2.3) stable; urgency=medium"
    assert (empty, blank, change[:4]) == ("", "", "  * ")
    assert re.fullmatch(r" -- .+ <\S+@\S+>  Tue, 14 Nov 2023 22:13:20 [+-]0000", trailer)  # two blanks
