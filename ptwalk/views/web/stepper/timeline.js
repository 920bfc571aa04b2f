// The timeline: steps per CPU, locks as bars, the life of a frame over what a CPU believes of it.
// Spans are drawn as to come and as happened, cut at now: the future never looks like fact.

import { h } from "./dom.js";
import { columnsOf } from "./layout.js";
import { spansOf } from "./spans.js";
import { hueClass } from "./tags.js";
import { comparedRow } from "./compare.js";

const CHAR = 5.9; // width of a letter at 12 px, a little more than the mean, so that nothing is cut

/** The text if it fits, else "". */
export function fitting(text, width) {
  return text.length * CHAR + 8 <= width ? text : "";
}

function label(x, y, text, name, anchor) {
  return text === "" ? null : h("text", { x, y, class: name, "text-anchor": anchor || "start" }, text);
}

/** A text on a patch of ground, so that lines do not run through it. */
function patched(x, y, text, name, anchor) {
  const w = text.length * CHAR + 4;
  return [h("rect", { class: "ground", x: anchor === "end" ? x - w + 2 : x - 2, y: y + 1, width: w, height: 16 }), label(x, y + 13, text, name, anchor)];
}

function geometry(ctx, rows) {
  const narrow = ctx.width < 760;
  const gutter = narrow ? (ctx.width < 480 ? 76 : 88) : 128;
  const count = Math.max(ctx.run.length, 1);
  const inner = ctx.inner;
  const scrolls = ctx.width < 560 && count * 28 > inner - gutter;
  const width = scrolls ? gutter + Math.min(count, 400) * 28 : inner;
  const wanted = narrow ? 30 : 50;
  const { xs, folded, near } = columnsOf(count, ctx.n, gutter, width, wanted);
  const y = {};
  let top = 28;
  for (const [name, height] of rows) {
    y[name] = top;
    top += height;
  }
  return { narrow, scrolls, gutter, width, xs, folded, near, y, height: top + 2, x: (i) => (xs[i - 1] + xs[i]) / 2, l: (i) => xs[i - 1], r: (i) => xs[i], w: (i) => xs[i] - xs[i - 1] };
}

/** Step numbers along the top, thinned out where there is no room. */
function axis(ctx, g) {
  const out = [];
  let last = -100;
  for (let i = 1; i <= ctx.run.length; i++) {
    const x = g.x(i);
    if (i === ctx.n || Math.abs(x - g.now) < 26 || x - last < (g.narrow ? 26 : 22)) continue;
    if (g.folded && (i < g.near[0] || i > g.near[1]) && i !== 1 && i !== ctx.run.length && i % 10) continue;
    last = x;
    out.push(label(x, 15, String(i), "m", "middle"));
  }
  return out;
}

/** One pill: a step, or a run of squeezed steps of one CPU. */
function pill(ctx, g, from, to) {
  const step = ctx.run.steps[from - 1];
  const y = g.y[`c${step.cpu}`];
  const fatal = ctx.run.report && ctx.run.report.step >= from && ctx.run.report.step <= to;
  const here = ctx.n >= from && ctx.n <= to;
  const name = `pill ${hueClass(ctx.run, step.cpu)} ${here ? "now" : to <= ctx.n ? "past" : "future"}${fatal ? " fatal" : ""}`;
  const x = g.l(from) + 1;
  const w = Math.max(g.r(to) - g.l(from) - 2, 1);
  const many = to > from;
  const word = many ? `${ctx.run.cpus[step.cpu].task || step.label} × ${to - from + 1}` : fatal ? `✕ ${step.label}` : step.label;
  const text = fitting(word, w) || (many && fitting(`× ${to - from + 1}`, w)) || (fatal && w > 14 ? "✕" : "");
  return h("g", { class: name, "data-step": here ? ctx.n : to },
    h("rect", { x, y, width: w, height: 18, rx: step.cpu % 2 ? 2 : Math.min(9, w / 2) }),
    label(x + w / 2, y + 13, text, "", "middle"));
}

