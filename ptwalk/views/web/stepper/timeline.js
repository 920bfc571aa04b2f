// The timeline: steps per CPU, locks as bars, the life of a frame over what a CPU believes of it.
// Spans are drawn as to come and as happened, cut at now: the future never looks like fact.

import { h } from "./dom.js";
import { columnsOf } from "./layout.js";
import { spansOf } from "./spans.js";
import { absences, beliefBars, lifeBars, lockBars } from "./bars.js";
import { interrupts, orderArrows, pills, switchMarks, waits } from "./pills.js";
import { CHAR, label } from "./svgtext.js";
import { comparedRow } from "./compare.js";
import { shortLock } from "./words.js";

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
  return {
    narrow,
    scrolls,
    gutter,
    width,
    xs,
    folded,
    near,
    y,
    height: top + 2,
    x: (i) => (xs[i - 1] + xs[i]) / 2,
    l: (i) => xs[i - 1],
    r: (i) => xs[i],
    w: (i) => xs[i] - xs[i - 1],
  };
}

/** Step numbers along the top, thinned out where there is no room. */
function axis(ctx, g) {
  const out = [];
  let last = -100;
  for (let i = 1; i <= ctx.run.length; i++) {
    const x = g.x(i);
    if (i === ctx.n || Math.abs(x - g.now) < 26 || x - last < (g.narrow || ctx.run.length > 99 ? 30 : 22)) continue;
    if (g.folded && (i < g.near[0] || i > g.near[1]) && i !== 1 && i !== ctx.run.length && i % 10) continue;
    last = x;
    out.push(label(Math.min(x, g.width - 4 * String(i).length), 15, String(i), "m", "middle"));
  }
  return out;
}

function rowsFor(ctx, spans) {
  const rows = ctx.run.cpus.map((_, cpu) => [`c${cpu}`, ctx.run.cpus.length > 2 ? 24 : 28]);
  if (ctx.run.compare) rows.push(["cmp", 36]);
  for (const row of spans.locks) rows.push([`l${row.lock.id}`, 20]);
  for (const life of spans.lives) {
    rows.push([`f${life.frame}`, 22]);
    for (const belief of spans.beliefs)
      if (belief.frame === life.frame) rows.push([`b${belief.cpu}.${belief.frame}`, 22]);
  }
  return rows;
}

function names(ctx, g, spans) {
  const out = ctx.run.cpus.map((cpu, i) => label(0, g.y[`c${i}`] + 13, cpu.name, "fw"));
  if (ctx.run.compare)
    out.push(label(0, g.y.cmp + 13, ctx.run.compare.name.slice(0, Math.floor((g.gutter - 6) / CHAR)), "m"));
  for (const { lock } of spans.locks) {
    const name =
      lock.frame === undefined || g.narrow
        ? shortLock(lock.name)
        : ctx.words.ui("lock_of", { lock: lock.name, frame: ctx.words.frame(lock.frame) });
    const most = Math.floor((g.gutter - 6) / CHAR);
    out.push(
      h(
        "g",
        null,
        h("title", null, name),
        label(0, g.y[`l${lock.id}`] + 12, name.length > most ? `${name.slice(0, most - 1)}…` : name, "m"),
      ),
    );
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
    const turns = list
      .slice(1)
      .map((s) => `${ctx.words.word(s.note || s.state)} ${s.from}`)
      .join(", ");
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
  const layers = [false, true].map((lit) =>
    [
      spans.locks.map((row) => lockBars(ctx, g, row, lit)),
      spans.lives.map((row) => lifeBars(ctx, g, row, lit)),
      spans.beliefs.map((row) => beliefBars(ctx, g, row, lit)),
    ]
      .flat(3)
      .filter(Boolean),
  );
  const bar = (part) => (part.bar ? part.bar : part);
  const bars = [
    h("g", null, layers[0].map(bar)),
    h("g", { "clip-path": `url(#${ctx.id}-now)` }, layers[1].map(bar)),
    layers[1].map((part) => part.words),
  ];
  const svg = h(
    "svg",
    {
      key: "svg",
      width: g.width,
      height: g.height,
      viewBox: `0 0 ${g.width} ${g.height}`,
      role: "img",
      "aria-label": spoken(ctx, spans),
    },
    h(
      "defs",
      null,
      h(
        "pattern",
        { id: `${ctx.id}-ht`, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        h("rect", { class: "ground", width: 8, height: 8 }),
        h("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 8 }),
      ),
      h("clipPath", { id: `${ctx.id}-now` }, h("rect", { width: Math.max(cut, 0), height: g.height })),
    ),
    h("line", { class: "nowline", x1: g.now, x2: g.now, y1: 22, y2: g.height }),
    axis(ctx, g),
    g.scrolls ? null : names(ctx, g, spans),
    waits(ctx, g),
    switchMarks(ctx, g, spans),
    interrupts(ctx, g),
    pills(ctx, g),
    bars,
    absences(ctx, g, spans.locks),
    ctx.run.compare ? comparedRow(ctx, g) : null,
    orderArrows(ctx, g),
  );
  const text = ctx.n
    ? `${ctx.words.ui("step_of", { n: ctx.n, total: count })}. ${ctx.sentence}`
    : ctx.words.ui("before");
  const edge = count ? g.x(1) : g.gutter;
  return {
    geometry: g,
    kids: [
      h(
        "div",
        {
          class: "tls",
          key: "tls",
          tabindex: ctx.width < 560 ? "0" : null,
          role: ctx.width < 560 ? "group" : null,
          "aria-label": ctx.width < 560 ? ctx.words.ui("timeline") : null,
        },
        svg,
        h("input", {
          key: "range",
          type: "range",
          min: 0,
          max: count,
          step: 1,
          value: ctx.n,
          "data-k": "handle",
          "aria-label": ctx.words.ui("step_slider"),
          "aria-valuetext": text,
          style: `left:${edge - 14}px;width:${Math.max(g.x(Math.max(count, 1)) - edge + 28, 40)}px`,
        }),
        h("span", { class: "hn", "aria-hidden": "true", key: "hn", style: `left:${g.now}px` }, ctx.n),
      ),
      g.scrolls
        ? h(
            "svg",
            { class: "names", key: "names", width: g.gutter - 4, height: g.height, "aria-hidden": "true" },
            names(ctx, g, spans),
          )
        : null,
      g.folded
        ? h("p", { class: "mut fold", key: "fold" }, ctx.words.ui("folded", { n: g.near[1] - g.near[0] + 1 }))
        : null,
      spans.hidden
        ? h(
            "button",
            { class: "link", "data-act": "toggle:all", "data-k": "all", key: "more" },
            ctx.words.ui("n_more", { n: spans.hidden }),
          )
        : null,
    ],
  };
}
