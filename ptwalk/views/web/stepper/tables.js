// The tables: a column per level, boxes with the entries that matter, the hands of the CPUs on them.
// A pure function of the state and the layout; arrows are added by arrows.js once the boxes stand.

import { h, classes } from "./dom.js";
import { localsOf, truth } from "./meaning.js";
import { factsView } from "./facts.js";
import { BOLD, linesFor } from "./room.js";
import { entryRow, handOf, needsTwoLines, lockRow } from "./rows.js";
import { hueClass } from "./tags.js";

/** All that may be said below a table. */
const FLAGS = ["points_here", "still_stale", "still_dangling", "writes_here"];

function flagsOf(ctx, box) {
  const flags = [];
  ctx.run.cpus.forEach((cpu, number) => {
    const into = ctx.locals[number].filter((l) => {
      const said = ctx.truths.get(l);
      return said.frame === box.id && (l.value.from !== undefined || l.value.at !== undefined);
    });
    const hit = ctx.fatal && ctx.run.report.frame === box.id && ctx.run.report.cpu === number;
    if ((!into.length && !hit) || box.page) return;
    const status = handOf(ctx, number, box.id);
    const deeper = ctx.locals[number].some((l) => (l.value.from || "").startsWith(`${box.id}.`));
    const frame = ctx.state.get(`f${box.id}`);
    if (!hit && !status && (deeper || frame.state !== "live")) return;
    const key = hit
      ? "writes_here"
      : status === "dang"
        ? "still_dangling"
        : status === "stale"
          ? "still_stale"
          : "points_here";
    flags.push(
      h(
        "div",
        { class: classes("flag", hueClass(ctx.run, number), (hit || status) && "no") },
        ctx.words.ui(key, { who: cpu.name }),
      ),
    );
  });
  return flags;
}

/** What is said of a table stands below it; its room is kept from the start, so that no box moves when it is said. */
function flagsView(ctx, box, flags, width) {
  const most = ctx.needs.flags.get(box.id) || 0;
  if (!most || box.page) return null;
  const said = ctx.needs.fallen.has(box.id) ? FLAGS : FLAGS.slice(0, 1);
  const longest = Math.max(...said.map((key) => ctx.words.ui(key, { who: ctx.run.cpus[0].name }).length));
  const height = 18 * most * linesFor(longest * BOLD, width);
  return h("div", { class: "flags", key: `flags${box.id}`, style: `min-height:${height}px` }, flags);
}

/** A frame that does not exist yet: nothing is seen of it, but its place is kept. */
function absentBox(ctx, box, width) {
  const rows = box.rows.map(() => h("div", { class: classes("row", needsTwoLines(ctx, box) && "tall") }));
  return [
    h(
      "div",
      { class: "fr absent", key: box.id, "data-frame": box.id, "aria-hidden": "true" },
      h("div", { class: "hd" }, h("b", null, ctx.words.frame(box.id))),
      box.lock && !box.page ? h("div", { class: "row meta" }) : null,
      rows,
      h("div", { class: "row more" }, h("span", null, "–")),
    ),
    flagsView(ctx, box, [], width),
  ];
}