function pills(ctx, g) {
  const out = [];
  const count = ctx.run.length;
  for (let i = 1; i <= count; ) {
    let j = i;
    if (g.folded && g.w(i) < 6) {
      while (j < count && ctx.run.steps[j].cpu === ctx.run.steps[i - 1].cpu && g.w(j + 1) < 6 && !(ctx.run.report && ctx.run.report.step === j + 1)) j++;
      while (j > i && j >= g.near[0] && i < g.near[0]) j--;
    }
    if (g.r(j) - g.l(i) >= 1 || j === count) out.push(pill(ctx, g, i, j));
    i = j + 1;
  }
  return out;
}

function switchMarks(ctx, g, spans) {
  const out = [];
  if (spans.switches.length > 60) return out;
  spans.switches.forEach((i, number) => {
    const [a, b] = [ctx.run.steps[i - 2].cpu, ctx.run.steps[i - 1].cpu];
    const name = i <= ctx.n ? "sw past" : "sw";
    const x = g.l(i);
    out.push(h("path", { class: name, d: `M${x},${g.y[`c${a}`] + 9}V${g.y[`c${b}`] + 9}` }));
    const text = ctx.words.ui("switch", { n: number + 1 });
    const until = spans.switches[number + 1] ? g.l(spans.switches[number + 1]) : g.r(ctx.run.length);
    const since = number ? g.l(spans.switches[number - 1]) : g.gutter;
    if (g.narrow) return;
    if (until - x > text.length * CHAR + 50) out.push(patched(x + 6, g.y[`c${a}`], text, "m"));
    else if (x - since > text.length * CHAR + 50) out.push(patched(x - 6, g.y[`c${b}`], text, "m", "end"));
  });
  return out;
}

/** How many steps before step `i` the lane of a CPU is empty. */
function freeBefore(ctx, i, cpu) {
  let free = 0;
  while (i - free - 2 >= 0 && ctx.run.steps[i - free - 2].cpu !== cpu) free++;
  return free;
}

/** Interrupts taken: a dashed pill in the other lane and an arrow each way. */
function interrupts(ctx, g) {
  const out = [];
  ctx.run.steps.forEach((step, k) => {
    for (const cpu of step.ipi || []) {
      if (cpu === step.cpu) continue;
      const i = k + 1;
      const x = g.x(i);
      const [ya, yb] = [g.y[`c${step.cpu}`], g.y[`c${cpu}`]];
      const past = i <= ctx.n ? "past" : "";
      const down = yb > ya;
      const [y1, y2] = down ? [ya + 18, yb] : [ya, yb + 18];
      const tip = down ? 1 : -1;
      if (g.w(i) < 12) continue;
      out.push(h("g", { class: `ipi ${past}` },
        h("rect", { x: x - 16, y: yb, width: 32, height: 18, rx: 9 }), label(x, yb + 13, ctx.words.ui("irq"), past ? "" : "m", "middle"),
        h("path", { class: "line", d: `M${x - 6},${y1}V${y2 - 6 * tip}M${x + 6},${y2}V${y1 + 6 * tip}` }),
        h("path", { class: "tip", d: `M${x - 10},${y2 - 7 * tip}h8l-4,${7 * tip}zM${x + 2},${y1 + 7 * tip}h8l-4,${-7 * tip}z` }),
        freeBefore(ctx, i, cpu) * g.w(i) > 190 && !g.folded ? patched(x - 22, yb, ctx.words.ui("ipi_at_once"), "m", "end") : null));
    }
  });
  return out;
}

const past = (ctx, span) => span.from <= ctx.n;

