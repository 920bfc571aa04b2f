// What happens, in the timeline: steps as pills, context switches, interrupts, waits, happens-before arrows.

import { h } from "./dom.js";
import { CHAR, clipped, fitting, label, patched, SMALL, Strips } from "./svgtext.js";
import { hueClass } from "./tags.js";

/** One pill: a step, or a run of squeezed steps of one CPU. A small one without a word goes into the strips. */
function pill(ctx, g, from, to, strips) {
  const step = ctx.run.steps[from - 1];
  const y = g.y[`c${step.cpu}`];
  const fatal = ctx.run.report && ctx.run.report.step >= from && ctx.run.report.step <= to;
  const here = ctx.n >= from && ctx.n <= to;
  const name = `pill ${hueClass(ctx.run, step.cpu)} ${here ? "now" : to <= ctx.n ? "past" : "future"}${fatal ? " fatal" : ""}`;
  const x = g.l(from) + 1;
  const w = Math.max(g.r(to) - g.l(from) - 2, 1);
  const many = to > from;
  const word = many
    ? `${ctx.run.cpus[step.cpu].task || step.label} × ${to - from + 1}`
    : fatal
      ? `✕ ${step.label}`
      : step.label;
  const text =
    (many ? fitting(word, w) : clipped(word, w)) ||
    (many && fitting(`× ${to - from + 1}`, w)) ||
    (fatal && w > 14 ? "✕" : "");
  if (!text && !here && !fatal && w < SMALL) {
    strips.add(name, x, y, w, 18);
    return null;
  }
  return h(
    "g",
    { class: name, "data-step": here ? ctx.n : to },
    h("rect", { x, y, width: w, height: 18, rx: step.cpu % 2 ? 2 : Math.min(9, w / 2) }),
    label(x + w / 2, y + 13, text, "", "middle"),
  );
}

export function pills(ctx, g) {
  const out = [];
  const strips = new Strips();
  const count = ctx.run.length;
  for (let i = 1; i <= count;) {
    let j = i;
    if (g.folded && g.w(i) < 6) {
      while (
        j < count &&
        ctx.run.steps[j].cpu === ctx.run.steps[i - 1].cpu &&
        g.w(j + 1) < 6 &&
        !(ctx.run.report && ctx.run.report.step === j + 1)
      )
        j++;
      while (j > i && j >= g.near[0] && i < g.near[0]) j--;
    }
    if (g.r(j) - g.l(i) >= 1 || j === count) out.push(pill(ctx, g, i, j, strips));
    i = j + 1;
  }
  return [h("g", { key: "strips" }, strips.nodes()), ...out];
}

export function switchMarks(ctx, g, spans) {
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
export function interrupts(ctx, g) {
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
      out.push(
        h(
          "g",
          { class: `ipi ${past}` },
          h("rect", { x: x - 16, y: yb, width: 32, height: 18, rx: 9 }),
          label(x, yb + 13, ctx.words.ui("irq"), past ? "" : "m", "middle"),
          h("path", { class: "line", d: `M${x - 6},${y1}V${y2 - 6 * tip}M${x + 6},${y2}V${y1 + 6 * tip}` }),
          h("path", {
            class: "tip",
            d: `M${x - 10},${y2 - 7 * tip}h8l-4,${7 * tip}zM${x + 2},${y1 + 7 * tip}h8l-4,${-7 * tip}z`,
          }),
          freeBefore(ctx, i, cpu) * g.w(i) > 190 && !g.folded
            ? patched(x - 22, yb, ctx.words.ui("ipi_at_once"), "m", "end")
            : null,
        ),
      );
    }
  });
  return out;
}

/** A hatched stretch where a CPU waits. */
export function waits(ctx, g) {
  const out = [];
  ctx.run.cpus.forEach((_, cpu) => {
    let from = null;
    const close = (to) => {
      if (from !== null)
        out.push(
          h("rect", {
            class: "waiting",
            x: g.l(from),
            y: g.y[`c${cpu}`] + 3,
            width: Math.max(g.r(to) - g.l(from), 1),
            height: 12,
          }),
        );
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
export function orderArrows(ctx, g) {
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
      out.push(
        h("path", {
          class: `hb ${k + 1 <= ctx.n ? "past" : ""}`,
          d: `M${x1},${y1}L${x2},${y2 + s}M${x2 - 4},${y2 + s}h8l-4,${-s}z`,
        }),
      );
    }
  });
  return out;
}
