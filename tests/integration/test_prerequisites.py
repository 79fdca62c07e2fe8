"""Promises of what a person is told whose machine lacks something."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/local/prerequisites.sh"
JAVA = "#!/bin/sh\necho 'openjdk version \"{}\"' >&2\n"


def told(folder: Path, programs: dict[str, str], *what: str, python: str = sys.executable) -> tuple[int, str]:
    """What the script says where only these programs are, and no Kafka was fetched."""
    path = folder / "bin"
    path.mkdir()
    for name in ("sh", "sed", "ls"):
        (path / name).symlink_to(str(shutil.which(name)))
    for name, text in programs.items():
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    done = subprocess.run(
        [str(path / "sh"), str(SCRIPT), python, *what],
        env={"PATH": str(path)}, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("programs", "command"),
    [
        ({}, "apt-get install default-jre-headless"),
        ({"java": JAVA.format("11.0.20")}, "apt-get install default-jre-headless"),
        ({"java": JAVA.format("17.0.15")}, "apt-get install maven"),
    ],
)
def test_what_is_missing_is_told_in_one_line_with_the_command_that_helps(
    tmp_path: Path, programs: dict[str, str], command: str
) -> None:
    """Java, a newer Java, Maven."""
    status, said = told(tmp_path, programs)
    assert status == 1
    assert len(said.splitlines()) == 1
    assert said.rstrip().endswith(f"Install it with: {command}")


def test_only_tests_need_a_browser_and_a_prometheus(tmp_path: Path) -> None:
    """The demo runs without."""
    programs = {"java": JAVA.format("21"), "mvn": "#!/bin/sh\n"}
    for number, (program, package) in enumerate(
        {"chromium": "chromium", "promtool": "prometheus", "amtool": "prometheus-alertmanager"}.items()
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        status, said = told(folder, programs, "tests")
        assert (status, said.rstrip().endswith(f"Install it with: apt-get install {package}")) == (1, True)
        programs[program] = "#!/bin/sh\n"


def test_the_library_that_drives_the_browser_is_asked_of_whoever_tests(tmp_path: Path) -> None:
    """Machines with a compiler have it, bare ones do not."""
    without = tmp_path / "python"
    without.write_text('#!/bin/sh\ncase "$2" in *libatomic*) exit 1 ;; esac\n')
    without.chmod(0o755)
    programs = {"java": JAVA.format("21")} | dict.fromkeys(("mvn", "chromium", "promtool", "amtool"), "#!/bin/sh\n")
    status, said = told(tmp_path, programs, "tests", python=str(without))
    assert (status, said.rstrip().endswith("Install it with: apt-get install libatomic1")) == (1, True)


def test_a_missing_python_is_told_first(tmp_path: Path) -> None:
    """Before anything needs it."""
    status, said = told(tmp_path, {}, python="python-that-is-not-there")
    assert (status, "Python 3.11 or newer is missing" in said) == (1, True)


def test_a_machine_that_has_everything_is_told_nothing(tmp_path: Path) -> None:
    """Silence is consent."""
    assert told(tmp_path, {"java": JAVA.format("21"), "mvn": "#!/bin/sh\n"}) == (0, "")