function lockBars(ctx, g, row, lit) {
  const y = g.y[`l${row.lock.id}`];
  return row.spans.map((span) => {
    const from = Math.max(span.from, 1);
    const x = g.l(from) + 1.5;
    const w = g.r(Math.min(span.to === Infinity ? ctx.run.length : span.to - 1 < from ? from : span.to - 1, ctx.run.length)) - x - 1.5;
    const who = ctx.run.cpus[span.cpu].name;
    const shared = span.mode === "read";
    const text = span.mode === "held" ? who : ctx.words.ui(shared ? (span.downgraded ? "lock_downgraded" : "lock_read") : "lock_write", { who });
    const short = fitting(text, w) || fitting(who, w);
    return h("g", { class: `bar ${hueClass(ctx.run, span.cpu)} ${shared ? "shared" : "own"} ${lit ? "lit" : "dim"}` },
      h("rect", { x, y, width: Math.max(w, 1), height: 16 }), label(x + 7, y + 12, short, ""));
  });
}

function lifeBars(ctx, g, row, lit) {
  const y = g.y[`f${row.frame}`];
  return row.spans.map((span, i) => {
    const a = span.from === 0 ? g.l(1) : g.x(Math.max(span.from, 1));
    const next = row.spans[i + 1];
    const b = next ? g.x(next.from) : g.r(Math.max(ctx.run.length, 1));
    const word = span.state === "live" ? (span.table ? ctx.words.ui("life_live") : ctx.words.word(span.note || "mapped"))
      : span.state === "data" ? "data" : span.note === "flushed" ? `${ctx.words.word(span.state)}, ${span.note}` : ctx.words.word(span.state);
    const text = fitting(word, b - a) || (span.note === "flushed" ? fitting("flushed", b - a) : "");
    const fill = span.state === "freed" ? `fill:url(#${ctx.id}-ht)` : null;
    const inverted = span.state === "data";
    const bar = h("g", { class: `life ${span.state} ${lit ? "lit" : "dim"}` }, h("rect", { x: a, y, width: Math.max(b - a - 2, 1), height: 16, style: fill }));
    const tone = inverted ? (lit ? "inv" : "m") : past(ctx, span) ? "" : "m";
    const words = text && (inverted ? true : lit) ? [
      span.state === "freed" ? h("rect", { class: "ground", x: a + 3, y: y + 1.5, width: text.length * CHAR + 8, height: 13 }) : null, label(a + 7, y + 12, text, tone)] : null;
    return inverted ? [bar, words] : { bar, words };
  });
}

function beliefBars(ctx, g, row, lit) {
  const y = g.y[`b${row.cpu}.${row.frame}`];
  return row.spans.map((span) => {
    const a = g.x(Math.max(span.from, 1));
    const b = span.to === Infinity ? g.r(Math.max(ctx.run.length, 1)) : g.x(span.to);
    const text = span.good ? fitting(ctx.words.ui("belief_true", { frame: ctx.words.frame(row.frame) }), b - a) || fitting("true", b - a)
      : fitting(ctx.words.ui("belief_false"), b - a) || fitting(ctx.words.ui("belief_false_short"), b - a) || fitting("≠", b - a);
    const bar = h("g", { class: `belief ${hueClass(ctx.run, row.cpu)} ${span.good ? "good" : "no"} ${lit ? "lit" : "dim"}` },
      h("rect", { x: a, y, width: Math.max(b - a - 2, 1), height: 16 }));
    return { bar, words: lit ? label(a + 7, y + 12, text, past(ctx, span) ? (span.good ? "" : "false") : "m") : null };
  });
}

/** A dotted row where the absence is the point, and the cross where a lock is taken that is gone. */
function absences(ctx, g, rows) {
  const out = [];
  const report = ctx.run.report;
  for (const { lock, spans } of rows) {
    const y = g.y[`l${lock.id}`];
    if (lock.absent && !spans.length) {
      const full = ctx.words.ui("never_taken", { why: lock.absent });
      const text = fitting(full, g.width - g.gutter - 60) || ctx.words.ui("never");
      out.push(h("line", { class: "never", x1: g.gutter, x2: g.width, y1: y + 8, y2: y + 8 }), patched(g.gutter + (g.width - g.gutter) * 0.18, y - 1, text, "m"));
    }
    if (report && report.step && report.where && lock.frame !== undefined && report.where === `${lock.frame}.lock`) {
      const i = report.step;
      const hit = ctx.n >= i;
      out.push(h("g", { class: `deadlock ${hit ? "hit" : ""}` }, h("rect", { x: g.l(i) + 1.5, y, width: Math.max(g.w(i) - 3, 2), height: 16 }),
        label(g.x(i), y + 12, fitting(`✕ ${report.word || ctx.words.ui("dead")}`, g.w(i)) || fitting("✕", g.w(i) + 8), "", "middle")));
    }
  }
  return out;
}

