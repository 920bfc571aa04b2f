// What a CPU knows and where it stands: its local values beside what memory says, its locks, what it waits for.
// Every part keeps the room that the whole run needs, so that the lines below it keep their places.

import { h, classes } from "./dom.js";
import { heldBy } from "./meaning.js";
import { linesFor, SMALL_TEXT } from "./room.js";
import { hueClass } from "./tags.js";
import { lockName, shortLock } from "./words.js";

/** The most locals that are shown; further ones are counted. */
const LOCALS = 6;
/** The height of a row in pixels. */
const STATUS_ROW = 17;

/** The height in pixels of the table of locals, in every step. */
function localsRoom(ctx, cpu) {
  const most = ctx.needs.locals[cpu];
  return STATUS_ROW * (1 + Math.max(1, Math.min(most, LOCALS)) + (most > LOCALS ? 1 : 0));
}

function slotText(ctx, slot) {
  const [frame, index] = slot.split(".");
  if (index === "lock") return ctx.words.ui("in_frame", { n: frame });
  return `→ ${frame} [${index}]`;
}

function localText(ctx, value) {
  if (value.text) return value.text;
  if (value.at) return slotText(ctx, value.at);
  if (value.to !== undefined) return `→ ${ctx.words.frame(value.to)}`;
  return "";
}

/** What memory says about the thing a local stands for. */
function memoryText(ctx, local, said) {
  const { value } = local;
  if (value.from !== undefined && !said.homeGone) {
    const entry = said.entry;
    if (!entry) return ctx.words.word("none");
    if (entry.to !== undefined && (entry.to !== value.to || said.status === "live")) return `→ ${entry.to}`;
    if (entry.to === undefined) return ctx.words.word(entry.word || "none");
  }
  if (said.homeGone && said.status === "live") return ctx.words.ui("home_gone");
  const frame = ctx.state.get(`f${said.frame ?? (value.from || "").split(".")[0]}`);
  if (!frame) return "";
  return frame.state === "data" && frame.kind !== "page"
    ? ctx.words.ui("data")
    : ctx.words.word(frame.kind === "page" && frame.state === "live" ? "page" : frame.state);
}

export function localsView(ctx, cpu) {
  const fresh = new Set(Object.keys((ctx.step && ctx.step.set) || {}));
  const rows = ctx.locals[cpu].map((local) => {
    const said = ctx.truths.get(local);
    const stands = said.frame !== undefined || local.value.from !== undefined;
    const key = `c${cpu}.v.${local.depth}.${local.name}`;
    return {
      local,
      said,
      stands,
      memory: stands ? memoryText(ctx, local, said) : "",
      isNew: fresh.has(key) && ctx.step.cpu === cpu,
    };
  });
  rows.sort(
    (a, b) =>
      Number(b.stands) - Number(a.stands) ||
      Number(b.said.false) - Number(a.said.false) * (rows.length > LOCALS ? 1 : 0),
  );
  const believes = rows.some((row) => row.memory);
  const line = ({ local, said, memory, isNew }) =>
    h(
      "tr",
      { class: classes(said.false && "lie", isNew && "new") },
      h("th", { scope: "row" }, local.name),
      h(
        "td",
        { title: localText(ctx, local.value), colspan: believes && !memory ? 2 : null },
        localText(ctx, local.value),
      ),
      believes && memory ? h("td", null, said.false ? "≠ " : "", memory) : null,
    );
  const table = h(
    "table",
    { class: hueClass(ctx.run, cpu) },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("th", { scope: "col" }, ctx.words.ui(believes ? "believes" : "locals")),
        h("th", { scope: "col" }, h("span", { class: "sr" }, ctx.words.ui("value"))),
        believes ? h("th", { scope: "col" }, ctx.words.ui("in_memory")) : null,
      ),
    ),
    h(
      "tbody",
      null,
      rows.length
        ? rows.slice(0, LOCALS).map(line)
        : h("tr", null, h("td", { colspan: believes ? 3 : 2, class: "mut none" }, ctx.words.ui("nothing_yet"))),
      rows.length > LOCALS
        ? h(
            "tr",
            null,
            h(
              "td",
              { colspan: believes ? 3 : 2, class: "mut none" },
              ctx.words.ui("n_more", { n: rows.length - LOCALS }),
            ),
          )
        : null,
    ),
  );
  return h("div", { style: `min-height:${localsRoom(ctx, cpu)}px` }, table);
}

