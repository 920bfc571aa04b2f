// The rows of a table: one entry each, with the hands of the CPUs on it; the lock that lives in the table.
// Pure functions of the state.

import { h, classes } from "./dom.js";
import { hueClass, namedTag, tag } from "./tags.js";

/** The hands on one row: [cpu, kind] for every CPU that points here or read this entry. */
function handsOn(ctx, slot) {
  const [frame, index] = slot.split(".");
  const hands = [];
  for (let cpu = 0; cpu < ctx.run.cpus.length; cpu++) {
    let kind = null;
    for (const local of ctx.locals[cpu]) {
      const said = ctx.truths.get(local);
      const bad = said.status === "dangling" ? "dang" : "stale";
      if (local.value.at === slot) kind = said.status === "live" ? "" : bad;
      else if (kind === null && local.value.from === slot) kind = said.false ? "stale" : "was";
    }
    if (kind === null && pointsAtWhole(ctx, cpu, Number(frame), index)) kind = handOf(ctx, cpu, Number(frame));
    if (kind !== null) hands.push([cpu, kind]);
  }
  return hands;
}

export function handOf(ctx, cpu, frame) {
  for (const local of ctx.locals[cpu]) {
    const said = ctx.truths.get(local);
    if (said.frame === frame && said.status !== "live") return said.status === "dangling" ? "dang" : "stale";
  }
  return "";
}

/** Whether the CPU got this table's address, but has not yet read the entry on its path. */
function pointsAtWhole(ctx, cpu, frame, index) {
  const box = ctx.layout.boxes.get(frame);
  if (!box || box.page) return false;
  const locals = ctx.locals[cpu];
  if (!locals.some((l) => l.value.to === frame && l.value.from !== undefined)) return false;
  const home = `${frame}.`;
  if (locals.some((l) => (l.value.from || "").startsWith(home))) return false;
  if (locals.some((l) => (l.value.at || "").startsWith(home) && l.value.at !== `${frame}.lock`)) return false;
  const column = ctx.layout.columns.find((c) => c.boxes.includes(box));
  const path = column.level ? column.level.index : undefined;
  return index === "lock" ? false : path === undefined ? Number(index) === box.rows[0] : Number(index) === path;
}

/** Whether a level's entries have so many bits that they need two lines. */
export function needsTwoLines(ctx, box) {
  return (ctx.layout.marks[box.level] || []).length > 7;
}

function bitsOf(ctx, box, marks) {
  const all = ctx.layout.marks[box.level] || [];
  const set = new Set((marks || "").split(" "));
  const crowded = needsTwoLines(ctx, box); // then only the bits that are on: dots would push them out of the box
  return h(
    "span",
    { class: "bits" },
    all.map((m) =>
      set.has(m)
        ? h("span", null, m)
        : crowded
          ? null
          : h("span", { class: "o", "aria-hidden": "true" }, "·".repeat(m.length)),
    ),
  );
}

function gutter(ctx, hands, changer) {
  const shown = hands.slice(0, 2);
  return h(
    "span",
    { class: classes("g", shown.length > 1 && "two") },
    shown.map(([cpu, kind]) => tag(ctx.run, cpu, kind)),
    changer === null ? null : h("span", { class: "hand" }, tag(ctx.run, changer)),
  );
}

/** One entry of a table. */
export function entryRow(ctx, box, index) {
  const slot = `${box.id}.${index}`;
  const entry = ctx.state.get(`e${slot}`);
  const frame = ctx.state.get(`f${box.id}`);
  const hit = ctx.fatal && ctx.run.report.where === slot;
  const changed = ctx.touched.has(`e${slot}`);
  const wrote = changed && ctx.step.set && `e${slot}` in ctx.step.set;
  const was = wrote && ctx.before ? ctx.before.get(`e${slot}`) : null;
  const hands = handsOn(ctx, slot);
  const quiet = !hands.length && !changed && index !== ctx.pathOf(box);
  let value;
  let target = "";
  const gone = frame.state === "freed";
  if (entry && entry.to !== undefined && !gone) {
    value = bitsOf(ctx, box, entry.marks);
    target = `→ ${entry.to}`;
  } else {
    const word = gone ? ctx.words.ui("anything") : ctx.words.word((entry && entry.word) || "none");
    value = h("span", { class: wrote ? null : "mut" }, word);
  }
  const old = was && was.to !== undefined && (!entry || entry.to !== was.to) ? h("s", null, `→ ${was.to}`) : null;
  const hue = ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  return h(
    "div",
    {
      key: slot,
      "data-slot": slot,
      class: classes("row", needsTwoLines(ctx, box) && "tall", quiet && "mut", hit ? "fatal" : changed && `chg ${hue}`),
      title: entry && entry.raw ? `0x${entry.raw.padStart(16, "0")}` : null,
    },
    gutter(ctx, hands, wrote && !(hit && hands.length) ? ctx.step.cpu : null),
    h("span", { class: "ix" }, `[${index}]`),
    value,
    h(
      "span",
      { class: "tg" },
      old,
      old && target ? " " : "",
      target === "" ? "" : h("span", { "data-f": entry.to }, target),
    ),
  );
}

/** The lock that lives in a table's metadata: it shares the table's fate. */
export function lockRow(ctx, box, frame) {
  const value = ctx.state.get(`l:${box.lock}`);
  const lock = ctx.run.locks.find((l) => l.id === box.lock);
  const name = lock ? lock.name : box.lock;
  const slot = `${box.id}.lock`;
  const hit = ctx.fatal && ctx.run.report.where === slot;
  const changed = ctx.touched.has(`l:${box.lock}`) && ctx.step.kind !== "alloc";
  let word;
  if (frame.state === "data") word = hit ? "0 → 1" : "0";
  else if (frame.state === "freed") word = "–";
  else if (value && value.held.length)
    word = [`${ctx.words.ui("held_by")} `, value.held.map(([cpu]) => namedTag(ctx.run, cpu))];
  else word = ctx.words.ui(value && value.destroyed ? "destroyed" : "unlocked");
  const hue = ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  return h(
    "div",
    { key: slot, "data-slot": slot, class: classes("row meta", hit ? "fatal" : changed && `chg ${hue}`) },
    gutter(ctx, handsOn(ctx, slot), null),
    h(
      "span",
      { class: frame.state === "data" ? null : "mut" },
      frame.state === "data" ? ctx.words.ui("private", { name }) : name,
    ),
    h("span", { class: "tg" }, word),
  );
}
