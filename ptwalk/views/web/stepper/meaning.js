// What a state means: who points where, whether that is still true, who holds what.
// Works on the keys of the schema alone; every answer is a pure function of one state.

/** The locals of a CPU, innermost call first. @returns {Array<{name: string, depth: number, value: any}>} */
export function localsOf(state, cpu) {
  const prefix = `c${cpu}.v.`;
  const found = [];
  for (const [key, value] of state) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    const dot = rest.indexOf(".");
    found.push({
      depth: Number(rest.slice(0, dot)),
      name: rest.slice(dot + 1),
      value: typeof value === "string" ? { text: value } : value,
    });
  }
  return found.sort((a, b) => b.depth - a.depth);
}

/** The call stack of a CPU, outermost first, as [source, line] pairs. */
export function stackOf(state, cpu) {
  const stack = [];
  for (let depth = 0; state.has(`c${cpu}.s.${depth}`); depth++) stack.push(state.get(`c${cpu}.s.${depth}`));
  return stack;
}

/** The innermost two functions in which a step was done, as text; a recorded step carries its own stack. */
export function whereText(run, step, before, state) {
  const names = (moment) => stackOf(moment, step.cpu).map(([source]) => run.sources[source] || { name: "?" });
  const [then, now] = [names(before), names(state)];
  const stack = then.length && then.some((source) => source.text) ? then : now.length ? now : then;
  return stack
    .slice(-2)
    .map((source) => source.name)
    .join(" › ");
}

/**
 * "live", or how a pointer of `cpu` into `frame` fails: "stale" (unlinked, deposited) or "dangling" (freed, reused).
 * What a CPU did to a frame itself it knows: that is no false belief.
 */
export function standing(state, cpu, frame, generation) {
  const value = state.get(`f${frame}`);
  if (!value || state.get(`by:f${frame}`) === cpu) return "live";
  if ((value.generation || 0) !== (generation || 0)) return "dangling";
  if (value.state === "unlinked" || value.state === "deposited") return "stale";
  if (value.state === "freed") return "dangling";
  return "live";
}

/**
 * What a local of `cpu` stands for in memory, and whether it is still so.
 * `frame` is the frame it leads to or points into; `homeGone` says that the table it was read from is gone.
 */
export function truth(state, cpu, local) {
  const value = local.value;
  const into = value.at ? Number(value.at.split(".")[0]) : value.to;
  const known = into === undefined ? "live" : standing(state, cpu, into, value.generation);
  // Who merely names a frame, as the one who is about to free it does, does not say that it is linked.
  const status = known === "stale" && !value.at && !value.from ? "live" : known;
  if (!value.from) return { frame: into, status, false: status !== "live", entry: null, homeGone: false };
  const entry = state.get(`e${value.from}`);
  const home = Number(value.from.split(".")[0]);
  const homeNow = state.get(`f${home}`);
  const homeGone = Boolean(homeNow) && homeNow.state !== "live";
  const moved = value.to !== undefined && (!entry || entry.to !== value.to) && state.get(`by:e${value.from}`) !== cpu;
  const lost = homeGone && state.get(`by:f${home}`) !== cpu;
  return { frame: into, status, false: moved || lost || status !== "live", entry: entry || null, homeGone };
}

/** Whether CPU `cpu` holds a pointer into `frame`: "" or "true" or "false now". */
export function holdsPointer(state, cpu, frame) {
  let held = "";
  for (const local of localsOf(state, cpu)) {
    const said = truth(state, cpu, local);
    if (said.frame !== frame) continue;
    if (said.false) return "false";
    held = "true";
  }
  return held;
}

/** All (CPU, frame) pairs with a pointer that is no longer true. */
export function falseBeliefs(state, cpus) {
  const found = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    for (const local of localsOf(state, cpu)) {
      const said = truth(state, cpu, local);
      if (said.false && said.frame !== undefined) found.push([cpu, said.frame]);
    }
  }
  return found;
}

/** The locks a CPU holds, as [lock, mode] pairs. */
export function heldBy(state, cpu) {
  const found = [];
  for (const [key, value] of state) {
    if (!key.startsWith("l:")) continue;
    for (const [who, mode] of value.held) if (who === cpu) found.push([key.slice(2), mode]);
  }
  return found;
}

/** What a step touched: keys of entries and locks it changed or named in its sentence. */
export function touched(step) {
  const keys = new Set();
  if (!step) return keys;
  for (const key of Object.keys(step.set || {})) if (/^(e\d|l:|f\d|x:)/.test(key)) keys.add(key);
  const first = step.say[0] && step.say[0][1];
  if (first && first.entry !== undefined) keys.add(`e${first.entry}`);
  if (first && first.lock !== undefined) keys.add(`l:${first.lock}`);
  return keys;
}

/** What a CPU does next, as {op, label}; null if it has ended. */
export function nextOf(state, cpu) {
  const next = state.get(`c${cpu}.next`);
  return next === undefined ? null : typeof next === "string" ? { op: next } : next;
}

/** Which two CPUs have the two hues: those of the report, else the first two. */
export function hues(run) {
  const report = run.report;
  const order = [];
  if (report && report.cpu !== undefined) order.push(report.cpu);
  if (report && report.other !== undefined) order.push(report.other);
  if (order.length === 2) order.sort((a, b) => a - b);
  for (let cpu = 0; cpu < run.cpus.length && order.length < 2; cpu++) if (!order.includes(cpu)) order.push(cpu);
  return order.sort((a, b) => a - b);
}
