// Decoding in the browser, by tables that Python learnt from ptwalk.arch: nothing here knows an architecture.
// Pure functions on BigInt; no document, no widget. Used by the explorers and by the tests under node.

/**
 * @typedef {{bits: number[], answers: string} | boolean} Truth  a yes-or-no function of a few bits
 * @typedef {{fixed: string, groups: [string, number][]}} Moved  where the bits of a number come from
 * @typedef {{name: string, high: number, low: number, value: bigint, meaning: string}} Field
 * @typedef {{name: string, hardware: string, shift: number, bits: number, leaf_allowed: boolean,
 *   run_size: number | null, tree: number, outcomes: number[], present: Truth, linux_present: Truth,
 *   examples: [string, string][]}} Level
 * @typedef {{name: string, arch: string, release: string, va_bits: number, pa_bits: number,
 *   page_shift: number, levels: Level[]}} Format
 * @typedef {{rights: string[], rights_words: string[], flags: string[], formats: Record<string, Format>,
 *   outcomes: any[], sentences: string[], numbers: Moved[], states: any[], layouts: number[][],
 *   fields: any[], trees: any[]}} Tables
 * @typedef {{raw: bigint, level: Level, state: string, sentence: string, present: boolean,
 *   linuxPresent: boolean, reservedBit: number | null, address: bigint | null, swapType: bigint | null,
 *   swapOffset: bigint | null, rights: number, rightsWord: string, flags: Record<string, boolean>,
 *   marks: string, fields: Field[]}} Entry
 */

/** The highest 64-bit value. */
export const ALL_ONES = (1n << 64n) - 1n;

/**
 * What 64 bits are as an entry of one level.
 * @param {Tables} tables @param {Level} level @param {bigint} raw @returns {Entry}
 */
export function decode(tables, level, raw) {
  let node = tables.trees[level.tree];
  while (Array.isArray(node)) node = (raw >> BigInt(node[0])) & 1n ? node[2] : node[1];
  const outcome = tables.outcomes[level.outcomes[node]];
  const learnt = tables.states[outcome.learnt];
  const rights = learnt.rights.reduce(
    (/** @type {number} */ sum, /** @type {Truth} */ truth, /** @type {number} */ place) =>
      sum | (Number(holds(truth, raw)) << place), 0);
  const entry = {
    raw,
    level,
    state: outcome.state,
    sentence: "",
    present: holds(level.present, raw),
    linuxPresent: holds(level.linux_present, raw),
    reservedBit: outcome.reserved_bit ?? null,
    address: moved(tables, outcome.address, raw),
    swapType: moved(tables, outcome.swap_type, raw),
    swapOffset: moved(tables, outcome.swap_offset, raw),
    rights,
    rightsWord: tables.rights_words[rights],
    flags: Object.fromEntries(tables.flags.map((name, place) => [name, holds(learnt.flags[place], raw)])),
    marks: learnt.marks.filter((/** @type {[string, Truth]} */ [, truth]) => holds(truth, raw))
      .map((/** @type {[string, Truth]} */ [mark]) => mark).join(" "),
    fields: tables.layouts[outcome.layout].map((number) => cut(tables.fields[number], raw)),
  };
  entry.sentence = tables.sentences[outcome.sentence]
    .replace("{address}", hex(entry.address))
    .replace("{rights}", entry.rightsWord)
    .replace("{swap_type}", String(entry.swapType))
    .replace("{swap_offset}", hex(entry.swapOffset));
  return entry;
}

/** @param {bigint | null} value @returns {string} */
export function hex(value) {
  return value === null ? "" : `0x${value.toString(16)}`;
}

/** All 16 digits of a 64-bit value. @param {bigint} value @returns {string} */
export function hex64(value) {
  return `0x${value.toString(16).padStart(16, "0")}`;
}

/**
 * A number as people write it: hexadecimal with 0x or with a letter in it, else decimal; null if it is none.
 * @param {string} text @returns {bigint | null}
 */
export function parseNumber(text) {
  const plain = text.trim().replaceAll("_", "").toLowerCase();
  const written = /^0x[0-9a-f]+$|^0b[01]+$|^(0|[1-9][0-9]*)$/.test(plain) ? plain
    : /^[0-9a-f]*[a-f][0-9a-f]*$/.test(plain) ? `0x${plain}` : null;
  if (written === null) return null;
  const value = BigInt(written);
  return value <= ALL_ONES ? value : null;
}

/** A length in bytes as people say it. @param {number | bigint} size @returns {string} */
export function sizeWord(size) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let value = Number(size);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A state as it is spoken. @param {string} state @returns {string} */
export function stateWord(state) {
  return state === "PROT_NONE" ? state : state.toLowerCase().replaceAll("_", " ");
}

/** @param {Truth} truth @param {bigint} raw @returns {boolean} */
function holds(truth, raw) {
  if (typeof truth === "boolean") return truth;
  let number = 0;
  truth.bits.forEach((bit, place) => {
    if ((raw >> BigInt(bit)) & 1n) number |= 1 << place;
  });
  return truth.answers[number] === "1";
}

/** @param {Tables} tables @param {number | undefined} number @param {bigint} raw @returns {bigint | null} */
function moved(tables, number, raw) {
  if (number === undefined) return null;
  const map = tables.numbers[number];
  return map.groups.reduce((value, [mask, shift]) => {
    const bits = raw & BigInt(mask);
    return value ^ (shift >= 0 ? bits << BigInt(shift) : bits >> BigInt(-shift));
  }, BigInt(map.fixed));
}

/** @param {any} part @param {bigint} raw @returns {Field} */
function cut(part, raw) {
  const ones = (1n << BigInt(part.high - part.low + 1)) - 1n;
  const value = (raw >> BigInt(part.low)) & ones;
  let meaning = part.meaning;
  if (Array.isArray(meaning)) {
    meaning = meaning[Number(value)];
  } else if (typeof meaning === "object") {
    const number = (meaning.inverted ? value ^ ones : value) << BigInt(meaning.shift);
    meaning = `${meaning.before}${hex(number)}${meaning.after}`;
  }
  return { name: part.name, high: part.high, low: part.low, value, meaning };
}
