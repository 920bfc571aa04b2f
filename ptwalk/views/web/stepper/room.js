// How much room the parts of the picture need over a whole run, so that nothing moves from one step to the next.
// Widths of text are guessed as the widest usual font draws them: a little room too much is better than a jump.

import { heldBy, localsOf } from "./meaning.js";
import { applyChanges } from "./run.js";
import { shortLock } from "./words.js";

/** Widths of a mean letter in pixels: of the sentence at 18 px, of small bold text, of small text. */
const SENTENCE = { strong: 10.8, plain: 9.3, bad: 10.4 };
export const BOLD = 7.7;
export const SMALL_TEXT = 6.8;

/**
 * The lines that a text of this width takes. Words leave a little of each line free.
 * @param {number} width @param {number} room
 */
export function linesFor(width, room) {
  return width <= room ? 1 : Math.ceil(width / Math.max(room * 0.94 - 20, 20));
}

/** The frame a local of a CPU points into or leads to, as an entry of it; undefined for mere names of frames. */
function frameOf({ at, from, to }) {
  if (at) return Number(at.split(".")[0]);
  return from === undefined ? undefined : to;
}

/** @typedef {{sentence: number, flags: Map<number, number>, fallen: Set<number>, facts: string[], locals: number[], holds: number[],
 *           blocked: number[], tlb: number[]}} Needs */

/**
 * The most that any step of a run needs: `sentence` in pixels of one line, `flags` below a frame, the names of all
 * `facts`, `locals` of each CPU, letters of the locks it `holds`, of what it is
 * `blocked` on and of its `tlb`.
 * @param {any} run @param {any} words @returns {Needs}
 */
export function needsOf(run, words) {
  const kept = needsCache.get(run);
  if (kept && kept.version === run.version) return kept.needs;
  const zeros = () => run.cpus.map(() => 0);
  // A run that grew keeps the room it had: another choice must not move the picture either.
  const needs = kept
    ? kept.needs
    : {
        sentence: 0,
        flags: new Map(),
        fallen: new Set(),
        facts: [],
        locals: zeros(),
        holds: zeros(),
        blocked: zeros(),
        tlb: zeros(),
      };
  const most = (list, cpu, value) => {
    if (value > (list[cpu] || 0)) list[cpu] = value;
  };
  const state = run.at(0);
  const frames = run.cpus.map(() => new Map());
  const lookAtLocals = (cpu) => {
    const locals = localsOf(state, cpu);
    most(needs.locals, cpu, locals.length);
    const gone = new Set(locals.map(({ value }) => value.from && Number(value.from.split(".")[0])));
    frames[cpu] = new Map();
    for (const { value } of locals) frames[cpu].set(frameOf(value), gone.has(frameOf(value)));
    for (const frame of frames[cpu].keys()) lookAtFrame(frame);
  };
  /** Who is said to point into a table: those that have read no entry of it yet, or all if it has fallen. */
  const lookAtFrame = (frame) => {
    if (frame === undefined) return;
    const fallen = (state.get(`f${frame}`) || { state: "live" }).state !== "live";
    if (fallen) needs.fallen.add(frame);
    const count = frames.filter((map) => map.has(frame) && (fallen || !map.get(frame))).length;
    if (count > (needs.flags.get(frame) || 0)) needs.flags.set(frame, count);
  };
  const lookAtLocks = (cpu) => {
    const letters = heldBy(state, cpu).reduce((sum, [lock, mode]) => sum + lockLetters(run, lock) + mode.length + 5, 0);
    most(needs.holds, cpu, letters);
  };
  const look = (keys) => {
    const changed = new Set();
    for (const key of keys) {
      const local = /^c(\d+)\.v\./.exec(key);
      if (local) changed.add(Number(local[1]));
      else if (key.startsWith("l:")) changed.add("locks");
      else if (key.startsWith("x:") && !needs.facts.includes(key)) needs.facts.push(key);
      else if (/^f\d+$/.test(key)) lookAtFrame(Number(key.slice(1)));
      const own = /^c(\d+)\.(blocked|tlb)$/.exec(key);
      if (own && state.get(key)) most(needs[own[2]], Number(own[1]), lettersOf(run, state.get(key)));
    }
    for (const what of changed) {
      if (what === "locks") run.cpus.forEach((_, cpu) => lookAtLocks(cpu));
      else if (what < run.cpus.length) lookAtLocals(what);
    }
  };
  look([...state.keys()]);
  for (const step of run.steps) {
    applyChanges(state, step);
    look(Object.keys(step.set || {}));
    const parts = words.sentences(run, step, state);
    const width = parts.reduce((sum, { text, kind }) => sum + (text.length + 1) * SENTENCE[kind], 0);
    needs.sentence = Math.max(needs.sentence, width);
  }
  const { frame } = run.report || {};
  if (frame !== undefined) {
    needs.fallen.add(frame);
    needs.flags.set(frame, Math.max(1, needs.flags.get(frame) || 0));
  }
  needsCache.set(run, { version: run.version, needs });
  return needs;
}

/** The letters of what a CPU waits for, with who holds it; or of the entries of its TLB. */
function lettersOf(run, value) {
  if (Array.isArray(value)) return Math.min(value.length, 2) * 24;
  return value.lock === undefined ? (value.text || "").length : lockLetters(run, value.lock) + 22;
}

function lockLetters(run, id) {
  const lock = run.locks.find((one) => one.id === id);
  return shortLock(lock ? lock.name : id).length;
}

const needsCache = new WeakMap();
