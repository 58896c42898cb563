"""JSON payloads of phones and other devices without frames: read, checked, resampled to samples."""
