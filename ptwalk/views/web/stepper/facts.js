// The facts beside the tables: locks that live in no frame, and what else is worth showing by its name.

import { h } from "./dom.js";
import { linesFor, SMALL_TEXT } from "./room.js";
import { hueClass, namedTag } from "./tags.js";
import { shortLock } from "./words.js";

/** The most facts that are shown; further ones are counted. */
const FACTS = 7;

/** Locks and facts that live in no frame: the same lines in every step. */
export function factsView(ctx, width) {
  const held = (id) => (ctx.state.get(`l:${id}`) || { held: [] }).held;
  const rows = [
    ...ctx.run.locks
      .filter((lock) => lock.frame === undefined && !lock.absent)
      .map(({ id, name }) => [
        `l:${id}`,
        shortLock(name),
        held(id).length
          ? held(id).map(([cpu, mode]) => [namedTag(ctx.run, cpu), ` ${ctx.words.word(mode)} `])
          : ctx.words.ui("unlocked"),
      ]),
    ...ctx.needs.facts.map((key) => [key, key.slice(2), ctx.words.word(ctx.state.get(key) || "none")]),
  ];
  const shown = rows.length > FACTS ? rows.slice(0, FACTS - 1) : rows;
  const room = width - 88; // beside the value
  return h(
    "div",
    { class: "mm" },
    shown.map(([key, name, value]) => {
      const changed = ctx.touched.has(key) && ctx.step;
      const lines = Math.min(2, linesFor(name.length * SMALL_TEXT, room));
      return h(
        "div",
        {
          key,
          class: changed ? `chg ${hueClass(ctx.run, ctx.step.cpu)}` : null,
          style: lines > 1 ? `--lines:${lines}` : null,
          title: name,
        },
        h("span", { class: "mut" }, name),
        h("span", null, value),
      );
    }),
    rows.length > shown.length
      ? h("div", { class: "mut", key: "more" }, ctx.words.ui("n_more", { n: rows.length - shown.length }))
      : null,
  );
}
