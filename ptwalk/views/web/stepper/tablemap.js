// The map of a whole table: every entry a cell, used ones filled and listed.

import { h, classes } from "./dom.js";
import { entryName } from "./words.js";

/** The 16 by 32 map of a whole table. */
export function mapView(ctx, frame) {
  const box = ctx.layout.boxes.get(frame);
  const level = ctx.run.head.levels.find((l) => l.name === (box && box.level));
  const total = 1 << ((level && level.bits) || 9);
  const cells = [];
  let used = 0;
  for (let i = 0; i < total; i++) {
    const entry = ctx.state.get(`e${frame}.${i}`);
    const full = Boolean(entry && entry.to !== undefined);
    used += full ? 1 : 0;
    const label = full ? `${entryName(ctx.words, ctx.state, `${frame}.${i}`)} → ${entry.to}` : null;
    cells.push(h("span", { class: classes("cell", full && "full", entry && !full && "known"), title: label }));
  }
  const rest = (ctx.state.get(`f${frame}`) || {}).rest || 0;
  return [
    h("p", null, ctx.words.ui("map_used", { n: ctx.words.number(used + rest) })),
    h(
      "div",
      {
        class: "map",
        role: "img",
        "aria-label": ctx.words.ui("map_used", { n: used + rest }),
        style: `--cols:${total > 512 ? 64 : 32}`,
      },
      cells,
    ),
    h(
      "ul",
      { class: "maplist" },
      [...ctx.state]
        .filter(([k, v]) => k.startsWith(`e${frame}.`) && v.to !== undefined)
        .slice(0, 24)
        .map(([k, v]) =>
          h("li", null, `${entryName(ctx.words, ctx.state, k.slice(1))} → ${ctx.words.frame(v.to)} ${v.marks || ""}`),
        ),
    ),
  ];
}
