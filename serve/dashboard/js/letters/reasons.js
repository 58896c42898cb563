// Why bytes became a dead letter, in words. Pure.

const WORDS = {
  not_a_frame: "no frame begins here",
  crc_mismatch: "checksum is wrong",
  truncated_frame: "frame is cut off",
  sample_count_mismatch: "sample count does not fit the length",
  empty_payload: "nothing in it",
  implausible_timestamp: "time lies in the future",
  too_old: "too old to be told from a duplicate",
};

/** "crc_mismatch" -> "checksum is wrong"; what is unknown is its name, spaced. */
export function reasonWords(reason) {
  return WORDS[reason] ?? String(reason).replaceAll("_", " ");
}