function boxView(ctx, box, width) {
  const frame = ctx.state.get(`f${box.id}`);
  if (!frame) return absentBox(ctx, box, width);
  const was = ctx.before ? ctx.before.get(`f${box.id}`) : null;
  const turned = ctx.step && (!was || was.state !== frame.state || was.generation !== frame.generation);
  const hit = ctx.fatal && ctx.run.report.frame === box.id;
  const note = frame.note && frame.note !== frame.state ? ctx.words.word(frame.note) : "";
  const isPage = frame.kind === "page" && frame.state === "live";
  const word =
    frame.state === "live" || frame.state === "freed" || !note
      ? ctx.words.word(isPage ? (ctx.mapped.has(box.id) ? "mapped" : "unmapped") : frame.state)
      : frame.state === "data"
        ? note
        : `${ctx.words.word(frame.state)} · ${note}`;
  const shape = isPage ? "page" : frame.state;
  const hue = turned && ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  const owners = ctx.layout.owners.get(box.id) || [];
  const names = ctx.run.head.roots.length > 1 ? owners.map((i) => ctx.run.head.roots[i].name) : [];
  const owned = names.length > 1 ? ctx.words.ui("shared", { names: names.join(", ") }) : names.join("");
  const drawn = h(
    "div",
    {
      class: classes("fr", turned && !hit && `turned ${hue}`, hit && "hitf"),
      key: box.id,
      "data-s": shape,
      "data-frame": box.id,
      "data-f": box.id,
      role: "group",
      "aria-label": `${ctx.words.frame(box.id)}, ${word}`,
    },
    h("div", { class: "hd" }, h("b", null, ctx.words.frame(box.id)), h("span", { class: "st" }, word)),
    box.lock && !box.page ? lockRow(ctx, box, frame) : null,
    ctx.rowsOf(box).map((index) => entryRow(ctx, box, index)),
    lastLine(ctx, box, frame, note, owned),
  );
  return [drawn, flagsView(ctx, box, flagsOf(ctx, box), width)];
}

function lastLine(ctx, box, frame, note, owned) {
  if (box.page) {
    const text = frame.state === "freed" || (note && note !== ctx.words.word("mapped")) ? note : pageText(ctx, frame);
    const shared = (ctx.layout.owners.get(box.id) || []).length > 1 && owned;
    return h(
      "div",
      { class: "row more" },
      h("span", { title: shared || text }, shared || text),
      owned && !shared ? h("span", { class: "tg" }, owned) : null,
    );
  }
  const level = ctx.run.head.levels.find((l) => l.name === box.level);
  const total = 1 << ((level && level.bits) || 9);
  const n = ctx.words.number(total - ctx.rowsOf(box).length);
  const hidden = box.more.length + (frame.rest || 0);
  const text =
    frame.state === "freed"
      ? note || ctx.words.word("freed")
      : ctx.words.ui(frame.state === "data" ? "more_words" : hidden ? "more_some" : "more_none", { n });
  const open = h(
    "button",
    { class: "link", "data-act": `map:${box.id}`, tabindex: "-1", "data-k": `map${box.id}` },
    text,
  );
  return h(
    "div",
    { class: "row more" },
    frame.state === "freed" ? h("span", null, text) : open,
    owned ? h("span", { class: "tg" }, owned) : null,
  );
}

/** What a live page is: a page of the process, or a huge one with its size. */
function pageText(ctx, { size }) {
  if (!(size > 2 ** (ctx.run.head.page_shift || 12))) return ctx.words.ui("anonymous");
  const [unit, shift] = size >= 2 ** 30 ? ["GiB", 30] : size >= 2 ** 20 ? ["MiB", 20] : ["KiB", 10];
  return ctx.words.ui("huge_page", { size: `${size / 2 ** shift} ${unit}` });
}

function columnHead(ctx, column) {
  if (column.page) return h("h3", null, ctx.words.ui("page_column"), " ", ctx.offset ? h("b", null, ctx.offset) : null);
  const { name, shift, bits, index } = column.level;
  return h(
    "h3",
    null,
    name.toUpperCase(),
    " ",
    index === undefined ? null : h("b", null, index),
    h(
      "i",
      null,
      column.level === ctx.run.head.levels[0]
        ? ctx.words.ui("bits", { high: shift + bits - 1, low: shift })
        : `${shift + bits - 1}–${shift}`,
    ),
  );
}

/** Levels that fold away: from the top, never changed, until the rest fits. */
function foldedLevels(ctx) {
  const { columns } = ctx.layout;
  if (ctx.options.unfold) return 0;
  const room = ctx.width >= 860 ? 5 : ctx.width >= 560 ? 3 : 2;
  let folded = 0;
  while (columns.length - folded > room && !columns[folded].page && !columns[folded].changes) folded++;
  if (ctx.width < 860)
    while (
      folded < columns.length - 1 &&
      !columns[folded].page &&
      !columns[folded].changes &&
      columns.slice(folded + 1).some((c) => c.changes)
    )
      folded++;
  return folded;
}