/** What a CPU waits for, and who holds it. */
export function blockedText(ctx, cpu) {
  const blocked = ctx.state.get(`c${cpu}.blocked`);
  if (!blocked) return "";
  const lock =
    blocked.lock !== undefined
      ? shortLock(lockName(ctx.words, ctx.run, blocked.lock))
      : ctx.words.ui("blocked_until", { text: blocked.text || "" });
  const held =
    blocked.lock !== undefined
      ? ((ctx.state.get(`l:${blocked.lock}`) || {}).held || []).filter(([who]) => who !== cpu)
      : [];
  if (!held.length) return lock;
  return ctx.words.ui("held_elsewhere", {
    lock,
    mode: ctx.words.word(held[0][1]),
    who: held.map(([who]) => ctx.run.cpus[who].name).join(", "),
  });
}

function tlbText(ctx, cpu) {
  const list = ctx.state.get(`c${cpu}.tlb`) || [];
  if (!list.length) return ctx.words.ui("empty");
  return (
    list
      .slice(0, 2)
      .map((t) => {
        const entry = t.from ? ctx.state.get(`e${t.from}`) : null;
        const stale = t.from && (!entry || entry.to !== t.to);
        return `…${t.va.slice(-6, -3)} → ${t.to}${stale ? ` (${ctx.words.ui("stale")})` : ""}`;
      })
      .join(", ") + (list.length > 2 ? `, ${ctx.words.ui("n_more", { n: list.length - 2 })}` : "")
  );
}

/** The rows kept for what a CPU holds and waits for: as many as the run ever needs. */
function statusRows(ctx, cpu) {
  const lane = ctx.width < 860 || ctx.run.cpus.length === 1 ? ctx.inner : (ctx.inner - 20) / 2;
  const room = (ctx.width < 560 ? lane : Math.max(176, lane * 0.41)) - 92; // beside the longest name of a row
  const rows = (letters) => Math.min(2, linesFor(letters * SMALL_TEXT, room));
  return { holds: rows(ctx.needs.holds[cpu]), blocked: rows(ctx.needs.blocked[cpu]), tlb: rows(ctx.needs.tlb[cpu]) };
}

/** The height in pixels of all that stands beside the source, in every step. @param {any} ctx @param {number} cpu */
export function statusRoom(ctx, cpu) {
  const { holds, blocked, tlb } = statusRows(ctx, cpu);
  return localsRoom(ctx, cpu) + 6 + STATUS_ROW * (holds + blocked + tlb + 2);
}

/** Locks held, what it waits for, interrupts, RCU section, TLB: each on its own rows. */
export function statusView(ctx, cpu) {
  const { state, words } = ctx;
  const set = (ctx.step && ctx.step.set) || {};
  const holds = heldBy(state, cpu).map(([lock, mode]) => {
    const known = ctx.run.locks.find((l) => l.id === lock);
    const name = shortLock(known ? known.name : lock);
    return mode === "held" ? name : `${name} (${words.word(mode)})`;
  });
  const answered = ctx.step && (ctx.step.ipi || []).includes(cpu);
  const rcu = state.get(`c${cpu}.rcu`) || 0;
  const irq = state.get(`c${cpu}.irq`) !== false;
  const blocked = state.get(`c${cpu}.blocked`);
  const locked = Object.keys(set).some((k) => k.startsWith("l:")) && ctx.step && ctx.step.cpu === cpu;
  const hue = ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  const rows = statusRows(ctx, cpu);
  const row = (name, text, changed, kept = 1) => [
    h("dt", null, words.ui(name)),
    h(
      "dd",
      {
        class: classes(blocked && name === "blocked_on" && "wait"),
        title: text,
        style: `--rows:${kept}`,
      },
      h("span", { class: changed ? `chg ${hue}` : null }, text),
    ),
  ];
  return h(
    "dl",
    null,
    row("holds", holds.length ? holds.join(", ") : words.ui("no_lock"), locked, rows.holds),
    row("blocked_on", blocked ? blockedText(ctx, cpu) : words.ui("nothing"), `c${cpu}.blocked` in set, rows.blocked),
    row("interrupts", words.ui(answered ? "ipi_answered" : irq ? "on" : "off"), `c${cpu}.irq` in set || answered),
    row("rcu", rcu > 1 ? words.ui("nested", { n: rcu }) : words.ui(rcu ? "yes" : "no"), `c${cpu}.rcu` in set),
    row("tlb", tlbText(ctx, cpu), `c${cpu}.tlb` in set, rows.tlb),
  );
}