/** A hatched stretch where a CPU waits. */
function waits(ctx, g) {
  const out = [];
  ctx.run.cpus.forEach((_, cpu) => {
    let from = null;
    const close = (to) => {
      if (from !== null) out.push(h("rect", { class: "waiting", x: g.l(from), y: g.y[`c${cpu}`] + 3, width: Math.max(g.r(to) - g.l(from), 1), height: 12 }));
      from = null;
    };
    ctx.run.steps.forEach((step, k) => {
      const value = (step.set || {})[`c${cpu}.state`];
      if (value === "blocked" && from === null) from = Math.min(k + 2, ctx.run.length);
      else if (value !== undefined && value !== "blocked") close(k + 1);
    });
    close(ctx.run.length);
  });
  return out;
}

/** Happens-before arrows, on request: from the step that had to come first. */
function orderArrows(ctx, g) {
  if (!ctx.options.hb) return [];
  const out = [];
  ctx.run.steps.forEach((step, k) => {
    for (const before of step.after || []) {
      const a = ctx.run.steps[before - 1];
      if (!a || a.cpu === step.cpu || g.w(k + 1) < 3) continue;
      const down = g.y[`c${step.cpu}`] > g.y[`c${a.cpu}`];
      const [x1, y1] = [g.x(before), g.y[`c${a.cpu}`] + (down ? 18 : 0)];
      const [x2, y2] = [g.x(k + 1), g.y[`c${step.cpu}`] + (down ? 0 : 18)];
      const s = down ? -5 : 5;
      out.push(h("path", { class: `hb ${k + 1 <= ctx.n ? "past" : ""}`, d: `M${x1},${y1}L${x2},${y2 + s}M${x2 - 4},${y2 + s}h8l-4,${-s}z` }));
    }
  });
  return out;
}

function rowsFor(ctx, spans) {
  const rows = ctx.run.cpus.map((_, cpu) => [`c${cpu}`, ctx.run.cpus.length > 2 ? 24 : 28]);
  if (ctx.run.compare) rows.push(["cmp", 26]);
  for (const row of spans.locks) rows.push([`l${row.lock.id}`, 20]);
  for (const life of spans.lives) {
    rows.push([`f${life.frame}`, 22]);
    for (const belief of spans.beliefs) if (belief.frame === life.frame) rows.push([`b${belief.cpu}.${belief.frame}`, 22]);
  }
  return rows;
}

function names(ctx, g, spans) {
  const out = ctx.run.cpus.map((cpu, i) => label(0, g.y[`c${i}`] + 13, cpu.name, "fw"));
  if (ctx.run.compare) out.push(label(0, g.y.cmp + 13, ctx.run.compare.name.slice(0, g.narrow ? 11 : 19), "m"));
  for (const { lock } of spans.locks) {
    const name = lock.frame === undefined || g.narrow ? lock.name : ctx.words.ui("lock_of", { lock: lock.name, frame: ctx.words.frame(lock.frame) });
    const most = g.narrow ? 11 : 19;
    out.push(h("g", null, h("title", null, name), label(0, g.y[`l${lock.id}`] + 12, name.length > most ? `${name.slice(0, most - 1)}…` : name, "m")));
  }
  for (const { frame } of spans.lives) out.push(label(0, g.y[`f${frame}`] + 12, ctx.words.frame(frame), "m"));
  for (const { cpu, frame } of spans.beliefs) {
    const who = g.narrow ? String(cpu) : ctx.run.cpus[cpu].name;
    out.push(label(0, g.y[`b${cpu}.${frame}`] + 12, ctx.words.ui("believes_row", { who }), "m"));
  }
  return out;
}

