"""Builds the Debian package: `python deb/build.py FOLDER` writes FOLDER/smartbox_VERSION_ARCHITECTURE.deb.

Made with dpkg-deb alone from a staging folder: the environment /usr/lib/smartbox with every wheel of
requirements.lock that the program needs, for the architecture and the Python of the machine that builds; units and
rules; documents. Two builds of one commit with one set of wheels are the same bytes.
"""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HERE: Final = ROOT / "deb"
PACKAGE: Final = "smartbox"
MINOR: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The environment holds compiled modules of this Python, so the package depends on exactly it."""
HOME: Final = Path("usr/lib/smartbox")
SITE: Final = HOME / f"lib/python{MINOR}/site-packages"
UNITS: Final = Path("usr/lib/systemd/system")
GETTY: Final = UNITS / "getty@.service.d/smartbox.conf"

FILES: Final = {
    "systemd/smartbox.target": UNITS,
    "systemd/smartbox-capture.service": UNITS,
    "systemd/smartbox-engine.service": UNITS,
    "systemd/smartbox-console@.service": UNITS,
    "systemd/getty.conf": GETTY,
    "systemd/sysusers.conf": Path("usr/lib/sysusers.d/smartbox.conf"),
    "systemd/tmpfiles.conf": Path("usr/lib/tmpfiles.d/smartbox.conf"),
    "systemd/journald.conf": Path("usr/lib/systemd/journald.conf.d/60-smartbox.conf"),
    "systemd/manager.conf": Path("usr/lib/systemd/system.conf.d/60-smartbox.conf"),
    "systemd/sysctl.conf": Path("usr/lib/sysctl.d/60-smartbox.conf"),
    "systemd/udev.rules": Path("usr/lib/udev/rules.d/60-smartbox.rules"),
    "deb/smartbox.toml": Path("etc/smartbox/smartbox.toml"),
    "deb/smartbox.sh": Path("usr/bin/smartbox"),
    "deb/copyright": Path("usr/share/doc/smartbox/copyright"),
    "deb/lintian-overrides": Path("usr/share/lintian/overrides/smartbox"),
}
DROPPED: Final = (
    "**/tests",
    "**/test",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.h",
    "bin",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "pydicom/data/test_files",
    "pydicom/data/charset_files",
    "pynetdicom/apps",
    "pynetdicom/benchmarks",
    "peewee-stubs",
    "*.dist-info/RECORD",  # of what is no longer there
    "*.dist-info/direct_url.json",  # of this machine
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
)
"""Tests, headers and tools of libraries, which nothing of ours imports."""
LOCALES: Final = re.compile(r"(root|de|en)(_[A-Z]{2}|_\d+)?\.dat")


def main(out: Path) -> Path:
    """The package, built. Raises CalledProcessError with the tool's own words on standard error."""
    architecture = _output("dpkg", "--print-architecture")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{PACKAGE}_{version}_{architecture}.deb"
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _output("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    os.environ["SOURCE_DATE_EPOCH"] = epoch  # dpkg-deb's own files follow it, too
    with tempfile.TemporaryDirectory(dir=out) as work:
        stage = Path(work) / "stage"
        _environment(stage, Path(work))
        _files(stage)
        _documents(stage, version, int(epoch))
        _byte_compile(stage)
        _permissions(stage)
        _control(stage, version, architecture)
        _times(stage, int(epoch))
        options = ("--root-owner-group", "-Zzstd", "-z15")  # unpacked in a moment, on a small box, too
        _run("dpkg-deb", *options, "--build", str(stage), str(Path(work) / target.name))
        (Path(work) / target.name).rename(target)
    return target


def _environment(stage: Path, work: Path) -> None:
    """What `python -m venv` makes, for the place where it will lie: no path of this machine gets into it."""
    (stage / SITE).mkdir(parents=True)
    (stage / HOME / "bin").mkdir()
    (stage / HOME / "bin/python3").symlink_to(f"/usr/bin/python{MINOR}")
    said = ("home = /usr/bin", "include-system-site-packages = false", f"version = {MINOR}")
    (stage / HOME / "pyvenv.cfg").write_text("\n".join(said) + "\n")
    needed = work / "requirements.txt"
    needed.write_text(requirements(), "utf-8")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
    install = ("install", "--target", str(stage / SITE), "--no-compile", "--no-deps")
    _run(*pip, *install, "--only-binary", ":all:", "--require-hashes", "--requirement", str(needed))
    source = work / "source"  # a copy: a build in the tree would pack what an earlier one left in build/
    ignored = shutil.ignore_patterns("__pycache__", "*.po", "*.pot")
    for room in ("smartbox_tui", "hw"):
        shutil.copytree(ROOT / room, source / room, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _run(*pip, *install, "--no-build-isolation", str(source))
    for pattern in DROPPED:
        for path in sorted((stage / SITE).glob(pattern), reverse=True):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in (stage / SITE / "babel/locale-data").glob("*.dat"):
        if not LOCALES.fullmatch(path.name):
            path.unlink()


def requirements() -> str:
    """The part of requirements.lock that the program needs at run time, hashes and all.

    Raises SystemExit where the environment that runs this lacks one of them: `make env` mends that.
    """
    blocks: dict[str, list[str]] = {}  # one name has several, with markers, where versions differ by Python
    for block in re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text("utf-8").strip()):
        blocks.setdefault(_name(re.match(r"[\w.\-]+", block).group()), []).append(block)  # type: ignore[union-attr]
    wanted, todo = set(), ["smartbox-tui"]
    while todo:
        name = todo.pop()
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            sys.exit(f"{name} is not in this environment, so what it needs is not known: make env")
        for text in requires:
            marker = text.partition(";")[2]
            other = _name(re.match(r"[\w.\-]+", text).group())  # type: ignore[union-attr]
            if other not in wanted and "extra" not in marker and (not marker or _installed(other)):
                wanted.add(other)
                todo.append(other)
    if missing := wanted - set(blocks):
        sys.exit(f"Not in requirements.lock: {', '.join(sorted(missing))}: make lock")
    return "\n".join(block for name in sorted(wanted) for block in blocks[name]) + "\n"


def _installed(name: str) -> bool:
    """Whether a requirement with a marker (of another Python, another system) holds here."""
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def _files(stage: Path) -> None:
    for source, place in FILES.items():
        target = stage / (place / Path(source).name if place == UNITS else place)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, target)


