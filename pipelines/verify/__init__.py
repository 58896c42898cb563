"""Proof, from the topics themselves, that nothing was lost, doubled or altered.

Independent of the operator: the frames are scanned, the samples calibrated and the windows
computed again by other code, written from the contracts; so are sessions,
predictions, documents and archived rows.
"""

from pipelines.verify.result import Difference, PartitionRow, VerifyResult
from pipelines.verify.run import STAGES, verify

__all__ = ["STAGES", "Difference", "PartitionRow", "VerifyResult", "verify"]
