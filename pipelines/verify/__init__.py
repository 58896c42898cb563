"""Proof, from the topics themselves, that nothing was lost, doubled or altered.

Independent of the operator: the frames are scanned, the samples calibrated and the windows
computed again by other code, written from the contracts.
"""

from pipelines.verify.result import Difference, PartitionRow, VerifyResult
from pipelines.verify.run import verify

__all__ = ["Difference", "PartitionRow", "VerifyResult", "verify"]
