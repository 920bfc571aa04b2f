// One walk through tables that were shipped to the browser: the same steps and words as a WalkRecord of Python.
// Pure functions; no document, no widget.

import { decode, hex } from "./decoder.js";

/**
 * @typedef {import("./decoder.js").Tables} Tables
 * @typedef {import("./decoder.js").Entry} Entry
 * @typedef {import("./decoder.js").Level} Level
 * @typedef {import("./decoder.js").Format} Format
 * @typedef {{format: string, root: string, canonical: [string, string][], tables: Record<string, Run[]>}} Space
 *   sparse tables by physical address; an entry in no run is empty
 * @typedef {[first: number, count: number, raw: string, step: string]} Run
 *   entries in a row, from index `first` on, each `step` more than the one before
 * @typedef {{level: Level, index: number, bits: string, table: bigint | null, entry: Entry | null,
 *   rights: number | null, failed: boolean}} Step
 * @typedef {{va: bigint, space: Space, format: Format, root: bigint, steps: Step[], physical: bigint | null,
 *   pageSize: bigint | null, reason: string | null, stoppedAt: string | null, rightsWord: string,
 *   sentence: string}} Walk
 */

/** Whether the tables of a space serve the address. @param {Space} space @param {bigint} va */
export function covers(space, va) {
  return space.canonical.some(([first, last]) => BigInt(first) <= va && va <= BigInt(last));
}

/**
 * The space whose tables serve the address: the first one if none does, so that its words explain why.
 * @param {Space[]} spaces @param {bigint} va @returns {Space}
 */
export function spaceFor(spaces, va) {
  return spaces.find((space) => covers(space, va)) ?? spaces[0];
}

/** The entry at an index of a table. @param {Run[]} runs @param {number} index */
function entryAt(runs, index) {
  const run = runs.find(([first, count]) => first <= index && index < first + count);
  return run ? BigInt.asUintN(64, BigInt(run[2]) + BigInt(run[3]) * BigInt(index - run[0])) : 0n;
}

/**
 * Walks one address. Every level of the address is a step; those that were not reached have no entry.
 * @param {Tables} tables @param {Space} space @param {bigint} va @returns {Walk}
 */
export function walk(tables, space, va) {
  const format = tables.formats[space.format];
  /** @type {Walk} */
  const found = { va, space, format, root: BigInt(space.root), steps: [], physical: null, pageSize: null,
    reason: null, stoppedAt: null, rightsWord: "", sentence: "" };
  /** @type {bigint | null} */
  let table = found.root;
  let rights = (1 << tables.rights.length) - 1;
  if (!covers(space, va)) {
    found.reason = "not canonical";
    found.sentence = `${hex(va)} is no address of ${format.name}: no table was read.`;
    table = null;
  }
  for (const level of format.levels) {
    if (found.physical !== null) break;
    const index = Number((va >> BigInt(level.shift)) & ((1n << BigInt(level.bits)) - 1n));
    /** @type {Step} */
    const step = { level, index, bits: `${level.shift + level.bits - 1}-${level.shift}`, table,
      entry: null, rights: null, failed: false };
    found.steps.push(step);
    if (table === null || found.reason) continue;
    const runs = space.tables[hex(table)];
    if (runs === undefined) {
      step.failed = true;
      stop(found, level, "missing memory", `The ${level.name} table at ${hex(table)} is not in this memory.`);
      continue;
    }
    const entry = decode(tables, level, entryAt(runs, index));
    step.entry = entry;
    if (entry.state === "TABLE" || entry.state === "LEAF") {
      rights &= entry.rights;
      step.rights = rights;
    }
    if (entry.state === "TABLE") {
      table = entry.address;
    } else if (entry.state === "LEAF") {
      const size = 1n << BigInt(level.shift);
      found.physical = (entry.address ?? 0n) + (va & (size - 1n));
      found.pageSize = size;
      found.rightsWord = tables.rights_words[rights];
      found.sentence = entry.sentence;
    } else {
      step.failed = true;
      table = null;
      stop(found, level, entry.present ? "reserved bit" : "not present", entry.sentence);
    }
  }
  return found;
}

/** @param {Walk} found @param {Level} level @param {string} reason @param {string} sentence */
function stop(found, level, reason, sentence) {
  found.reason = reason;
  found.stoppedAt = level.name;
  found.sentence = sentence;
}
