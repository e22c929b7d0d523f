#!/usr/bin/env python3
"""Makes the .npy files beside it: what NumPy and SciPy make of one noisy signal, for the tests of the transforms.

Also the beats that a detector of other making (NeuroKit's own, by gradients) finds in graphs/data/ecg.csv.

Made with Python 3.11, NumPy 2.4.6, SciPy 1.17.1, NeuroKit2 0.2.13. To make them again:
pip install numpy scipy neurokit2; python tests/reference/make.py
Every array is float64, row-major, time (or frequency) first and channel last.
"""
from pathlib import Path

import neurokit2
import numpy as np
from scipy import signal

RATE = 360.0
HERE = Path(__file__).parent


def save(name, array):
    np.save(HERE / f"{name}.npy", np.ascontiguousarray(array, dtype="<f8"))


def butter(x, order, corners, kind, rate=RATE):
    return signal.sosfilt(signal.butter(order, corners, kind, fs=rate, output="sos"), x, axis=0)


def density(x, **options):
    return signal.welch(x, RATE, axis=0, scaling="density", average="mean", **options)[1]


def main():
    """One input of 600 samples and 2 channels: a line, a drift and noise; each file's name says what was done to it."""
    rng = np.random.default_rng(20)
    t = np.arange(600) / RATE
    x = rng.standard_normal((600, 2)) + np.c_[np.sin(2 * np.pi * 10 * t), 3 + t]
    save("input", x)

    save("bandpass_5_15_order_2", butter(x, 2, [5, 15], "bandpass"))
    save("bandpass_1_150_order_3", butter(x, 3, [1, 150], "bandpass"))  # so wide that two of its poles are real
    save("bandpass_8_12_order_6", butter(x, 6, [8, 12], "bandpass"))
    save("lowpass_40_order_5", butter(x, 5, 40, "lowpass"))
    save("highpass_0.5_order_4", butter(x, 4, 0.5, "highpass"))
    save("notch_50_q_30", signal.lfilter(*signal.iirnotch(50, 30, RATE), x, axis=0))

    save("welch_hann_128", density(x, window="hann", nperseg=128, noverlap=64, detrend="constant"))
    save("welch_boxcar_125_plain", density(x, window="boxcar", nperseg=125, noverlap=31, detrend=False))
    save("periodogram_hann", signal.periodogram(x, RATE, "hann", detrend="constant", axis=0)[1])
    save("periodogram_hann_299", signal.periodogram(x[:299], RATE, "hann", detrend="constant", axis=0)[1])

    save("downsample_4", butter(x, 8, 0.8 / 4 * RATE / 2, "lowpass")[::4])
    save("resample_250", signal.resample_poly(x, 25, 36, axis=0))
    save("resample_500", signal.resample_poly(x, 25, 18, axis=0))

    ecg = np.loadtxt(HERE.parent.parent / "graphs/data/ecg.csv", skiprows=1)
    cleaned = neurokit2.ecg_clean(ecg, sampling_rate=360, method="neurokit")
    peaks = neurokit2.ecg_peaks(cleaned, sampling_rate=360, method="neurokit")[1]["ECG_R_Peaks"]
    save("ecg_beats_s", np.asarray(peaks) / 360)


if __name__ == "__main__":
    main()
