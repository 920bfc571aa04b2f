// Where things stand: which frame in which column, which entries of it, which levels fold.
// A frame never moves: its place is settled by the whole run, not by the step.

/** The most entries a table shows one by one. */
const ROWS = 5;

/**
 * @typedef {{id: number, first: number, rows: number[], more: number[], lock: string, level: string, page: boolean}} Box
 * @typedef {{level: any, boxes: Box[], changes: boolean, page: boolean}} Column
 * @typedef {{columns: Column[], marks: Object<string, string[]>, boxes: Map<number, Box>, owners: Map<number, number[]>}} Layout
 */

/** Every frame with the step in which it is first seen, and how often each entry matters. */
function survey(run) {
  const frames = new Map();
  const entries = new Map();
  const changed = new Set();
  const meet = (id, value, step) => {
    const known = frames.get(id);
    if (!known) frames.set(id, { first: step, value });
    else if (value && value.lock && !known.value.lock) known.value = { ...known.value, lock: value.lock };
    if (step > 0) changed.add(id);
  };
  const matter = (slot, weight) => {
    const [frame, index] = slot.split(".");
    if (!/^\d+$/.test(index)) return;
    const map = entries.get(Number(frame)) || new Map();
    map.set(Number(index), Math.max(map.get(Number(index)) || 0, weight));
    entries.set(Number(frame), map);
  };
  const read = (key, value, step) => {
    if (value === null) return;
    if (/^f\d+$/.test(key)) meet(Number(key.slice(1)), value, step);
    else if (/^e\d/.test(key)) {
      matter(key.slice(1), step ? 3 : 1);
      if (step) changed.add(Number(key.slice(1).split(".")[0]));
    } else if (key.includes(".v.") && value !== null && typeof value === "object") {
      if (value.at) matter(value.at, 2);
      if (value.from) matter(value.from, 2);
    }
  };
  for (const [key, value] of run.marks[0]) read(key, value, 0);
  run.steps.forEach((step, i) => {
    for (const [key, value] of Object.entries(step.set || {})) read(key, value, i + 1);
    for (const [, params] of step.say) if (params && params.entry) matter(params.entry, 2);
  });
  return { frames, entries, changed };
}

/** Which address spaces reach a table at the start: [root number, ...] by frame. */
function owners(run) {
  const found = new Map();
  const links = new Map();
  for (const [key, value] of run.marks[0]) {
    if (!/^e\d/.test(key) || value.to === undefined) continue;
    const frame = Number(key.slice(1).split(".")[0]);
    links.set(frame, [...(links.get(frame) || []), value.to]);
  }
  run.head.roots.forEach((root, number) => {
    const todo = [root.frame];
    const seen = new Set();
    while (todo.length) {
      const frame = todo.pop();
      if (seen.has(frame)) continue;
      seen.add(frame);
      found.set(frame, [...(found.get(frame) || []), number]);
      todo.push(...(links.get(frame) || []));
    }
  });
  return found;
}

/** One address space below the other, what they share between them; what is in none yet comes last. */
function inRows(boxes, whose) {
  const place = (box) => {
    const list = whose.get(box.id) || [];
    return list.length ? list.reduce((sum, root) => sum + root, 0) / list.length : Infinity;
  };
  boxes.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** The rows of a table: what changes and what a CPU goes through first, then its neighbours. */
function rowsOf(map, pathIndex) {
  const known = map ? new Map(map) : new Map();
  if (pathIndex !== undefined && known.has(pathIndex)) known.set(pathIndex, 4);
  const order = [...known.entries()].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([index]) => index);
  return { rows: order.slice(0, ROWS).sort((a, b) => a - b), more: order.slice(ROWS) };
}

/** The layout of a run; kept until the run grows. @param {import("./run.js").Run} run @returns {Layout} */
export function layoutOf(run) {
  const kept = layoutCache.get(run);
  if (kept && kept.version === run.version) return kept.layout;
  const { frames, entries, changed } = survey(run);
  const columns = run.head.levels.map((level) => ({ level, boxes: [], changes: false, page: false }));
  const pages = { level: null, boxes: [], changes: false, page: true };
  const boxes = new Map();
  const order = [...frames.entries()].sort((a, b) => a[1].first - b[1].first);
  for (const [id, { first, value }] of order) {
    const column = value.kind === "page" ? pages : columns.find((c) => c.level.name === value.level) || pages;
    const { rows, more } = rowsOf(entries.get(id), column.level ? column.level.index : undefined);
    const box = { id, first, rows, more, lock: value.lock || "", level: value.level || "", page: column.page };
    boxes.set(id, box);
    column.boxes.push(box);
    if (changed.has(id)) column.changes = true;
  }
  const whose = owners(run);
  if (run.head.roots.length > 1) for (const column of [...columns, pages]) inRows(column.boxes, whose);
  const layout = {
    columns: [...columns, pages].filter((c) => c.boxes.length),
    marks: marksOf(run, boxes),
    boxes,
    owners: whose,
  };
  layoutCache.set(run, { version: run.version, layout });
  return layout;
}

/** The bits that any entry of a level has in this run, in the header's order, so that they keep their columns. */
function marksOf(run, boxes) {
  const order = (run.head.marks || "").split(" ").filter(Boolean);
  const seen = {};
  const read = (key, value) => {
    if (!/^e\d/.test(key) || !value || !value.marks) return;
    const box = boxes.get(Number(key.slice(1).split(".")[0]));
    const set = (seen[box ? box.level : ""] ??= new Set());
    for (const mark of value.marks.split(" ")) set.add(mark);
  };
  for (const [key, value] of run.marks[0]) read(key, value);
  for (const step of run.steps) for (const [key, value] of Object.entries(step.set || {})) read(key, value);
  /** @type {Object<string, string[]>} */
  const marks = {};
  for (const [level, set] of Object.entries(seen)) {
    marks[level] = [...order.filter((m) => set.has(m)), ...[...set].filter((m) => m && !order.includes(m))];
  }
  return marks;
}

const layoutCache = new WeakMap();

/** Where the wide columns of the timeline lie: steps near `now` in full, the others squeezed when they do not fit. */
export function columnsOf(count, now, left, width, wanted) {
  const room = width - left;
  const even = room / Math.max(count, 1);
  const xs = new Float64Array(count + 1);
  if (even >= wanted || count <= 20) {
    for (let i = 0; i <= count; i++) xs[i] = left + i * even;
    return { xs, folded: false, near: [1, count] };
  }
  const shown = count > 120 ? 15 : 11;
  const lo = Math.max(1, Math.min(now - (shown - 1) / 2, count - shown + 1));
  const hi = Math.min(count, lo + shown - 1);
  const full = Math.min(wanted, (room * 0.7) / (hi - lo + 1));
  const small = (room - full * (hi - lo + 1)) / Math.max(count - (hi - lo + 1), 1);
  // Each place by itself, not as a sum: far places then stay exactly where they were, and need no redraw.
  const place = (i) => left + small * i + (full - small) * Math.max(0, Math.min(i, hi) - (lo - 1));
  for (let i = 0; i <= count; i++) xs[i] = Math.round(place(i) * 100) / 100;
  return { xs, folded: true, near: [lo, hi] };
}
