// What lasts: lock intervals, lives of frames, beliefs of CPUs, and where the scheduler switched.
// Read off a whole run once; the timeline cuts them at the current step.

import { holdsPointer } from "./meaning.js";
import { applyChanges } from "./run.js";

/**
 * @typedef {{from: number, to: number}} Span  first step in which it holds, last step in which it holds
 */

function closeAt(open, key, step, done) {
  const span = open.get(key);
  if (!span) return;
  span.to = step;
  done.push(span);
  open.delete(key);
}

/** Lock intervals: who held which lock from when to when. */
function lockSpans(run) {
  const done = [];
  const open = new Map();
  const begin = (lock, held, step) => {
    const now = new Set(held.map(([cpu, mode]) => `${lock} ${cpu} ${mode}`));
    for (const key of [...open.keys()]) {
      if (open.get(key).lock === lock && !now.has(key)) closeAt(open, key, step, done);
    }
    for (const [cpu, mode] of held) {
      const key = `${lock} ${cpu} ${mode}`;
      if (open.has(key)) continue;
      const after = done.some(
        (span) => span.lock === lock && span.cpu === cpu && span.to === step && span.mode === "write",
      );
      open.set(key, { lock, cpu, mode, from: step, to: Infinity, downgraded: after && mode === "read" });
    }
  };
  for (const [key, value] of run.marks[0]) if (key.startsWith("l:")) begin(key.slice(2), value.held, 0);
  run.steps.forEach((step, i) => {
    for (const [key, value] of Object.entries(step.set || {})) {
      if (key.startsWith("l:")) begin(key.slice(2), value ? value.held : [], i + 1);
    }
  });
  return [...done, ...open.values()];
}

/** Lives of frames: a span per state and note. Frames that never change are left out. */
function frameSpans(run) {
  const spans = new Map();
  const put = (key, value, step) => {
    const list = spans.get(key) || [];
    const last = list[list.length - 1];
    const state = value ? value.state : "freed";
    if (last) last.to = step;
    list.push({
      frame: Number(key.slice(1)),
      state,
      note: (value && value.note) || "",
      table: !value || value.kind !== "page",
      from: step,
      to: Infinity,
    });
    spans.set(key, list);
  };
  for (const [key, value] of run.marks[0]) if (/^f\d+$/.test(key)) put(key, value, 0);
  run.steps.forEach((step, i) => {
    for (const [key, value] of Object.entries(step.set || {})) if (/^f\d+$/.test(key)) put(key, value, i + 1);
  });
  const changed = new Map();
  for (const [key, list] of spans) if (list.length > 1) changed.set(Number(key.slice(1)), list);
  return changed;
}

/** Which frames the run is about: the report's, then tables that were left behind, then others; at most `limit`. */
function subjects(run, lives, limit) {
  const order = [];
  const tables = [...lives.keys()].filter((frame) => lives.get(frame)[0].table);
  const lied = beliefSpans(run, tables.slice(0, 12))
    .filter((b) => !b.good && b.to > b.from)
    .map((b) => b.frame);
  const add = (frame) => {
    if (frame !== undefined && lives.has(frame) && !order.includes(frame)) order.push(frame);
  };
  if (run.report) add(run.report.frame);
  for (const frame of lied) add(frame);
  for (const [frame, list] of lives) if (list[0].table && list.some((s) => s.state !== "live")) add(frame);
  if (!order.length || limit > 2)
    for (const [frame, list] of lives) if (list.some((s) => s.state !== list[0].state)) add(frame);
  return order.slice(0, limit);
}

function beliefSpans(run, frames) {
  const done = [];
  const open = new Map();
  const state = run.at(0);
  for (let n = 0; n <= run.length; n++) {
    if (n > 0) {
      const set = run.steps[n - 1].set || {};
      const keys = Object.keys(set);
      applyChanges(state, run.steps[n - 1]);
      if (!keys.some((key) => /^(f|e)\d|^c\d+\.v\./.test(key))) continue;
    }
    for (const frame of frames) {
      for (let cpu = 0; cpu < run.cpus.length; cpu++) {
        const held = holdsPointer(state, cpu, frame);
        const key = `${cpu} ${frame}`;
        const span = open.get(key);
        if (span && span.good === (held === "true") && held) continue;
        closeAt(open, key, n, done);
        if (held) open.set(key, { cpu, frame, good: held === "true", from: n, to: Infinity });
      }
    }
  }
  return [...done, ...open.values()];
}

/**
 * Everything that lasts in a run, for the timeline. Kept until the run grows.
 * @param {import("./run.js").Run} run
 * @param {boolean} all  all locks and frames, not only those that fit
 */
export function spansOf(run, all) {
  const kept = spanCache.get(run);
  if (kept && kept.version === run.version && kept.all === all) return kept.spans;
  const locks = lockSpans(run);
  const lives = frameSpans(run);
  const frames = subjects(run, lives, all ? 100 : 2);
  const beliefs = beliefSpans(run, frames).filter((b) => b.to > b.from);
  const interest = new Set(frames);
  const rows = run.locks
    .map((lock) => {
      const spans = locks.filter((span) => span.lock === lock.id);
      const near = lock.frame !== undefined && interest.has(lock.frame);
      const rank = (lock.absent ? 2 : 0) + (near ? 3 : 0) + (lock.kind === "rwsem" ? 4 : 0) + (spans.length ? 1 : 0);
      return { lock, spans, rank };
    })
    .filter((row) => row.spans.length || row.lock.absent);
  const shown = all ? rows : [...rows].sort((a, b) => b.rank - a.rank).slice(0, 4);
  const switches = [];
  run.steps.forEach((step, i) => {
    if (i && run.steps[i - 1].cpu !== step.cpu) switches.push(i + 1);
  });
  const spans = {
    locks: rows.filter((row) => shown.includes(row)),
    hidden: rows.length - shown.length,
    lives: frames.map((frame) => ({ frame, spans: lives.get(frame) })),
    beliefs: frames
      .flatMap((frame) =>
        run.cpus.map((_, cpu) => ({ frame, cpu, spans: beliefs.filter((b) => b.frame === frame && b.cpu === cpu) })),
      )
      .filter((row) => row.spans.some((b) => !b.good) || (all && row.spans.length)),
    switches,
  };
  spanCache.set(run, { version: run.version, all, spans });
  return spans;
}

const spanCache = new WeakMap();
