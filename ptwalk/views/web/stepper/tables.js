// The tables: a column per level, boxes with the entries that matter, the hands of the CPUs on them.
// A pure function of the state and the layout; arrows are added by arrows.js once the boxes stand.

import { h, classes } from "./dom.js";
import { localsOf, truth } from "./meaning.js";
import { tag, namedTag, hueClass } from "./tags.js";
import { entryName } from "./words.js";

/** The hands on one row: [cpu, kind] for every CPU that points here or read this entry. */
function handsOn(ctx, slot) {
  const [frame, index] = slot.split(".");
  const hands = [];
  for (let cpu = 0; cpu < ctx.run.cpus.length; cpu++) {
    let kind = null;
    for (const local of ctx.locals[cpu]) {
      const said = ctx.truths.get(local.value);
      const bad = said.status === "dangling" ? "dang" : "stale";
      if (local.value.at === slot) kind = said.status === "live" ? "" : bad;
      else if (kind === null && local.value.from === slot) kind = said.false ? "stale" : "was";
    }
    if (kind === null && pointsAtWhole(ctx, cpu, Number(frame), index)) kind = handOf(ctx, cpu, Number(frame));
    if (kind !== null) hands.push([cpu, kind]);
  }
  return hands;
}

function handOf(ctx, cpu, frame) {
  for (const local of ctx.locals[cpu]) {
    const said = ctx.truths.get(local.value);
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

function bitsOf(ctx, level, marks) {
  const all = ctx.layout.marks[level] || [];
  const set = new Set((marks || "").split(" "));
  return h("span", { class: "bits" }, all.map((m) =>
    set.has(m) ? h("span", null, m) : h("span", { class: "o", "aria-hidden": "true" }, "·".repeat(m.length))));
}

function gutter(ctx, hands, changer) {
  const shown = hands.slice(0, 2);
  return h("span", { class: classes("g", shown.length > 1 && "two") },
    shown.map(([cpu, kind]) => tag(ctx.run, cpu, kind)),
    changer === null ? null : h("span", { class: "hand" }, tag(ctx.run, changer)));
}

/** One entry of a table. */
function entryRow(ctx, box, index) {
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
    value = bitsOf(ctx, box.level, entry.marks);
    target = `→ ${entry.to}`;
  } else {
    const word = gone ? "undefined" : ctx.words.word((entry && entry.word) || "none");
    value = h("span", { class: wrote ? null : "mut" }, word);
  }
  const old = was && was.to !== undefined && (!entry || entry.to !== was.to) ? h("s", null, `→ ${was.to}`) : null;
  const hue = ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  return h("div", {
    key: slot, "data-slot": slot, class: classes("row", quiet && "mut", hit ? "fatal" : changed && `chg ${hue}`),
    title: entry && entry.raw ? `0x${entry.raw.padStart(16, "0")}` : null,
  },
    gutter(ctx, hands, wrote ? ctx.step.cpu : null),
    h("span", { class: "ix" }, `[${index}]`), value,
    h("span", { class: "tg" }, old, old && target ? " " : "", target === "" ? "" :
      h("span", { "data-f": entry.to }, target)));
}

/** The lock that lives in a table's metadata: it shares the table's fate. */
function lockRow(ctx, box, frame) {
  const value = ctx.state.get(`l:${box.lock}`);
  const lock = ctx.run.locks.find((l) => l.id === box.lock);
  const name = lock ? lock.name : box.lock;
  const slot = `${box.id}.lock`;
  const hit = ctx.fatal && ctx.run.report.where === slot;
  const changed = ctx.touched.has(`l:${box.lock}`) && ctx.step.kind !== "alloc";
  let word;
  if (frame.state === "data") word = hit ? "0 → 1" : "0";
  else if (frame.state === "freed") word = "–";
  else if (value && value.held.length) word = [`${ctx.words.ui("held_by")} `, value.held.map(([cpu]) => namedTag(ctx.run, cpu))];
  else word = ctx.words.ui(value && value.destroyed ? "destroyed" : "unlocked");
  const hue = ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  return h("div", { key: slot, "data-slot": slot, class: classes("row meta", hit ? "fatal" : changed && `chg ${hue}`) },
    gutter(ctx, handsOn(ctx, slot), null),
    h("span", { class: frame.state === "data" ? null : "mut" }, frame.state === "data" ? ctx.words.ui("private", { name }) : name),
    h("span", { class: "tg" }, word));
}

function flagsOf(ctx, box) {
  const flags = [];
  ctx.run.cpus.forEach((cpu, number) => {
    const into = ctx.locals[number].filter((l) => {
      const said = ctx.truths.get(l.value);
      return said.frame === box.id && (l.value.from !== undefined || l.value.at !== undefined);
    });
    if (!into.length || box.page) return;
    const status = handOf(ctx, number, box.id);
    const hit = ctx.fatal && ctx.run.report.frame === box.id && ctx.run.report.cpu === number;
    const deeper = ctx.locals[number].some((l) => (l.value.from || "").startsWith(`${box.id}.`));
    if (!hit && !status && deeper) return;
    const key = hit ? "writes_here" : status === "dang" ? "still_dangling" : status === "stale" ? "still_stale" : "points_here";
    flags.push(h("div", { class: classes("flag", hueClass(ctx.run, number), (hit || status) && "no") }, ctx.words.ui(key, { who: cpu.name })));
  });
  return flags;
}

function boxView(ctx, box) {
  const frame = ctx.state.get(`f${box.id}`);
  if (!frame) return h("div", { class: "fr absent", key: box.id, "data-frame": box.id, "aria-hidden": "true", style: `height:${boxHeight(box)}px` });
  const was = ctx.before ? ctx.before.get(`f${box.id}`) : null;
  const turned = ctx.step && (!was || was.state !== frame.state || was.generation !== frame.generation);
  const hit = ctx.fatal && ctx.run.report.frame === box.id;
  const note = frame.note && frame.note !== frame.state ? ctx.words.word(frame.note) : "";
  const isPage = frame.kind === "page" && frame.state === "live";
  const word = frame.state === "live" || frame.state === "freed" || !note ? ctx.words.word(isPage ? (ctx.mapped.has(box.id) ? "mapped" : "unmapped") : frame.state)
    : frame.state === "data" ? note : `${ctx.words.word(frame.state)} · ${note}`;
  const shape = isPage ? "page" : frame.state;
  const hue = turned && ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  const shared = ctx.layout.owners.get(box.id);
  const names = shared && shared.length > 1 ? shared.map((i) => ctx.run.head.roots[i].name).join(", ") : "";
  return h("div", {
    class: classes("fr", turned && !hit && `turned ${hue}`, hit && "hitf"), key: box.id, "data-s": shape,
    "data-frame": box.id, "data-f": box.id, role: "group", "aria-label": `${ctx.words.frame(box.id)}, ${word}`,
  },
    h("div", { class: "hd" }, h("b", null, ctx.words.frame(box.id)), h("span", { class: "st" }, word)),
    box.lock && !box.page ? lockRow(ctx, box, frame) : null,
    ctx.rowsOf(box).map((index) => entryRow(ctx, box, index)),
    lastLine(ctx, box, frame, note, names),
    flagsOf(ctx, box));
}

function lastLine(ctx, box, frame, note, names) {
  if (box.page) {
    const text = frame.state === "freed" || (note && note !== ctx.words.word("mapped")) ? note : ctx.words.ui("anonymous");
    return h("div", { class: "row more" }, h("span", null, text), names ? h("span", { class: "tg" }, names) : null);
  }
  const level = ctx.run.head.levels.find((l) => l.name === box.level);
  const total = 1 << ((level && level.bits) || 9);
  const n = ctx.words.number(total - ctx.rowsOf(box).length);
  const hidden = box.more.length + (frame.rest || 0);
  const text = frame.state === "freed" ? note || ctx.words.word("freed")
    : ctx.words.ui(frame.state === "data" ? "more_words" : hidden ? "more_some" : "more_none", { n });
  const open = h("button", { class: "link", "data-act": `map:${box.id}`, tabindex: "-1", "data-k": `map${box.id}` }, text);
  return h("div", { class: "row more" }, frame.state === "freed" ? h("span", null, text) : open,
    names ? h("span", { class: "tg" }, ctx.words.ui("shared", { names })) : null);
}

/** The height a box will have, so that its place is kept before it exists. */
function boxHeight(box) {
  return 21 + 2 + (box.lock && !box.page ? 25 : 0) + 24 * box.rows.length + 22 + 24;
}

/** Locks and facts that live in no frame. */
function factsView(ctx) {
  const rows = [];
  for (const lock of ctx.run.locks) {
    if (lock.frame !== undefined || lock.absent || !ctx.state.has(`l:${lock.id}`)) continue;
    const held = ctx.state.get(`l:${lock.id}`).held;
    const value = held.length ? held.map(([cpu, mode]) => [namedTag(ctx.run, cpu), ` ${ctx.words.word(mode)} `]) : ctx.words.ui("unlocked");
    rows.push([`l:${lock.id}`, lock.name, value]);
  }
  for (const [key, value] of ctx.state) if (key.startsWith("x:")) rows.push([key, key.slice(2), ctx.words.word(value)]);
  return h("div", { class: "mm" }, rows.slice(0, 6).map(([key, name, value]) => {
    const changed = ctx.touched.has(key) && ctx.step;
    return h("div", { key, class: changed ? `chg ${hueClass(ctx.run, ctx.step.cpu)}` : null },
      h("span", { class: "mut" }, name), h("span", null, value));
  }));
}

function columnHead(ctx, column) {
  if (column.page) return h("h3", null, ctx.words.ui("page_column"), " ", ctx.offset ? h("b", null, ctx.offset) : null);
  const { name, shift, bits, index } = column.level;
  return h("h3", null, name.toUpperCase(), " ", index === undefined ? null : h("b", null, index),
    h("i", null, column.level === ctx.run.head.levels[0] ? ctx.words.ui("bits", { high: shift + bits - 1, low: shift }) : `${shift + bits - 1}–${shift}`));
}

/** Levels that fold away: from the top, never changed, until the rest fits. */
function foldedLevels(ctx) {
  const { columns } = ctx.layout;
  if (ctx.options.unfold) return 0;
  const room = ctx.width >= 860 ? 5 : ctx.width >= 560 ? 3 : 2;
  let folded = 0;
  while (columns.length - folded > room && !columns[folded].page && !columns[folded].changes) folded++;
  if (ctx.width < 860) while (folded < columns.length - 1 && !columns[folded].page && !columns[folded].changes && columns.slice(folded + 1).some((c) => c.changes)) folded++;
  return folded;
}

/** The whole picture of the tables. @param {any} ctx */
export function tablesView(ctx) {
  const folded = foldedLevels(ctx);
  const columns = ctx.layout.columns.slice(folded);
  const crumb = folded ? h("div", { class: "crumb" }, ctx.layout.columns.slice(0, folded).map((c) =>
    [h("span", { class: "mut" }, c.level.name.toUpperCase()), h("b", { class: "mono" }, c.level.index ?? ""), "→"]),
    h("button", { class: "link", "data-act": "unfold", "data-k": "unfold" }, ctx.words.ui("unchanged")), factsView(ctx)) : null;
  const weights = columns.map((c) => (c.page ? "140px" : `minmax(156px, ${c.boxes.some((b) => b.lock) ? 250 : 196}px)`));
  return [
    crumb,
    h("div", { class: "stage", key: "stage" },
      h("svg", { class: "ar", "aria-hidden": "true", key: "arrows" }),
      h("div", { class: "cols", key: "cols", style: `grid-template-columns:${ctx.width < 560 ? "1fr" : weights.join(" ")}` },
        columns.map((column, i) => h("div", { class: "col", key: column.page ? "page" : column.level.name },
          columnHead(ctx, column), column.boxes.map((box) => boxView(ctx, box)), i === 0 && !folded ? factsView(ctx) : null)))),
  ];
}

/** All that the tables need besides the state: locals, what is true of them, rows that are shown now. */
export function tableContext(ctx) {
  const locals = ctx.run.cpus.map((_, cpu) => localsOf(ctx.state, cpu));
  const truths = new Map();
  locals.forEach((list, cpu) => list.forEach((local) => truths.set(local.value, truth(ctx.state, cpu, local))));
  const pathOf = (box) => {
    const level = ctx.run.head.levels.find((l) => l.name === box.level);
    return level ? level.index : undefined;
  };
  const rowsOf = (box) => {
    if (!box.more.length) return box.rows;
    const wanted = new Set([...ctx.touched].filter((k) => k.startsWith(`e${box.id}.`)).map((k) => Number(k.split(".")[1])));
    for (const list of locals) for (const { value } of list) {
      for (const slot of [value.at, value.from]) if (slot && slot.startsWith(`${box.id}.`)) wanted.add(Number(slot.split(".")[1]));
    }
    const missing = [...wanted].filter((i) => !Number.isNaN(i) && !box.rows.includes(i)).slice(0, 2);
    if (!missing.length) return box.rows;
    const keep = box.rows.filter((i) => wanted.has(i) || i === pathOf(box));
    const rest = box.rows.filter((i) => !keep.includes(i));
    return [...keep, ...missing, ...rest].slice(0, box.rows.length).sort((a, b) => a - b);
  };
  const mapped = new Set();
  for (const [key, value] of ctx.state) if (/^e\d/.test(key) && value.to !== undefined) mapped.add(value.to);
  const address = ctx.run.head.address;
  const offset = address ? `+0x${(BigInt(address) & ((1n << BigInt(ctx.run.head.page_shift || 12)) - 1n)).toString(16).padStart(3, "0")}` : "";
  return { ...ctx, locals, truths, pathOf, rowsOf, offset, mapped };
}

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
  return [h("p", null, ctx.words.ui("map_used", { n: ctx.words.number(used + rest) })),
    h("div", { class: "map", role: "img", "aria-label": ctx.words.ui("map_used", { n: used + rest }), style: `--cols:${total > 512 ? 64 : 32}` }, cells),
    h("ul", { class: "maplist" }, [...ctx.state].filter(([k, v]) => k.startsWith(`e${frame}.`) && v.to !== undefined).slice(0, 24)
      .map(([k, v]) => h("li", null, `${entryName(ctx.words, ctx.state, k.slice(1))} → ${ctx.words.frame(v.to)} ${v.marks || ""}`)))];
}

