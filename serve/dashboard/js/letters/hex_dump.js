// Bytes as people read them: offset, hexadecimal, text; frame heads are marked. Pure.

const PER_LINE = 16;
const FRAME_HEAD = [0x7c, 0x1e];
const DOT = "·";

/** "7c1e" -> [0x7c, 0x1e]. @throws {Error} it is no hexadecimal */
export function bytesOf(hex) {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new Error("the payload is no hexadecimal");
  return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

/**
 * @param {number[]} bytes
 * @returns {{offset: string, cells: {text: string, isHead: boolean}[], ascii: string}[]} `isHead`:
 *   one of the two bytes that every frame begins with
 */
export function dumpLines(bytes) {
  const heads = frameHeads(bytes);
  const lines = [];
  for (let at = 0; at < bytes.length; at += PER_LINE) {
    const part = bytes.slice(at, at + PER_LINE);
    lines.push({
      offset: at.toString(16).padStart(4, "0"),
      cells: part.map((byte, index) => ({
        text: byte.toString(16).padStart(2, "0"),
        isHead: heads.has(at + index),
      })),
      ascii: part.map(printable).join(""),
    });
  }
  return lines;
}

function frameHeads(bytes) {
  const heads = new Set();
  for (let at = 0; at + 1 < bytes.length; at += 1) {
    if (bytes[at] === FRAME_HEAD[0] && bytes[at + 1] === FRAME_HEAD[1]) {
      heads.add(at).add(at + 1);
    }
  }
  return heads;
}

function printable(byte) {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : DOT;
}