def _documents(stage: Path, version: str, epoch: int) -> None:
    documents = stage / "usr/share/doc/smartbox"
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        shutil.copyfile(path, documents / path.name)
    (documents / "CHANGELOG.md.gz").write_bytes(gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0))
    (documents / "changelog.gz").write_bytes(gzip.compress(changelog(version, epoch).encode(), mtime=0))


def changelog(version: str, epoch: int) -> str:
    """As deb-changelog(5) wants it, of one entry: people read the other one."""
    maintainer = re.search(r"^Maintainer: (.+)$", (HERE / "control").read_text("utf-8"), re.M)[1]  # type: ignore[index]
    at = email.utils.formatdate(epoch)
    return (
        f"{PACKAGE} ({version}) stable; urgency=medium\n\n"
        f"  * What is new stands in CHANGELOG.md.gz beside this file.\n\n -- {maintainer}  {at}\n"
    )


def _byte_compile(stage: Path) -> None:
    """Once here, not at every start of the box, which cannot write there. Never compared with a time: the package
    manager changes both together."""
    mode = ("--invalidation-mode", "unchecked-hash")
    place = ("-s", str(stage), "-p", "/")
    _run(sys.executable, "-m", "compileall", "-q", "-j", "2", *mode, *place, str(stage / SITE))


def _permissions(stage: Path) -> None:
    for path in stage.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == stage / "usr/bin/smartbox" else 0o644)
    (stage / "etc/smartbox").chmod(0o750)  # keys and passwords of the archives may stand beside it
    (stage / "etc/smartbox/smartbox.toml").chmod(0o640)


def _control(stage: Path, version: str, architecture: str) -> None:
    files = [path for path in sorted(stage.rglob("*")) if path.is_file() and not path.is_symlink()]
    size = sum((path.stat().st_size + 1023) // 1024 for path in files)
    debian = stage / "DEBIAN"
    debian.mkdir(mode=0o755)
    major, minor = MINOR.split(".")
    values = {
        "VERSION": version,
        "ARCHITECTURE": architecture,
        "SIZE": str(size),
        "PYTHON": MINOR,
        "NEXT_PYTHON": f"{major}.{int(minor) + 1}",
    }
    for name in ("control", "conffiles", "postinst", "prerm", "postrm"):
        text = (HERE / name).read_text("utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        (debian / name).write_text(text, "utf-8")
        (debian / name).chmod(0o755 if name.startswith(("pre", "post")) else 0o644)
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(stage)}\n" for path in files]  # noqa: S324
    (debian / "md5sums").write_text("".join(line for line in sums if "  etc/" not in line))
    (debian / "md5sums").chmod(0o644)


def _times(stage: Path, epoch: int) -> None:
    """Files made now get the commit's time (SOURCE_DATE_EPOCH)."""
    for path in (stage, *stage.rglob("*")):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    print(main(Path(sys.argv[1]).absolute()))  # noqa: T201
