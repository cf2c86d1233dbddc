"""What a step really died of, beneath what Dagster wraps around it."""

from __future__ import annotations

from dagster_shared.error import SerializableErrorInfo

_WRAPPERS = ("DagsterExecutionStepExecutionError", "RetryRequestedFromPolicy")


def raised(error: SerializableErrorInfo | None) -> SerializableErrorInfo | None:
    """Return what the step raised. Its own cause stays beneath: our errors say it in our words."""
    while error is not None and error.cls_name in _WRAPPERS and error.cause is not None:
        error = error.cause
    return error