/** What the timeline says in one sentence, for those who do not see it. */
function spoken(ctx, spans) {
  const parts = spans.lives.map(({ frame, spans: list }) => {
    const turns = list.slice(1).map((s) => `${ctx.words.word(s.note || s.state)} ${s.from}`).join(", ");
    return `${ctx.words.frame(frame)}: ${turns}.`;
  });
  return ctx.words.ui("timeline_label", { total: ctx.run.length, parts: parts.join(" ") });
}

/** The timeline. @param {any} ctx */
export function timelineView(ctx) {
  const spans = spansOf(ctx.run, ctx.options.all);
  const g = geometry(ctx, rowsFor(ctx, spans));
  const count = ctx.run.length;
  g.now = ctx.n > 0 ? g.x(ctx.n) : g.gutter;
  const cut = ctx.n > 0 ? g.r(ctx.n) - 1 : g.gutter;
  // Twice: as to come, and as happened, cut at now. Words stand above the cut, so that none is sliced.
  const layers = [false, true].map((lit) => [
    spans.locks.map((row) => lockBars(ctx, g, row, lit)), spans.lives.map((row) => lifeBars(ctx, g, row, lit)), spans.beliefs.map((row) => beliefBars(ctx, g, row, lit)),
  ].flat(3).filter(Boolean));
  const bar = (part) => (part.bar ? part.bar : part);
  const bars = [h("g", null, layers[0].map(bar)), h("g", { "clip-path": `url(#${ctx.id}-now)` }, layers[1].map(bar)), layers[1].map((part) => part.words)];
  const svg = h("svg", { key: "svg", width: g.width, height: g.height, viewBox: `0 0 ${g.width} ${g.height}`, role: "img", "aria-label": spoken(ctx, spans) },
    h("defs", null, h("pattern", { id: `${ctx.id}-ht`, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      h("rect", { class: "ground", width: 8, height: 8 }), h("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 8 })),
      h("clipPath", { id: `${ctx.id}-now` }, h("rect", { width: Math.max(cut, 0), height: g.height }))),
    h("line", { class: "nowline", x1: g.now, x2: g.now, y1: 22, y2: g.height }),
    axis(ctx, g), g.scrolls ? null : names(ctx, g, spans), waits(ctx, g), switchMarks(ctx, g, spans), interrupts(ctx, g), pills(ctx, g), bars, absences(ctx, g, spans.locks),
    ctx.run.compare ? comparedRow(ctx, g) : null, orderArrows(ctx, g));
  const text = ctx.n ? `${ctx.words.ui("step_of", { n: ctx.n, total: count })}. ${ctx.sentence}` : ctx.words.ui("before");
  const edge = count ? g.x(1) : g.gutter;
  return {
    geometry: g,
    kids: [
      h("div", { class: "tls", key: "tls", tabindex: ctx.width < 560 ? "0" : null, role: ctx.width < 560 ? "group" : null, "aria-label": ctx.width < 560 ? ctx.words.ui("timeline") : null },
        svg,
        h("input", { key: "range", type: "range", min: 0, max: count, step: 1, value: ctx.n, "data-k": "handle", "aria-label": ctx.words.ui("step_slider"), "aria-valuetext": text,
          style: `left:${edge - 14}px;width:${Math.max(g.x(Math.max(count, 1)) - edge + 28, 40)}px` }),
        h("span", { class: "hn", "aria-hidden": "true", key: "hn", style: `left:${g.now}px` }, ctx.n)),
      g.scrolls ? h("svg", { class: "names", key: "names", width: g.gutter - 4, height: g.height, "aria-hidden": "true" }, names(ctx, g, spans)) : null,
      g.folded ? h("p", { class: "mut fold", key: "fold" }, ctx.words.ui("folded", { n: g.near[1] - g.near[0] + 1 })) : null,
      spans.hidden ? h("button", { class: "link", "data-act": "toggle:all", "data-k": "all", key: "more" }, ctx.words.ui("n_more", { n: spans.hidden })) : null,
    ],
  };
}
