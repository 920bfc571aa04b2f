// The CPUs: a lane each, with its source, what it believes beside what is true, and its next step on a button.

import { h, classes } from "./dom.js";
import { hues, nextOf, stackOf } from "./meaning.js";
import { codeRoom, codeView } from "./code.js";
import { leftOutAt } from "./compare.js";
import { blockedText, localsView, statusRoom, statusView } from "./status.js";
import { tag, hueClass } from "./tags.js";

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
  const reason = blocked ? ctx.state.get(`c${cpu}.blocked`) || {} : null;
  const text = !reason
    ? words.ui("cpu_step", { op })
    : reason.lock === undefined
      ? words.ui("waiting", { op: reason.text || op })
      : words.ui("blocked", { lock: blockedText(ctx, cpu) });
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
      words.ui("cpu_run"),
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

/** The stack in the head of a lane; where the lane may open and close, it is the button for it. */
function stackView(ctx, cpu, full, opens) {
  const text = stackText(ctx, cpu) || ctx.run.cpus[cpu].task || ctx.words.ui("nothing_yet");
  const shown = h("bdi", null, text); // where it is too long, its beginning goes
  if (!opens) return h("span", { class: "stk", title: text }, shown);
  const attrs = { "data-act": `lane:${cpu}`, "data-k": `lane${cpu}`, "aria-expanded": String(full), title: text };
  return h("button", { class: "link stk", ...attrs }, shown);
}

function laneView(ctx, cpu, full, opens) {
  const name = ctx.run.cpus[cpu].name;
  const blocked = ctx.state.get(`c${cpu}.state`) === "blocked";
  const narrow = ctx.width < 560; // then source and status lie one below the other
  const room = full && !narrow ? Math.max(codeRoom(ctx), statusRoom(ctx, cpu)) : 0;
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
      stackView(ctx, cpu, full, opens),
      goView(ctx, cpu),
    ),
    full
      ? h(
          "div",
          { class: "lb", style: `--code:${codeRoom(ctx)}px;min-height:${room}px` },
          codeView(ctx, cpu),
          h("div", { class: "sts" }, localsView(ctx, cpu), statusView(ctx, cpu)),
        )
      : null,
    ctx.run.compare && full ? recordedView(ctx, cpu) : null,
  );
}

/** All lanes: the two CPUs in the conflict in full, the others a line each that opens. @param {any} ctx */
export function lanesView(ctx) {
  const always = hues(ctx.run);
  const full = new Set([...always, ...ctx.options.lanes]);
  return ctx.run.cpus.map((_, cpu) => laneView(ctx, cpu, full.has(cpu), !always.includes(cpu)));
}
