// What the api last said of each sensor, and what its clock was then.

export class SensorSummaries {
  constructor() {
    this.bySensor = new Map();
    this.serverAheadMs = 0;
  }

  /** @param {object[]} sensors of /api/v1/sensors @param {number} serverMs the server's clock */
  update(sensors, serverMs) {
    this.bySensor = new Map(sensors.map((sensor) => [sensor.sensor_id, sensor]));
    this.serverAheadMs = serverMs - Date.now();
  }

  get(sensorId) {
    return this.bySensor.get(sensorId);
  }

  /** Seconds since the last frame of a sensor that counts as silent; null of any other. */
  silentFor(sensorId) {
    const summary = this.bySensor.get(sensorId);
    if (summary?.state !== "silent") return null;
    return (Date.now() + this.serverAheadMs - summary.last_received_us / 1000) / 1000;
  }
}
