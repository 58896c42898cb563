// The last samples of one sensor in typed arrays, readable without a copy.

/**
 * Every value is written twice, `capacity` apart, so the last n values always lie side by side
 * and `view` is a subarray. Nothing is allocated after the constructor.
 */
export class Ring {
  /** @param {string[]} names columns beside the time @param {number} capacity samples kept */
  constructor(names, capacity) {
    this.capacity = capacity;
    this.length = 0;
    this.next = 0;
    this.times = new Float64Array(2 * capacity);
    this.columns = new Map(names.map((name) => [name, new Float32Array(2 * capacity)]));
  }

  /** Appends row `index` of a message. @param {number} time seconds on the device's clock */
  push(time, columns, index) {
    const at = this.next;
    this.times[at] = this.times[at + this.capacity] = time;
    for (const [name, values] of this.columns) {
      const value = columns[name]?.[index] ?? NaN;
      values[at] = values[at + this.capacity] = value;
    }
    this.next = (at + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
  }

  clear() {
    this.length = 0;
    this.next = 0;
  }

  /** The newest value of a column, NaN where there is none. */
  last(name) {
    return this.length === 0 ? NaN : this.columns.get(name)[this.#end() - 1];
  }

  lastTime() {
    return this.length === 0 ? NaN : this.times[this.#end() - 1];
  }

  /**
   * Subarrays `[times, ...columns]` of the samples not before `from`, with one more sample on the
   * left so that a line reaches the plot's edge.
   */
  view(names, from) {
    const end = this.#end();
    const start = Math.max(end - this.length, this.#lowerBound(from, end) - 1);
    const cut = (array) => array.subarray(start, end);
    return [cut(this.times), ...names.map((name) => cut(this.columns.get(name)))];
  }

  #end() {
    return this.next === 0 ? 2 * this.capacity : this.next + this.capacity;
  }

  #lowerBound(time, end) {
    let low = end - this.length;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
