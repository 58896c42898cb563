"""A training set of an archive: sequences of features, and the velocity predicted for each sample.

`python docs/examples/training_set.py /folder/of/the/archive`; an s3:// address does as well.
"""

import sys

import numpy as np
import pandas as pd
import ray

KEY = ["sensor_id", "boot", "sample_index"]
FEATURES = ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
LENGTH = 200  # samples: one second


def sequences(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Cut one boot of one sensor into sequences without gaps."""
    # A sample stands in two rows, one of each topic: bring its values together.
    samples = rows.groupby("sample_index").first().dropna(subset=["velocity", *FEATURES])
    number = samples.index.to_numpy()
    starts = np.arange(0, len(samples) - LENGTH + 1, LENGTH)
    whole = [at for at in starts if number[at + LENGTH - 1] - number[at] == LENGTH - 1]
    features = samples[FEATURES].to_numpy(np.float32)
    velocity = samples["velocity"].to_numpy(np.float32)
    return {
        "sensor_id": np.array([rows["sensor_id"].iloc[0]] * len(whole), object),
        "features": np.array([features[at : at + LENGTH] for at in whole]).reshape(
            -1, LENGTH, len(FEATURES)
        ),
        "velocity": np.array([velocity[at : at + LENGTH] for at in whole]).reshape(-1, LENGTH),
    }


def training_set(archive: str) -> ray.data.Dataset:
    """Return rows of sensor_id, features (LENGTH, 6) float32 and velocity (LENGTH,) float32."""
    samples = ray.data.read_parquet(f"{archive}/sensor-data-transformed", columns=KEY + FEATURES)
    predicted = ray.data.read_parquet(
        f"{archive}/sensor-data-predictions", columns=[*KEY, "velocity"]
    )
    both = samples.union(predicted)
    return both.groupby(["sensor_id", "boot"]).map_groups(sequences, batch_format="pandas")


if __name__ == "__main__":
    dataset = training_set(sys.argv[1])
    for batch in dataset.iter_batches(batch_size=32, batch_format="numpy"):
        print(batch["features"].shape, batch["velocity"].shape)
