"""The errors that users of the pipeline see. Each message says what is wrong and how to fix it."""


class NbaPredictionsError(Exception):
    """Base of every error that the pipeline raises on purpose."""


class SettingsError(NbaPredictionsError):
    """A setting is missing or has an invalid value."""


class CloudAccessError(NbaPredictionsError):
    """Google Cloud rejected the credentials, or they lack a required permission."""


class SourceDataError(NbaPredictionsError):
    """An input file cannot be read, or has too many invalid rows. The message has the fix."""


class StorageError(NbaPredictionsError):
    """A file or folder with stored data is damaged, missing, or closed to this user."""


class WarehouseLockedError(NbaPredictionsError):
    """Another process holds the warehouse. Nothing was written, and a retry may succeed.

    `holder` names the process and its id, as far as the warehouse knows them.
    """

    def __init__(self, path: str, holder: str, *, advice: str = "") -> None:
        super().__init__(
            f"{holder} holds {path}; "
            + (advice or "close that program or wait until it is done, then try again")
        )
        self.path = path
        self.holder = holder


class SchemaMismatchError(NbaPredictionsError):
    """Rows or tables do not match the schema of the target table. Nothing was written."""


class BatchStateError(NbaPredictionsError):
    """The state of a batch does not allow the requested step."""


class LeaseLostError(NbaPredictionsError):
    """Another worker holds the lease of the game date."""


class CleanupRefusedError(NbaPredictionsError):
    """Staging tables were kept, because there is no evidence of a complete merge."""


class PublishError(NbaPredictionsError):
    """The completion message could not be sent. The batch stays unpublished."""


class DamagedFileError(NbaPredictionsError):
    """A stored file is not what was written. The message names the file and the problem."""


class BackupError(NbaPredictionsError):
    """A home cannot be backed up or restored. The message names the file or folder."""


class ModelError(NbaPredictionsError):
    """The named models do not exist, cannot be read, or may not be promoted."""


class BacktestError(NbaPredictionsError):
    """A backtest requested dates, systems or rows that do not exist."""


class AlertBookError(NbaPredictionsError):
    """The record of delivered alerts cannot be read. A new record is started."""


class UnknownMarketError(NbaPredictionsError):
    """No market is registered under the given name."""


class ReportError(NbaPredictionsError):
    """A report cannot be written to the requested path."""


class PermanentPredictionError(NbaPredictionsError):
    """A player cannot be predicted, and a retry would fail in the same way."""


#: Errors that a retry cannot fix. They are recorded immediately, and other work continues.
PERMANENT = (
    BatchStateError,
    CloudAccessError,
    PermanentPredictionError,
    SchemaMismatchError,
    SettingsError,
    SourceDataError,
    UnknownMarketError,
)
