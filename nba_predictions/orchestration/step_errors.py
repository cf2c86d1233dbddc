"""The error that a step raised, without the errors that Dagster wraps around it."""

from nba_predictions.orchestration.dagster_internals import StepError

_WRAPPERS = (
    "DagsterExecutionStepExecutionError",
    "DagsterExecutionLoadInputError",
    "DagsterExecutionHandleOutputError",
    "RetryRequestedFromPolicy",
)


def raised(error: StepError | None) -> StepError | None:
    """Return the error that the step raised, not its cause."""
    while error is not None and error.cls_name in _WRAPPERS and error.cause is not None:
        error = error.cause
    return error
