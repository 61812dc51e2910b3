"""What can go wrong, as one tree; catching any level is meaningful.

    FinecutError            exit code 1
    ├── BadInput            2    footage, settings or a plan that cannot be used
    │   └── BadSettings     2    one setting, named
    ├── Missing             3    a tool, a model or a key that is not there
    │   └── MissingLibrary  3    a system library that a package links to
    ├── VerificationFailed  4    the finished file is not what was planned
    ├── ToolFailed          5    FFmpeg (or another program) failed or stalled
    │   └── EncoderFailed   5    a hardware encoder did, where a software one may not
    └── Interrupted         130  stopped by the user; the same command goes on from there

Every error carries a message (what was wrong, with which file or setting) and a hint (what to do).
"""

from __future__ import annotations


class FinecutError(Exception):
    """An error meant for the person who reads it."""

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling between threads and processes with message and hint whole."""
        return (type(self), (self.message, self.hint))


class BadInput(FinecutError):
    """Footage, a plan or a path that cannot be used as it is."""

    exit_code = 2
    code = "bad_input"


class BadSettings(BadInput):
    """A setting with a value that it cannot take."""

    code = "bad_settings"


class Missing(FinecutError):
    """A tool, a model or a key that is needed and not there."""

    exit_code = 3
    code = "missing"


class MissingLibrary(Missing):
    """A system library that an installed package links to is absent."""

    code = "missing_library"


class VerificationFailed(FinecutError):
    """What was rendered is not what was planned; nothing got the final name."""

    exit_code = 4
    code = "verification_failed"


class ToolFailed(FinecutError):
    """A program that finecut runs failed or stalled; the message holds the end of what it said."""

    exit_code = 5
    code = "tool_failed"


class EncoderFailed(ToolFailed):
    """A hardware encoder failed while it drew a chunk; the film can go to a software encoder."""

    code = "encoder_failed"


class Interrupted(FinecutError):
    """The user stopped the run; what was finished is kept."""

    exit_code = 130
    code = "interrupted"
