// Source text around where a CPU stands. The stack is the text: a function that is not on the stack is not shown.

import { h } from "./dom.js";
import { stackOf } from "./meaning.js";
import { indentOf, pageOf, rowsTaken, sourceLines, statementEnd } from "./source.js";

/** Rows that a lane shows of its source, where the page is wide and where every line wraps; the height of one. */
const CODE_ROWS = { wide: 15, narrow: 20 };
const CODE_ROW = 15;
/** Calls that a lane shows where there is no source, the last on two lines: as high as its status. */
const CALLS = 9;
/** The width of a letter of the source in pixels, of the widest usual font. */
const LETTER = 7.3;

/** Whether any function of a run comes with its text. @param {any} run */
function hasText(run) {
  return Object.values(run.sources).some((source) => source.text);
}

/** The height in pixels that the source of a lane takes in every step. @param {any} ctx */
export function codeRoom(ctx) {
  if (!hasText(ctx.run)) return CODE_ROW * (CALLS + 1);
  return CODE_ROW * (ctx.width < 560 ? CODE_ROWS.narrow : CODE_ROWS.wide) + 4;
}

/** How many letters a line of source has room for. */
function lettersIn(ctx) {
  const lane = ctx.width < 860 || ctx.run.cpus.length === 1 ? ctx.inner : (ctx.inner - 20) / 2;
  const share = ctx.width < 560 ? lane : lane - Math.max(176, lane * 0.41) - (ctx.width < 860 ? 16 : 8);
  return Math.floor((share - 12) / LETTER);
}

function painted(text) {
  const hash = text.indexOf("#");
  const code = hash < 0 ? text : text.slice(0, hash);
  const parts = code.split(/\b(await)\b/).map((part) => (part === "await" ? h("span", { class: "k" }, part) : part));
  return [parts, hash < 0 ? null : h("span", { class: "c" }, text.slice(hash))];
}

function whereLine({ name, file }, line, role) {
  return h("div", { class: role }, name, file ? h("span", { class: "c" }, `  ${file}:${line}`) : null);
}

/** Where no source text ships: the functions on the stack, outermost first, with the innermost line. */
function stackList(ctx, cpu, stack) {
  const acted = ctx.step && ctx.step.cpu === cpu;
  const shown = stack.slice(-CALLS);
  return shown.map(([source, line], depth) => {
    const last = depth === shown.length - 1;
    const { name, file } = ctx.run.sources[source];
    const deep = " ".repeat(Math.min(depth, 12));
    return whereLine({ name: deep + name, file: last && file }, line, last ? (acted ? "did" : "at") : "call");
  });
}

/** The innermost two functions, with the line just done and the line to come. */
function functions(ctx, cpu, stack, did, now) {
  const at = now.length ? now[now.length - 1] : null;
  const fatal = ctx.fatal && ctx.run.report.cpu === cpu;
  const ended = ctx.state.get(`c${cpu}.state`) === "finished" || fatal;
  const letters = lettersIn(ctx);
  const wraps = ctx.width < 560;
  const texts = stack.map(([source]) => sourceLines(ctx.run.sources[source] || { text: "" }));
  const inner = texts.length - 1;
  let room = wraps ? CODE_ROWS.narrow : CODE_ROWS.wide;
  const all = room;
  const out = [];
  stack.forEach(([source, line], depth) => {
    const lines = texts[depth];
    if (!lines.length) {
      if (ctx.run.sources[source]) out.push(whereLine(ctx.run.sources[source], line, depth === inner ? "at" : "call"));
      room -= 1;
      return;
    }
    const calls = now.filter(([s], i) => s === source && i < now.length - 1).map(([, l]) => l);
    if (depth < inner) calls.push(line);
    const first = (n) => lines.findIndex(([number]) => number === n);
    /** Whether a line belongs to the statement that begins at line `n`. */
    const within = (number, n) =>
      number !== null &&
      number >= n &&
      (number === n || (first(n) >= 0 && number <= lines[statementEnd(lines, first(n))][0]));
    const roleOf = (number) => {
      if (did && did[0] === source && within(number, did[1])) return fatal ? "die" : "did";
      if (!ended && at && at[0] === source && within(number, at[1])) return "at";
      return calls.some((n) => within(number, n)) ? "call" : null;
    };
    const cost = ([number, text]) =>
      wraps || !["call", null].includes(roleOf(number)) ? rowsTaken(text || " ", letters) : 1;
    const innerRows = texts[inner].reduce((sum, one) => sum + (wraps ? rowsTaken(one[1], letters) : 1), 0);
    const share = depth === inner ? room : Math.min(room - 5, Math.max(all - innerRows - 1, Math.floor(all * 0.4)));
    const marked = [did, at].filter((p) => p && p[0] === source).map((p) => p[1]);
    const shown = pageOf(lines, marked.length ? marked : calls, share, cost);
    room -= shown.reduce((sum, one) => sum + cost(one), 0);
    if (out.length) out.push(h("div", { class: "sep", key: `sep${depth}` }));
    for (const [number, text] of shown) {
      const role = roleOf(number);
      const current = role === "did" || role === "die" || (role === "at" && !did);
      const hang = indentOf(text) + 2;
      out.push(
        h(
          "div",
          {
            class: role,
            "aria-current": current ? "true" : null,
            style: `--hang:${hang}ch`,
            title: text.length > letters ? text.trim() : null,
          },
          painted(text),
        ),
      );
    }
  });
  return out;
}

/** The source of a CPU. @param {any} ctx @param {number} cpu */
export function codeView(ctx, cpu) {
  const now = stackOf(ctx.state, cpu);
  const acted = ctx.step && ctx.step.cpu === cpu;
  const then = acted && ctx.before ? stackOf(ctx.before, cpu) : now;
  const whole = acted && then.length ? then : now;
  let content;
  if (whole.length && whole.every(([source]) => !ctx.run.sources[source]?.text))
    content = stackList(ctx, cpu, now.length ? now : whole); // a recorded step carries its own stack
  else {
    let stack = whole.slice(-2);
    if (stack.length === 2 && stack[0][0] === stack[1][0]) stack = stack.slice(1); // one text is enough for a recursion
    content = functions(ctx, cpu, stack, acted && then.length ? then[then.length - 1] : null, now);
  }
  if (!content.length) content = [h("div", { class: "c" }, ctx.words.ui("no_source"))];
  const label = ctx.words.ui("source", { who: ctx.run.cpus[cpu].name });
  return h("div", { class: "code", role: "group", "aria-label": label }, content);
}
