"""The errors that a user of the pipeline can meet. Each says what is wrong and how to mend it."""


class NbaPredictionsError(Exception):
    """Base of every error that the pipeline raises on purpose."""


class SettingsError(NbaPredictionsError):
    """A setting is missing or has a value that cannot be used."""


class CloudAccessError(NbaPredictionsError):
    """Google Cloud does not accept the credentials, or does not allow them what is needed."""


class SourceDataError(NbaPredictionsError):
    """An input file cannot be trusted: the message names the file, the row and the column."""


class SchemaMismatchError(NbaPredictionsError):
    """Rows or tables do not fit the schema of `player_prop_predictions`; nothing was written."""


class BatchStateError(NbaPredictionsError):
    """A step was asked of a batch whose state does not allow it."""


class LeaseLostError(NbaPredictionsError):
    """The lease of a game_date is held by, or has passed to, somebody else."""


class CleanupRefusedError(NbaPredictionsError):
    """Staging was left in place, because the evidence of a complete merge is missing."""


class PublishError(NbaPredictionsError):
    """The completion message could not be handed over; the batch stays unpublished."""


class ModelError(NbaPredictionsError):
    """Trained models that were named are not there, cannot be read, or may not be put in force."""


class BacktestError(NbaPredictionsError):
    """A backtest was asked for dates, systems or rows that there are not."""


class AlertBookError(NbaPredictionsError):
    """The record of what was told of alerts cannot be read; it begins anew."""


class UnknownMarketError(NbaPredictionsError):
    """A market has a name that is not registered."""


class ReportError(NbaPredictionsError):
    """A report cannot be written where it was wanted."""


class PermanentPredictionError(NbaPredictionsError):
    """A player cannot be predicted, and trying again would not change that."""


#: Errors that trying again cannot change: they are recorded at once, and whatever else goes on.
PERMANENT = (
    BatchStateError,
    CloudAccessError,
    PermanentPredictionError,
    SchemaMismatchError,
    SettingsError,
    SourceDataError,
    UnknownMarketError,
)
