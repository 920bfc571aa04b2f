// A run in the browser: the timeline as it arrived, and its state at any step.
// Knows the schema (docs/trace-schema.md), nothing of kernels and nothing of the picture.

const EVERY = 64; // steps between two checkpoints: a step is then at most this many change-sets away

/** @typedef {Map<string, any>} State  the flat state of docs/trace-schema.md, by key */

/**
 * Change a state in place by what a step set; a key that ends in `.*` takes all keys away that begin so.
 * Who changed an entry or a frame last is kept beside it as `by:KEY`: a CPU knows what it did itself.
 */
export function applyChanges(state, step) {
  const changes = step.set;
  if (!changes) return;
  for (const key of Object.keys(changes)) {
    const value = changes[key];
    if (/^[ef]\d/.test(key)) state.set(`by:${key}`, step.cpu);
    if (key.endsWith(".*")) {
      for (const old of [...state.keys()]) if (old.startsWith(key.slice(0, -1))) state.delete(old);
    } else if (value === null) state.delete(key);
    else state.set(key, value);
  }
}

export class Run {
  /** @param {any} timeline a timeline that `timelineProblem` found nothing wrong with */
  constructor(timeline) {
    this.head = timeline;
    this.steps = timeline.steps;
    this.locks = timeline.locks;
    this.sources = timeline.sources;
    this.report = timeline.report || null;
    this.verdict = timeline.verdict || null;
    this.compare = timeline.compare || null;
    /** Counts changes, so that what was derived from the run can be kept until it grows. */
    this.version = 0;
    this.marks = [new Map(Object.entries(timeline.base))];
    this.nameSteps(0);
  }

  get length() {
    return this.steps.length;
  }

  get cpus() {
    return this.head.cpus;
  }

  /** The state after `n` steps; 0 is before the first. @param {number} n @returns {State} */
  at(n) {
    let mark = Math.min(Math.floor(n / EVERY), this.marks.length - 1);
    for (; mark < Math.floor(n / EVERY); mark++) {
      const next = new Map(this.marks[mark]);
      for (let i = mark * EVERY; i < (mark + 1) * EVERY; i++) applyChanges(next, this.steps[i]);
      this.marks.push(next);
    }
    const state = new Map(this.marks[mark]);
    for (let i = mark * EVERY; i < n; i++) applyChanges(state, this.steps[i]);
    return state;
  }

  /** Note in each step from `from` on what was done: what the CPU's `next` said before, unless the step says. */
  nameSteps(from) {
    const state = this.at(from);
    const next = this.cpus.map((_, cpu) => state.get(`c${cpu}.next`));
    for (let i = from; i < this.steps.length; i++) {
      const step = this.steps[i];
      const said = next[step.cpu];
      step.done = step.op || (said && (said.op || said)) || step.label;
      for (const [key, value] of Object.entries(step.set || {})) {
        const match = /^c(\d+)\.next$/.exec(key);
        if (match) next[Number(match[1])] = value;
      }
    }
  }

  /** Which CPU took each of the first `n` steps. @param {number} [n] */
  choices(n = this.length) {
    return this.steps.slice(0, n).map((step) => step.cpu);
  }

  /**
   * Keep the first steps and add others: what a kernel answers to a choice.
   * @param {{keep: number, steps: any[], sources?: any[], sources_from?: number, locks?: any[], locks_from?: number,
   *          report?: any, verdict?: any}} update
   */
  update(update) {
    this.steps = this.steps.slice(0, update.keep).concat(update.steps);
    this.marks.length = Math.min(this.marks.length, Math.floor(update.keep / EVERY) + 1);
    if (update.sources) this.sources = this.sources.slice(0, update.sources_from).concat(update.sources);
    if (update.locks) this.locks = this.locks.slice(0, update.locks_from).concat(update.locks);
    this.nameSteps(update.keep);
    this.report = update.report || null;
    if (update.verdict !== undefined) this.verdict = update.verdict;
    this.version += 1;
  }

  /** All that `restore` needs to come back here; cheap, nothing is copied deeply. */
  save() {
    return { steps: this.steps, sources: this.sources, locks: this.locks, report: this.report, verdict: this.verdict };
  }

  restore(saved) {
    const shared = saved.steps;
    let keep = 0;
    while (keep < shared.length && shared[keep] === this.steps[keep]) keep++;
    Object.assign(this, saved);
    this.marks.length = Math.min(this.marks.length, Math.floor(keep / EVERY) + 1);
    this.version += 1;
  }
}

/** A schedule as one line: "0x3 1x13 0x1". @param {number[]} choices */
export function scheduleLine(choices) {
  const parts = [];
  for (let i = 0; i < choices.length;) {
    let j = i;
    while (j < choices.length && choices[j] === choices[i]) j++;
    parts.push(`${choices[i]}x${j - i}`);
    i = j;
  }
  return parts.join(" ");
}

/** Read such a line; null if it is none. A scenario's name in front is allowed. @param {string} line */
export function parseSchedule(line) {
  const choices = [];
  const words = line.trim().split(/\s+/);
  if (words.length && !/^\d/.test(words[0])) words.shift();
  if (words.length === 1 && /^\d{2,}$/.test(words[0])) return [...words[0]].map(Number);
  for (const word of words) {
    const match = /^(\d+)(?:[x*](\d+))?(?::[^\s@]+)?(?:@\d+)?$/.exec(word);
    if (!match) return null;
    const times = match[2] === undefined ? 1 : Number(match[2]);
    if (times > 100000) return null;
    for (let i = 0; i < times; i++) choices.push(Number(match[1]));
  }
  return choices;
}
