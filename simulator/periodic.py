"""Calculus on periodic signals: exact derivatives and integrals of what the samples stand for.

A loop of motion is one period. Differentiating its Fourier series keeps acceleration, velocity
and position in agreement to rounding, at any sample rate.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def _angular_frequency(length: int, rate_hz: float) -> Floats:
    """The angular frequencies (rad/s) of a real transform's bins; 0 where none is defined."""
    omega = 2 * np.pi * np.fft.rfftfreq(length, 1 / rate_hz)
    if length % 2 == 0:
        omega[-1] = 0.0  # the Nyquist bin of an even length has no phase to turn
    return np.asarray(omega, dtype=np.float64)


def derivative(signal: Floats, rate_hz: float) -> Floats:
    """Return the time derivative of a periodic ``(length, k)`` signal, per second."""
    omega = _angular_frequency(len(signal), rate_hz)
    spectrum = np.fft.rfft(signal, axis=0) * (1j * omega)[:, None]
    return np.asarray(np.fft.irfft(spectrum, len(signal), axis=0), dtype=np.float64)


def integral(signal: Floats, rate_hz: float) -> Floats:
    """Return the periodic integral of a ``(length, k)`` signal less its mean, 0 at the start."""
    omega = _angular_frequency(len(signal), rate_hz)
    inverse = np.zeros(len(omega), dtype=np.complex128)
    inverse[omega > 0] = 1 / (1j * omega[omega > 0])
    spectrum = np.fft.rfft(signal, axis=0) * inverse[:, None]
    result = np.fft.irfft(spectrum, len(signal), axis=0)
    return np.asarray(result - result[0], dtype=np.float64)


def plateau(time_s: Floats, start_s: float, end_s: float, edge_s: float, loop_s: float) -> Floats:
    """Return 1 between two moments and 0 outside, with smooth edges that go on around the loop.

    Its area is the distance of the two moments.
    """
    result = np.zeros(len(time_s))
    for turn_s in (-loop_s, 0.0, loop_s):
        rise = np.tanh((time_s - start_s - turn_s) / edge_s)
        result += 0.5 * (rise - np.tanh((time_s - end_s - turn_s) / edge_s))
    return result
