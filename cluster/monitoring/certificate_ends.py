"""When the certificates end that settings name."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from cluster.local.certificates import certificate_files
from cluster.local.mosquitto import tls_folder
from cluster.monitoring.families import gauge
from pipelines import metrics
from pipelines.settings import Settings

log = logging.getLogger(__name__)


class CertificateEnds(Collector):
    """Collects the end of each file's certificate; a file that is renewed is read anew."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def collect(self) -> Iterator[Metric]:
        """Yield them; 0 of a file that cannot be read or holds none: it is of no use."""
        ends = gauge(metrics.CERTIFICATE_EXPIRY_SECONDS)
        for file in self._files:
            ends.add_metric([str(file)], end_of(file))
        yield ends


def end_of(file: Path) -> float:
    """Return when a file in PEM is of no more use, seconds since the epoch; 0 where it is of none.

    That is when its first certificate ends, or where it holds authorities alone, the last of them.
    """
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read as a certificate: %s", file, error)
        return 0.0
    ends = {each.not_valid_after_utc.timestamp(): _is_authority(each) for each in found}
    own = [end for end, authority in ends.items() if not authority]
    return min(own) if own else max(ends)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def certificates_of(settings: Settings) -> list[Path]:
    """Return the files of certificates that settings name, and those of the local MQTT broker."""
    local = certificate_files(tls_folder(settings.local.state_dir))
    named = [
        *settings.metrics.certificates,
        settings.mqtt.tls_ca_file,
        settings.mqtt.tls_certificate_file,
        settings.kafka.tls_ca_file,
        settings.s3.ca_file,
        settings.auth.oidc_ca_file,
        *(file for file in (local.authority, local.certificate) if file.is_file()),
    ]
    return list(dict.fromkeys(file.resolve() for file in named if file is not None))
