// Source text around where a CPU stands: a window of lines, the head of the function pinned.
// The stack is the text: a function that is not on the stack is not shown.

import { h } from "./dom.js";
import { stackOf } from "./meaning.js";

/** Lines that a lane shows of its source. */
const LINES = 15;
/** Calls that a lane shows where there is no source, the last on two lines: as high as its status. */
const CALLS = 9;

/** The lines of a source as [number, text], blank runs folded. */
function linesOf(source) {
  const out = [];
  let blank = false;
  source.text.split("\n").forEach((text, i) => {
    if (text.trim() === "") {
      blank = out.length > 0;
      return;
    }
    if (blank) blank = false;
    out.push([(source.first || 1) + i, text]);
  });
  return out;
}

/** Take the least indentation away, so that methods start at the left. */
function dedent(lines) {
  const least = Math.min(...lines.map(([, text]) => text.length - text.trimStart().length));
  // Half the indentation is enough to see the blocks, and leaves room for the words.
  return lines.map(([number, text]) => {
    const body = text.slice(least);
    const deep = body.length - body.trimStart().length;
    return [number, " ".repeat(deep > 4 ? 2 + deep / 2 : deep) + body.trimStart()];
  });
}

/** The end of the statement that begins at `index`: lines that a bracket keeps open. */
function statementEnd(lines, index) {
  let depth = 0;
  for (let i = index; i < lines.length; i++) {
    const text = lines[i][1].replace(/#.*$/, "");
    depth += (text.match(/[([{]/g) || []).length - (text.match(/[)\]}]/g) || []).length;
    if (depth <= 0) return i;
  }
  return index;
}

/** At most `room` lines about the marked ones, the head kept. */
function windowOf(lines, marked, room) {
  if (lines.length <= room) return lines;
  const head = statementEnd(lines, 0) + 1;
  const places = marked.map((n) => lines.findIndex(([number]) => number === n)).filter((i) => i >= 0);
  const middle = places.length ? Math.max(...places) : 0;
  const rest = room - head - 1;
  const start = Math.max(head, Math.min(middle - Math.floor(rest / 2), lines.length - rest));
  if (start <= head) return [...lines.slice(0, room - 1), [null, "…"]];
  const body = lines.slice(start, start + rest);
  const tail = start + rest < lines.length ? [[null, "…"]] : [];
  if (tail.length) body.pop();
  return [...lines.slice(0, head), [null, "…"], ...body, ...tail];
}

function painted(text) {
  const hash = text.indexOf("#");
  const code = hash < 0 ? text : text.slice(0, hash);
  const parts = code.split(/\b(await)\b/).map((part) => (part === "await" ? h("span", { class: "k" }, part) : part));
  return [parts, hash < 0 ? null : h("span", { class: "c" }, text.slice(hash))];
}

/** The height in pixels that the lanes of a run without any source text need; null where there is text. @param {any} run */
export function bareRoom(run) {
  return Object.values(run.sources).some((source) => source.text) ? null : 15 * (CALLS + 1);
}

/** Where no source text ships: the functions on the stack, outermost first, with the innermost line. */
function stackList(ctx, cpu, stack) {
  const acted = ctx.step && ctx.step.cpu === cpu;
  const shown = stack.slice(-CALLS);
  return h(
    "div",
    { class: "code", role: "group", "aria-label": ctx.words.ui("source", { who: ctx.run.cpus[cpu].name }) },
    shown.map(([source, line], depth) => {
      const last = depth === shown.length - 1;
      const { name, file } = ctx.run.sources[source];
      return h(
        "div",
        { class: last ? (acted ? "did" : "at") : "call" },
        `${" ".repeat(Math.min(depth, 12))}${name}`,
        last && file ? h("span", { class: "c" }, `  ${file}:${line}`) : null,
      );
    }),
  );
}

/**
 * The source of a CPU: the innermost two functions, with the line just done and the line to come.
 * @param {any} ctx @param {number} cpu
 */
export function codeView(ctx, cpu) {
  const now = stackOf(ctx.state, cpu);
  const acted = ctx.step && ctx.step.cpu === cpu;
  const then = acted && ctx.before ? stackOf(ctx.before, cpu) : now;
  const whole = acted && then.length ? then : now;
  if (whole.length && whole.every(([source]) => !ctx.run.sources[source]?.text))
    return stackList(ctx, cpu, now.length ? now : whole); // a recorded step carries its own stack
  let stack = (acted && then.length ? then : now).slice(-2);
  if (stack.length === 2 && stack[0][0] === stack[1][0]) stack = stack.slice(1); // one text is enough for a recursion
  const did = acted && then.length ? then[then.length - 1] : null;
  const at = now.length ? now[now.length - 1] : null;
  const fatal = ctx.fatal && ctx.run.report.cpu === cpu;
  const ended = ctx.state.get(`c${cpu}.state`) === "finished" || fatal;
  const out = [];
  let room = LINES;
  const texts = stack.map(([source]) => (ctx.run.sources[source] ? dedent(linesOf(ctx.run.sources[source])) : []));
  const inner = texts.length - 1;
  stack.forEach(([source, line], depth) => {
    const lines = texts[depth];
    if (!lines.length) {
      const known = ctx.run.sources[source];
      if (known)
        out.push(
          h(
            "div",
            { class: depth === inner ? "at" : "call" },
            known.name,
            known.file ? h("span", { class: "c" }, `  ${known.file}:${line}`) : null,
          ),
        );
      return;
    }
    const share = depth === inner ? room : Math.min(room - 5, Math.max(LINES - texts[inner].length, 6));
    const calls = now.filter(([s], i) => s === source && i < now.length - 1).map(([, l]) => l);
    if (depth < inner) calls.push(line);
    const marked = [did, at]
      .filter((p) => p && p[0] === source)
      .map((p) => p[1])
      .concat(calls);
    const shown = windowOf(lines, marked, share);
    room -= shown.length;
    if (out.length) out.push(h("div", { class: "sep", key: `sep${depth}` }));
    const rangeOf = (n) => {
      const first = lines.findIndex(([number]) => number === n);
      return first < 0 ? [n, n] : [n, lines[statementEnd(lines, first)][0]];
    };
    const within = (number, n) => number !== null && n !== null && number >= rangeOf(n)[0] && number <= rangeOf(n)[1];
    for (const [number, text] of shown) {
      const isDid = did && did[0] === source && within(number, did[1]);
      const isAt = !ended && at && at[0] === source && within(number, at[1]);
      const isCall = calls.some((n) => within(number, n));
      const name = isDid ? (fatal ? "die" : "did") : isAt ? "at" : isCall ? "call" : null;
      out.push(
        h("div", { class: name, "aria-current": isDid || (isAt && !did) ? "true" : null }, painted(text || " ")),
      );
    }
  });
  if (!out.length) out.push(h("div", { class: "c" }, ctx.words.ui("no_source")));
  return h(
    "div",
    { class: "code", role: "group", "aria-label": ctx.words.ui("source", { who: ctx.run.cpus[cpu].name }) },
    out,
  );
}
