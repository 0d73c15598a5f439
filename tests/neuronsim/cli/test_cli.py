"""The command line: one clear message for each mistake, the right exit status, nothing half-written."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuronsim.circuits import KINDS
from neuronsim.cli import main
from neuronsim.cli.characterize import _warn_of_old_card
from neuronsim.cli.common import console, settings, show_tables, typed_command
from neuronsim.cli.plan_fields import fields_of
from neuronsim.errors import InputError
from neuronsim.report.page.elements import Table

NEURONSIM = [sys.executable, "-m", "neuronsim"]


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder; returns (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        status = exit_.value.code
        return (status if isinstance(status, int) else 1), " ".join(out.split()), " ".join(err.split())

    return run


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["characterize", "pll_nlif_averagd"], 2, "Did you mean 'pll_nlif_averaged'"),
        (["characterize", "pll_nlif_averaged", "--plan", "tabel3"], 2, "Did you mean 'table3'"),
        (["characterize", "pll_nlif_averaged", "--plan", "fi"], 2, "is for rate neurons"),
        (["characterize", "pll_nlif_averaged", "--set", "tau=zero"], 2, "tau=25n"),
        (["characterize", "pll_nlif_averaged", "--set", "tau=nan"], 2, "finite number"),
        (["characterize", "lif_behavioral", "--set", "rleak=0"], 2, "must be above 0 ohm"),
        (["characterize", "pll_nlif_averaged", "--engine", "spectre"], 2, "unknown engine"),
        (["characterize", "nowhere.toml"], 2, "no manifest"),
        (["calibrate", "nowhere.nc"], 2, "no dataset"),
        (["train", "demo_mnist_4bits"], 2, "Did you mean 'demo_mnist_4bit'"),
        (["evaluate", "nowhere"], 2, "nowhere"),
        (["report", "nowhere"], 2, "nowhere"),
        (["characterise"], 2, "No such command"),
        (["characterize"], 2, "Missing argument"),
    ],
)
def test_mistakes_get_one_clear_message(call, tmp_path, arguments, status, says):
    got, _, err = call(*arguments)
    assert (got, says in err) == (status, True), err
    assert list(tmp_path.iterdir()) == []


def test_corrupt_files(call, tmp_path):
    (tmp_path / "bad.nc").write_bytes(b"\x89HDF\r\n\x1a\nbut no more")
    status, _, err = call("calibrate", tmp_path / "bad.nc")
    assert status == 4
    assert "bad.nc is corrupt" in err
    assert [p.name for p in tmp_path.iterdir()] == ["bad.nc"]


def test_unwritable_output(call, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, _, err = call(
        "characterize", "lif_behavioral", "--plan", "fi", "--out", tmp_path / "file" / "x.nc", "--quiet"
    )
    assert status == 5
    assert "cannot write" in err


def test_characterize_calibrate_report(call, tmp_path, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text("[transfer]\ntrials = 60\n[saturation]\n")
    assert (
        call("characterize", "pll_nlif_averaged", "--plan", plan, "--out", "a/pll.nc", "--quiet", "--seed", "3")[0] == 0
    )
    status, out, _ = call("calibrate", "a/pll.nc")
    assert status == 0
    assert "held-out error: median" in out
    assert "not fitted" in out
    assert call("report", "a")[0] == 0
    made = {path.name for path in (tmp_path / "a").iterdir()}
    assert made == {"pll.nc", "pll.html", "card.json", "report.html"}
    _warn_of_old_card(tmp_path / "a" / "pll.nc", "pll_nlif_averaged")
    assert "earlier dataset" not in capsys.readouterr().out
    status, out, _ = call("characterize", "pll_nlif_averaged", "--plan", "saturation", "--out", "a/pll.nc", "--quiet")
    assert status == 0
    assert "card.json is of an earlier dataset: run 'neuronsim calibrate a/pll.nc'" in out


def test_list_and_doctor(call):
    status, out, err = call("list")
    assert status == 0, err
    for word in ("pll_nlif_pwm", "table3", "demo_mnist_4bit", "mnist-5k"):
        assert word in out
    status, out, _ = call("doctor")
    assert status == 0
    assert "libngspice" in out


def test_list_of_a_plans_fields(call, monkeypatch):
    monkeypatch.setattr(console, "_width", 160)
    status, out, err = call("list", "plans", "fi")
    assert status == 0, err
    assert "[fi]" in out
    assert re.search(r"points 40 integer, at least 4, at most .*needs at least 10 at which", out)
    assert "low_a – number, above 0" in out
    status, out, err = call("list", "plans", "rate_card")
    assert status == 0, err
    assert all(f"[{kind}]" in out for kind in ("fi", "membrane_noise", "mismatch"))
    assert "12" in {row[1] for _, _, rows in fields_of("quick") for row in rows if row[0] == "points"}  # the group's


@pytest.mark.parametrize(
    ("arguments", "says"), [(("plans", "fy"), "Did you mean 'fi'"), (("neurons", "fi"), "neuronsim list plans fi")]
)
def test_list_of_fields_of_what_has_none(call, arguments, says):
    status, _, err = call("list", *arguments)
    assert status == 2
    assert says in err


def test_every_field_of_every_plan_has_type_and_meaning():
    for kind in KINDS:
        for _, _, rows in fields_of(kind):
            assert {row[0] for row in rows} == set(KINDS[kind].model_fields)
            assert all(type_ and meaning for _, _, type_, meaning in rows), rows


def test_list_of_conversions(call):
    status, out, err = call("list", "conversions")
    assert status == 0, err
    for word in ("fashion_mnist_cnn", "mnist_cnn", "cifar10_resnet18", "reproduce noise-adaptor"):
        assert word in out
    assert "demo_mnist_4bit" not in out


@pytest.mark.parametrize("quick", ["", "1"])
def test_make_reproduces_the_papers(tmp_path, quick):
    make = ["make", "-n", "-o", ".venv/.installed", f"QUICK={quick}", "DATA=mnist", f"OUT={tmp_path}", "JOBS=1"]
    shown = subprocess.run(
        [*make, "noise-adaptor", "noisy-weights"], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    first, second = [line for line in shown.stdout.splitlines() if "neuronsim reproduce" in line]
    assert "noise-adaptor --data mnist" in first
    assert "noisy-weights" in second
    assert f"--out {tmp_path}/noise-adaptor/mnist" + ("-quick " if quick else " ") in first
    assert [("--quick" in line) for line in (first, second)] == [bool(quick)] * 2


def test_doctor_says_what_is_missing(call, monkeypatch):
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    status, out, err = call("doctor")
    assert status == 3
    assert "apt-get install ngspice" in out
    assert "libngspice" in err


def test_every_command_has_help(call):
    for command in ("", "demo", "doctor", "list", "characterize", "calibrate", "train", "evaluate", "report"):
        status, out, _ = call(*([command] if command else []), "--help")
        assert status == 0
        assert len(out) > 200


def test_settings():
    assert settings(["tau=25n", "r=100", "f0=1.2G", "c=3e-15"]) == pytest.approx(
        {"tau": 25e-9, "r": 100, "f0": 1.2e9, "c": 3e-15}
    )
    with pytest.raises(InputError):
        settings(["tau"])


def test_typed_command_tells_no_paths(monkeypatch):
    typed = "reproduce noisy-weights --out here --data-dir=/there -q --jobs 2 --quick --level 0 --quiet --only fc"
    monkeypatch.setattr("sys.argv", ["/bin/neuronsim", *typed.split()])
    assert typed_command() == "neuronsim reproduce noisy-weights --quick --level 0 --only fc"


def test_tables_in_the_terminal(capsys):
    block = Table(caption="Weights [b].", header=("a", "b", "c"), rows=[("1", "[red]", "3"), ("4", "5", "6")])
    show_tables([block], columns=2)
    assert capsys.readouterr().out.split() == ["Weights", "[b].", "a", "b", "1", "[red]", "4", "5"]
    show_tables([block])
    assert "6" in capsys.readouterr().out


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_done(tmp_path):
    environment = {**os.environ, "NEURONSIM_CACHE": str(tmp_path / "cache")}
    command = [
        *NEURONSIM,
        "characterize",
        "pll_nlif_pwm",  # long enough to be interrupted on any machine
        "--plan",
        "transfer",
        "--out",
        str(tmp_path / "o" / "x.nc"),
    ]
    process = subprocess.Popen(
        command,
        env=environment,
        start_new_session=True,
        # a shell without job control starts its background jobs, so perhaps these tests, with Ctrl-C ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    database = tmp_path / "cache" / "runs.sqlite"
    deadline = time.monotonic() + 60
    while not database.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "the same command resumes" in " ".join(out.split())
    assert "Traceback" not in out
    assert not (tmp_path / "o").exists()


def test_module_runs():
    done = subprocess.run([*NEURONSIM, "--version"], capture_output=True, text=True, check=True, cwd=Path("/"))
    assert done.stdout.startswith("neuronsim ")


def test_a_card_never_replaces_its_dataset(call, tmp_path):
    (tmp_path / "d.nc").write_text("as it was")
    status, _, err = call("calibrate", tmp_path / "d.nc", "--out", tmp_path / "d.nc")
    assert status == 2
    assert "would replace the file that is read" in err
    assert (tmp_path / "d.nc").read_text() == "as it was"


def test_a_report_names_what_it_passes_over(call, tmp_path):
    (tmp_path / "card.json").write_text('{"schema_version": 1, "neuron": "of an earlier version"}')
    status, out, err = call("report", tmp_path)
    assert status == 2
    assert "passed over" in out
    assert "card.json" in out
    assert "nothing to report" in err


def test_the_noted_command_names_files_without_their_folder(monkeypatch):
    typed = [
        "neuronsim",
        "reproduce",
        "x",
        "--card",
        "/home/me/card.json",
        "--plan=/home/me/p.toml",
        "--out",
        "results",
        "-q",
    ]
    monkeypatch.setattr("sys.argv", typed)
    assert typed_command() == "neuronsim reproduce x --card card.json --plan=p.toml"
