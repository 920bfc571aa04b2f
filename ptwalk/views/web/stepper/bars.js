// What lasts, in the timeline: locks as bars, the life of a frame, what a CPU believes of it, locks never taken.

import { h } from "./dom.js";
import { CHAR, fitting, label, patched, SMALL, Strips } from "./svgtext.js";
import { hueClass } from "./tags.js";

const past = (ctx, span) => span.from <= ctx.n;

/** Whether a bar can be left out: a sliver right beside one that is drawn. Keeps very long runs quick. */
function sliver(drawn, x, w) {
  if (w < 3 && x - drawn.end < 3) return true;
  drawn.end = x + w;
  return false;
}

export function lockBars(ctx, g, row, lit) {
  const y = g.y[`l${row.lock.id}`];
  const drawn = { end: -10 };
  const strips = new Strips();
  const bars = row.spans.map((span) => {
    const from = Math.max(span.from, 1);
    const x = g.l(from) + 1.5;
    const w =
      g.r(Math.min(span.to === Infinity ? ctx.run.length : span.to - 1 < from ? from : span.to - 1, ctx.run.length)) -
      x -
      1.5;
    if (sliver(drawn, x, w)) return null;
    const who = ctx.run.cpus[span.cpu].name;
    const shared = span.mode === "read";
    const text =
      span.mode === "held"
        ? who
        : ctx.words.ui(shared ? (span.downgraded ? "lock_downgraded" : "lock_read") : "lock_write", { who });
    const short = fitting(text, w) || fitting(who, w);
    const name = `bar ${hueClass(ctx.run, span.cpu)} ${shared ? "shared" : "own"} ${lit ? "lit" : "dim"}`;
    if (!short && w < SMALL) {
      strips.add(name, x, y, Math.max(w, 1), 16);
      return null;
    }
    return h(
      "g",
      { class: name },
      h("rect", { x, y, width: Math.max(w, 1), height: 16 }),
      label(x + 7, y + 12, short, ""),
    );
  });
  return [...strips.nodes(), ...bars];
}

export function lifeBars(ctx, g, row, lit) {
  const y = g.y[`f${row.frame}`];
  const drawn = { end: -10 };
  const strips = new Strips();
  const bars = row.spans.map((span, i) => {
    const a = span.from === 0 ? g.l(1) : g.x(Math.max(span.from, 1));
    const next = row.spans[i + 1];
    const b = next ? g.x(next.from) : g.r(Math.max(ctx.run.length, 1));
    if (sliver(drawn, a, b - a)) return null;
    const word =
      span.state === "live"
        ? span.table
          ? ctx.words.ui("life_live")
          : ctx.words.word(span.note || "mapped")
        : span.state === "data"
          ? ctx.words.ui("data")
          : span.note === "flushed"
            ? `${ctx.words.word(span.state)}, ${ctx.words.word(span.note)}`
            : ctx.words.word(span.state);
    const text = fitting(word, b - a) || (span.note === "flushed" ? fitting(ctx.words.word("flushed"), b - a) : "");
    const fill = span.state === "freed" ? `fill:url(#${ctx.id}-ht)` : null;
    const inverted = span.state === "data";
    const name = `life ${span.state} ${lit ? "lit" : "dim"}`;
    if (!text && !fill && !inverted && b - a < SMALL) {
      strips.add(name, a, y, Math.max(b - a - 2, 1), 16);
      return null;
    }
    const bar = h("g", { class: name }, h("rect", { x: a, y, width: Math.max(b - a - 2, 1), height: 16, style: fill }));
    const tone = inverted ? (lit ? "inv" : "m") : past(ctx, span) ? "" : "m";
    const words =
      text && (inverted ? true : lit)
        ? [
            span.state === "freed"
              ? h("rect", { class: "ground", x: a + 3, y: y + 1.5, width: text.length * CHAR + 8, height: 13 })
              : null,
            label(a + 7, y + 12, text, tone),
          ]
        : null;
    return inverted ? [bar, words] : { bar, words };
  });
  return [...strips.nodes(), ...bars];
}

export function beliefBars(ctx, g, row, lit) {
  const y = g.y[`b${row.cpu}.${row.frame}`];
  const strips = new Strips();
  const bars = row.spans.map((span) => {
    const a = g.x(Math.max(span.from, 1));
    const b = span.to === Infinity ? g.r(Math.max(ctx.run.length, 1)) : g.x(span.to);
    const page = (ctx.layout.boxes.get(row.frame) || { page: false }).page;
    const frame = ctx.words.frame(row.frame);
    const text = span.good
      ? fitting(ctx.words.ui(page ? "belief_page" : "belief_true", { frame }), b - a) ||
        fitting(ctx.words.ui("true"), b - a)
      : fitting(ctx.words.ui("belief_false"), b - a) ||
        fitting(ctx.words.ui("belief_false_short"), b - a) ||
        fitting("≠", b - a);
    const name = `belief ${hueClass(ctx.run, row.cpu)} ${span.good ? "good" : "no"} ${lit ? "lit" : "dim"}`;
    if (!text && b - a < SMALL) {
      strips.add(name, a, y, Math.max(b - a - 2, 1), 16);
      return null;
    }
    const bar = h("g", { class: name }, h("rect", { x: a, y, width: Math.max(b - a - 2, 1), height: 16 }));
    return { bar, words: lit ? label(a + 7, y + 12, text, past(ctx, span) ? (span.good ? "" : "false") : "m") : null };
  });
  return [...strips.nodes(), ...bars];
}

/** A dotted row where the absence is the point, and the cross where a lock is taken that is gone. */
export function absences(ctx, g, rows) {
  const out = [];
  const report = ctx.run.report;
  for (const { lock, spans } of rows) {
    const y = g.y[`l${lock.id}`];
    if (lock.absent && !spans.length) {
      const full = ctx.words.ui("never_taken", { why: lock.absent });
      const text = fitting(full, g.width - g.gutter - 60) || ctx.words.ui("never");
      out.push(
        h("line", { class: "never", x1: g.gutter, x2: g.width, y1: y + 8, y2: y + 8 }),
        patched(g.gutter + (g.width - g.gutter) * 0.18, y - 1, text, "m"),
      );
    }
    if (report && report.step && report.where && lock.frame !== undefined && report.where === `${lock.frame}.lock`) {
      const i = report.step;
      const hit = ctx.n >= i;
      out.push(
        h(
          "g",
          { class: `deadlock ${hit ? "hit" : ""}` },
          h("rect", { x: g.l(i) + 1.5, y, width: Math.max(g.w(i) - 3, 2), height: 16 }),
          label(
            g.x(i),
            y + 12,
            fitting(`✕ ${report.word || ctx.words.ui("dead")}`, g.w(i)) || fitting("✕", g.w(i) + 8),
            "",
            "middle",
          ),
        ),
      );
    }
  }
  return out;
}
