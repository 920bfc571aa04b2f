// Arrows between entries and tables: grey is what memory says now, coloured is what a CPU read.
// Drawn behind the boxes, from their measured places.

import { h, patch } from "./dom.js";
import { hueClass } from "./tags.js";

function bend(x1, y1, x2, y2, line, head) {
  const half = (x2 - x1) / 2;
  return [
    h("path", { class: line, d: `M${x1},${y1}C${x1 + half},${y1} ${x2 - half - 4},${y2} ${x2 - 6},${y2}` }),
    h("path", { class: head, d: `M${x2 - 8},${y2 - 4}L${x2},${y2}L${x2 - 8},${y2 + 4}Z` }),
  ];
}

/** Under a table that stands between the two: a huge page's arrow skips the column in which a table is parked. */
function under(x1, y1, x2, y2, low, line, head) {
  return [
    h("path", {
      class: line,
      d: `M${x1},${y1}C${x1 + 14},${y1} ${x1 + 8},${low} ${x1 + 26},${low}H${x2 - 30}C${x2 - 10},${low} ${x2 - 22},${y2} ${x2 - 6},${y2}`,
    }),
    h("path", { class: head, d: `M${x2 - 8},${y2 - 4}L${x2},${y2}L${x2 - 8},${y2 + 4}Z` }),
  ];
}

/** Draw the arrows of a state. @param {HTMLElement} stage the box that holds the columns @param {any} ctx */
export function drawArrows(stage, ctx) {
  const svg = stage.querySelector("svg.ar");
  if (ctx.shape.stacked) return patch(svg, []); // entries say where they lead
  const ground = stage.getBoundingClientRect();
  const scale = stage.offsetWidth ? ground.width / stage.offsetWidth : 1;
  const place = (selector) => {
    const node = stage.querySelector(selector);
    if (!node) return null;
    const r = node.getBoundingClientRect();
    return {
      l: (r.left - ground.left) / scale,
      r: (r.right - ground.left) / scale,
      t: (r.top - ground.top) / scale,
      b: (r.bottom - ground.top) / scale,
      m: ((r.top + r.bottom) / 2 - ground.top) / scale,
    };
  };
  const boxes = new Map();
  const slots = new Map();
  const box = (id) => {
    if (!boxes.has(id)) boxes.set(id, place(`[data-frame="${id}"]:not(.absent)`));
    return boxes.get(id);
  };
  const row = (slot) => {
    if (!slots.has(slot)) slots.set(slot, place(`[data-slot="${slot}"]`));
    return slots.get(slot);
  };
  const lowest = (a, b) => {
    if (b.l - a.r < 100) return 0; // neighbours: nothing can stand between
    const between = [...ctx.layout.boxes.keys()].map(box).filter((c) => c && c.l > a.r && c.r < b.l);
    return Math.max(0, ...between.map((c) => c.b));
  };
  const beliefs = [];
  ctx.run.cpus.forEach((_, cpu) => {
    for (const local of ctx.locals[cpu]) {
      const { from, to } = local.value;
      if (from === undefined || to === undefined || !row(from) || !box(to)) continue;
      const said = ctx.truths.get(local);
      beliefs.push({
        cpu,
        from,
        to,
        no: said.false,
        hit: ctx.fatal && ctx.run.report.cpu === cpu && ctx.run.report.frame === to,
      });
    }
  });
  const parts = [];
  const believed = new Set(beliefs.map((b) => b.from));
  for (const [slot] of [...stage.querySelectorAll("[data-slot]")].map((n) => [n.getAttribute("data-slot")])) {
    const entry = ctx.state.get(`e${slot}`);
    const a = row(slot);
    if (
      !entry ||
      entry.to === undefined ||
      !box(entry.to) ||
      ctx.state.get(`f${slot.split(".")[0]}`)?.state === "freed"
    )
      continue;
    const b = box(entry.to);
    if (b.l <= a.r) continue;
    const low = lowest(a, b);
    const from = a.m - (believed.has(slot) ? 3 : 0);
    parts.push(
      low
        ? under(a.r + 2, from, b.l - 1, b.t + 11, low + 10, "tr", "trh")
        : bend(a.r + 2, from, b.l - 1, b.t + 11, "tr", "trh"),
    );
  }
  beliefs.forEach((belief, i) => {
    const a = row(belief.from);
    const b = box(belief.to);
    if (b.l <= a.r) return;
    const lock = belief.hit ? row(`${belief.to}.lock`) : null;
    const lift = 5 * beliefs.slice(0, i).filter((x) => x.from === belief.from).length;
    const kind = `${hueClass(ctx.run, belief.cpu)}${belief.no ? " no" : ""}${belief.hit ? " hit" : ""}`;
    const low = lowest(a, b);
    if (low) {
      parts.push(
        under(a.r + 2, a.m + 3 + lift, b.l - 1, b.t + 20 + lift, low + 15 + lift, `be ${kind}`, `beh ${kind}`),
      );
      return;
    }
    parts.push(
      bend(
        a.r + 2,
        a.m + 3 + lift,
        b.l - (belief.hit ? 5 : 1),
        lock ? lock.m : b.t + 20 + lift,
        `be ${kind}`,
        `beh ${kind}`,
      ),
    );
  });
  patch(svg, parts.flat());
  return undefined;
}
