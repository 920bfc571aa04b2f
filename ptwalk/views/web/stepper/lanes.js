// The CPUs: a lane each, with its source, what it believes beside what is true, and its next step on a button.

import { h, classes } from "./dom.js";
import { heldBy, hues, nextOf, stackOf } from "./meaning.js";
import { bareRoom, codeView } from "./code.js";
import { leftOutAt } from "./compare.js";
import { tag, hueClass } from "./tags.js";
import { lockName } from "./words.js";

const LOCALS = 6;
/** The least room of a lane in pixels, and the height of a line of its status. */
const ROOM = 246;
const LINE = 17;

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
    ? "data"
    : ctx.words.word(frame.kind === "page" && frame.state === "live" ? "page" : frame.state);
}

function localsView(ctx, cpu) {
  const fresh = new Set(Object.keys((ctx.step && ctx.step.set) || {}));
  const rows = ctx.locals[cpu].map((local) => {
    const said = ctx.truths.get(local.value);
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
  return h(
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
}

/** What a CPU waits for, and who holds it. */
export function blockedText(ctx, cpu) {
  const blocked = ctx.state.get(`c${cpu}.blocked`);
  if (!blocked) return "";
  const lock = blocked.lock !== undefined ? lockName(ctx.words, ctx.run, blocked.lock) : blocked.text || "";
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

/** How many lines the locks held may take, so that a long list does not make the lane grow. */
function linesForLocks(ctx, cpu, blocked) {
  const locals = ctx.locals[cpu].length;
  const above = 1 + Math.max(1, Math.min(locals, LOCALS)) + (locals > LOCALS ? 1 : 0);
  const free = Math.floor(((bareRoom(ctx.run) || ROOM) - 6) / LINE) - above - 4 - (blocked ? 1 : 0);
  return Math.max(1, free);
}

function statusView(ctx, cpu) {
  const { state, words } = ctx;
  const set = (ctx.step && ctx.step.set) || {};
  const holds = heldBy(state, cpu).map(([lock, mode]) => {
    const known = ctx.run.locks.find((l) => l.id === lock);
    const name = known ? known.name : lock;
    return mode === "held" ? name : `${name} (${words.word(mode)})`;
  });
  const answered = ctx.step && (ctx.step.ipi || []).includes(cpu);
  const rcu = state.get(`c${cpu}.rcu`) || 0;
  const irq = state.get(`c${cpu}.irq`) !== false;
  const blocked = state.get(`c${cpu}.blocked`);
  const locked = Object.keys(set).some((k) => k.startsWith("l:")) && ctx.step && ctx.step.cpu === cpu;
  const hue = ctx.step ? hueClass(ctx.run, ctx.step.cpu) : "";
  const row = (name, text, changed, bad, lines = 2) => [
    h("dt", null, words.ui(name)),
    h(
      "dd",
      { class: classes(changed && `chg ${hue}`, bad && "wait"), style: `-webkit-line-clamp:${lines}`, title: text },
      text,
    ),
  ];
  return h(
    "dl",
    null,
    row(
      "holds",
      holds.length ? holds.join(", ") : words.ui("no_lock"),
      locked,
      false,
      linesForLocks(ctx, cpu, blocked),
    ),
    row("blocked_on", blocked ? blockedText(ctx, cpu) : words.ui("nothing"), `c${cpu}.blocked` in set, blocked),
    row("interrupts", words.ui(answered ? "ipi_answered" : irq ? "on" : "off"), `c${cpu}.irq` in set || answered),
    row("rcu", rcu > 1 ? words.ui("nested", { n: rcu }) : words.ui(rcu ? "yes" : "no"), `c${cpu}.rcu` in set),
    row("tlb", tlbText(ctx, cpu), `c${cpu}.tlb` in set),
  );
}

function goView(ctx, cpu) {
  const { words } = ctx;
  const status = ctx.state.get(`c${cpu}.state`) || "ready";
  if (ctx.fatal && (ctx.run.report.cpu === cpu || status === "stopped"))
    return h("span", { class: "end bad" }, words.ui("stopped"));
  if (status === "finished" || status === "stopped")
    return h("span", { class: "end mut" }, words.ui(status === "finished" ? "finished" : "stopped"));
  const next = nextOf(ctx.state, cpu);
  const op = next ? next.label || next.op : "";
  const blocked = status === "blocked";
  const text = blocked
    ? words.ui((ctx.state.get(`c${cpu}.blocked`) || {}).lock === undefined ? "waiting" : "blocked", {
        lock: blockedText(ctx, cpu),
      })
    : words.ui("cpu_step", { op });
  return h(
    "span",
    { class: "gos" },
    h(
      "button",
      {
        class: "go",
        "data-act": `step:${cpu}`,
        "data-k": `step${cpu}`,
        disabled: blocked,
        title: next ? next.op : null,
      },
      text,
      cpu < 10 ? h("kbd", { "aria-hidden": "true" }, cpu) : null,
    ),
    h(
      "button",
      {
        class: "go run",
        "data-act": `run:${cpu}`,
        "data-k": `run${cpu}`,
        disabled: blocked,
        title: words.ui("cpu_run_title", { who: ctx.run.cpus[cpu].name }),
        "aria-label": words.ui("cpu_run_title", { who: ctx.run.cpus[cpu].name }),
      },
      "▸▸",
    ),
  );
}

function stackText(ctx, cpu) {
  return stackOf(ctx.state, cpu)
    .map(([source]) => (ctx.run.sources[source] || {}).name || "?")
    .join(" › ");
}

/** What Linux did here, and what it did besides: two lines that keep their place. */
function recordedView(ctx, cpu) {
  const mine = ctx.step ? ctx.step.cpu === cpu : cpu === 0;
  const also = mine ? leftOutAt(ctx, ctx.n) : "";
  const here = mine && ctx.n ? ctx.recorded || ctx.words.ui("recorded_gap") : "";
  return h(
    "div",
    { class: "lin" },
    here ? h("div", null, ctx.words.ui("recorded_says", { text: here })) : null,
    also ? h("div", null, also) : null,
  );
}

function laneView(ctx, cpu, full) {
  const name = ctx.run.cpus[cpu].name;
  const stack = stackText(ctx, cpu) || ctx.run.cpus[cpu].task || "";
  const blocked = ctx.state.get(`c${cpu}.state`) === "blocked";
  const room = bareRoom(ctx.run);
  return h(
    "div",
    {
      class: classes("lane", hueClass(ctx.run, cpu), blocked && "waits", !full && "thin"),
      key: cpu,
      role: "group",
      "aria-label": name,
    },
    h(
      "div",
      { class: "lh" },
      tag(ctx.run, cpu),
      h("b", null, name),
      full
        ? h("span", { class: "stk", title: stack }, stack)
        : h(
            "button",
            { class: "link stk", "data-act": `lane:${cpu}`, "data-k": `lane${cpu}`, "aria-expanded": "false" },
            stack || ctx.words.ui("nothing_yet"),
          ),
      goView(ctx, cpu),
    ),
    full
      ? h(
          "div",
          { class: "lb", style: room ? `--room:${room}px` : null },
          codeView(ctx, cpu),
          h("div", { class: "sts" }, localsView(ctx, cpu), statusView(ctx, cpu)),
        )
      : null,
    ctx.run.compare && full ? recordedView(ctx, cpu) : null,
  );
}

/** All lanes: the two CPUs in the conflict in full, the others a line each that opens. @param {any} ctx */
export function lanesView(ctx) {
  const full = new Set([...hues(ctx.run), ...ctx.options.lanes]);
  return ctx.run.cpus.map((_, cpu) => laneView(ctx, cpu, full.has(cpu)));
}
