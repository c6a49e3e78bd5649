"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`warn` works with something missing; `fail` does not work; `missing` is a service that does not answer."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and how to mend it."""

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""


def ok(name: str, detail: str) -> Finding:
    """All well."""
    return Finding(name, Verdict.OK, detail)


def warn(name: str, detail: str, mend: str) -> Finding:
    """Works, with something missing."""
    return Finding(name, Verdict.WARN, detail, mend)


def fail(name: str, detail: str, mend: str) -> Finding:
    """Does not work."""
    return Finding(name, Verdict.FAIL, detail, mend)


def missing(name: str, detail: str, mend: str) -> Finding:
    """A service that is configured and does not answer."""
    return Finding(name, Verdict.MISSING, detail, mend)


def one_line(error: Exception) -> str:
    """What a library says over several lines, in one."""
    return " ".join(str(error).split())


def exit_code(findings: list[Finding]) -> int:
    """0 nothing failed, 1 something did, 2 a service is missing."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.MISSING in verdicts:
        return 2
    return 1 if Verdict.FAIL in verdicts else 0