/** The least that a column needs to show an entry. */
const LEAST = 132;

/**
 * Which levels stand side by side and how wide: as much as each can use, shrunk alike where there is not enough. Where
 * that would be too little they stand one below the other, `stacked`, in as many columns as there is room for.
 * @param {any} ctx @returns {{folded: number, columns: any[], widths: number[], stacked: boolean}}
 */
function shapeOf(ctx) {
  const folded = foldedLevels(ctx);
  const columns = ctx.layout.columns.slice(folded);
  const gap = ctx.width < 860 ? 28 : ctx.width < 1010 ? 20 : 34;
  const room = ctx.inner - gap * (columns.length - 1) - (ctx.width < 860 ? 18 : 0);
  const most = columns.map((c) => (c.page ? 150 : c.boxes.some((b) => b.lock) ? 250 : 196));
  const share = Math.min(1, (room - 150) / (most.reduce((sum, width) => sum + width, 0) - 150));
  const widths = most.map((width, i) => Math.floor(columns[i].page ? width : width * share));
  const stacked = ctx.width < 560 || Math.min(...widths) < LEAST;
  const abreast = Math.max(1, Math.floor(ctx.inner / 280));
  return { folded, columns, stacked, widths: stacked ? columns.map(() => ctx.inner / abreast - 12) : widths };
}

/** The whole picture of the tables. @param {any} ctx */
export function tablesView(ctx) {
  const { folded, columns, widths, stacked } = ctx.shape;
  const crumb = folded
    ? h(
        "div",
        { class: "crumb" },
        ctx.layout.columns
          .slice(0, folded)
          .map((c) => [
            h("span", { class: "mut" }, c.level.name.toUpperCase()),
            h("b", { class: "mono" }, c.level.index ?? ""),
            "→",
          ]),
        h("button", { class: "link", "data-act": "unfold", "data-k": "unfold" }, ctx.words.ui("unchanged")),
        factsView(ctx, 200),
      )
    : null;
  const track = stacked ? "repeat(auto-fill,minmax(268px,1fr))" : widths.map((width) => `${width}px`).join(" ");
  return [
    crumb,
    h(
      "div",
      { class: "stage", key: "stage" },
      h("svg", { class: "ar", "aria-hidden": "true", key: "arrows" }),
      h(
        "div",
        { class: classes("cols", stacked && "stacked"), key: "cols", style: `grid-template-columns:${track}` },
        columns.map((column, i) =>
          h(
            "div",
            { class: "col", key: column.page ? "page" : column.level.name },
            columnHead(ctx, column),
            column.boxes.map((box) => boxView(ctx, box, widths[i])),
            i === 0 && !folded ? factsView(ctx, widths[i]) : null,
          ),
        ),
      ),
    ),
  ];
}

/** All that the tables need besides the state: locals, what is true of them, rows that are shown now. */
export function tableContext(ctx) {
  const locals = ctx.run.cpus.map((_, cpu) => localsOf(ctx.state, cpu));
  const truths = new Map();
  locals.forEach((list, cpu) => list.forEach((local) => truths.set(local, truth(ctx.state, cpu, local))));
  const pathOf = (box) => {
    const level = ctx.run.head.levels.find((l) => l.name === box.level);
    return level ? level.index : undefined;
  };
  const rowsOf = (box) => {
    if (!box.more.length) return box.rows;
    const wanted = new Set(
      [...ctx.touched].filter((k) => k.startsWith(`e${box.id}.`)).map((k) => Number(k.split(".")[1])),
    );
    for (const list of locals)
      for (const { value } of list) {
        for (const slot of [value.at, value.from])
          if (slot && slot.startsWith(`${box.id}.`)) wanted.add(Number(slot.split(".")[1]));
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
  const offset = address
    ? `+0x${(BigInt(address) & ((1n << BigInt(ctx.run.head.page_shift || 12)) - 1n)).toString(16).padStart(3, "0")}`
    : "";
  return { ...ctx, locals, truths, pathOf, rowsOf, offset, mapped, shape: shapeOf(ctx) };
}
