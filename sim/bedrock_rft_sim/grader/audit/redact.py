"""Keep credentials out of what a report shows: a handler may print or raise what it was given.

Values of the credential variables and files that a handler can be handed are replaced, and so is
whatever looks like an access key id.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bedrock_rft_sim.grader.audit.checks import AuditFinding
from bedrock_rft_sim.grader.environment import CREDENTIAL_FILES, CREDENTIALS
from bedrock_rft_sim.grader.good_replies import ProfileResult

HIDDEN = "[redacted]"
ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
SECRET_NAME = re.compile(r"key|secret|token|password", re.IGNORECASE)
SHORTEST = 8  # a shorter value would be replaced all over ordinary text
NOT_SECRET = ("AWS_PROFILE",)


class Redactor:
    """Knows the secrets of this machine and of the function's own environment."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = {
            *(os.environ.get(name, "") for name in CREDENTIALS if name not in NOT_SECRET),
            *(value for name, value in (environment or {}).items() if SECRET_NAME.search(name)),
            *_in_files(),
        }
        self._secrets = sorted(
            (value for value in found if len(value) >= SHORTEST), key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return ACCESS_KEY.sub(HIDDEN, text)

    def finding(self, finding: AuditFinding) -> AuditFinding:
        """The finding without secrets."""
        return replace(finding, what=self.text(finding.what), evidence=self.data(finding.evidence))

    def profile_result(self, result: ProfileResult) -> ProfileResult:
        """The failures without secrets."""
        failures = (replace(each, detail=self.text(each.detail)) for each in result.failures)
        return replace(result, failures=tuple(failures))

    def data(self, value: Any) -> Any:
        """JSON-ready data without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.data(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        return value


def _in_files() -> Iterable[str]:
    for name, default in CREDENTIAL_FILES.items():
        path = Path(os.environ.get(name, default)).expanduser()
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue  # unreadable for us; boto3 in the handler reads it no better
        for section in parser.sections():
            for key, value in parser.items(section):
                if SECRET_NAME.search(key) and value:
                    yield value
