"""Every error imustream raises on purpose.

ImustreamError
├── ConfigurationError      a setting is wrong: correct it and start again
├── UnavailableError        a server is away or a port is taken: mend it, then try again
│   └── StoreAwayError      what a sink writes to is away: its input waits in Kafka meanwhile
├── ToolMissingError        a program is not installed: `make setup` installs it
├── DataError               input from outside is not what its format says
├── NotFoundError           what was asked for is not there: name another
├── ConflictError           another was first: look again, then decide
├── FencedError             a newer slot has taken over: stop, nothing is lost
├── TransactionAbortedError nothing of the transaction counts: restore the state and go on
└── PipelineStoppedError    going on would lose or hide data: an operator must decide

Each message says what was wrong, where, and what to do.
"""


class ImustreamError(Exception):
    """The base of all errors that a user may see; the command line prints it as one line."""


class ConfigurationError(ImustreamError):
    """A setting has a value that cannot work."""


class UnavailableError(ImustreamError):
    """A server did not answer, or a port it needs is taken."""


class StoreAwayError(UnavailableError):
    """The store behind a sink does not take what is written; Kafka, where alarms go, may."""


class ToolMissingError(ImustreamError):
    """A program that this command needs is not installed."""


class DataError(ImustreamError):
    """Input from outside does not have the form it should have."""


class NotFoundError(ImustreamError):
    """What was asked for, such as a model's version, does not exist."""


class ConflictError(ImustreamError):
    """It exists already, or changed since it was read; nothing was written."""


class FencedError(ImustreamError):
    """A newer instance holds this slot's transactional id; this one must stop."""


class TransactionAbortedError(ImustreamError):
    """A transaction failed or its outcome is in doubt; the state in memory is ahead of it."""


class PipelineStoppedError(ImustreamError):
    """The pipeline stopped itself because going on would lose or hide data."""
