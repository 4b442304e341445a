import json

import pytest

from trustcore.console import print_report
from trustcore.report import Report, ReportBuilder, Status, Verdict


def _report(*statuses: Status) -> Report:
    builder = ReportBuilder("test")
    for status in statuses:
        builder.add(status, "test.step", zh="一步", en="A step", clause="GB/T 0 §1")
    return builder.build()


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((Status.PASSED, Status.WARNING, Status.SKIPPED), Verdict.VALID),
        ((Status.PASSED, Status.INDETERMINATE), Verdict.INDETERMINATE),
        ((Status.PASSED, Status.INDETERMINATE, Status.FAILED), Verdict.INVALID),
        ((Status.SKIPPED, Status.WARNING), Verdict.INDETERMINATE),
        ((), Verdict.INDETERMINATE),
    ],
)
def test_the_verdict_follows_the_worst_step(statuses: tuple[Status, ...], verdict: Verdict) -> None:
    assert _report(*statuses).verdict is verdict


def test_not_valid_and_cannot_tell_exit_differently() -> None:
    assert [v.exit_code for v in (Verdict.VALID, Verdict.INVALID, Verdict.INDETERMINATE)] == [0, 1, 2]


def test_steps_of_another_report_are_numbered_on() -> None:
    builder = ReportBuilder("test")
    builder.extend(_report(Status.PASSED, Status.PASSED).steps)
    builder.extend(_report(Status.FAILED).steps)
    report = builder.build()

    assert [step.number for step in report.steps] == [1, 2, 3]
    assert [step.number for step in report.problems] == [3]


def test_json_carries_the_digests_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(_report(Status.PASSED), file_name="x.ofd", data=b"abc", as_json=True)
    printed = json.loads(capsys.readouterr().out)

    assert printed["verdict"] == "valid"
    assert printed["sm3"] == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert printed["steps"][0]["code"] == "test.step"


def test_the_table_shows_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(_report(Status.FAILED), file_name="x[bold].ofd", data=b"", as_json=False)
    printed = capsys.readouterr().out

    assert "x[bold].ofd" in printed
    assert "一步" in printed
    assert "NOT VALID" in printed


def test_what_a_file_says_of_itself_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    builder = ReportBuilder("test")
    builder.facts["signer"] = "\x1b]0;owned\x07某局\r"
    print_report(builder.build(), file_name="\x1b[2J.ofd", data=b"", as_json=False)
    printed = capsys.readouterr().out

    assert "某局" in printed
    assert not {"\x1b", "\x07", "\r"} & set(printed)
