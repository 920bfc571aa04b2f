// Sheets that open over the widget: help and keys, the run as a table, pasting a schedule, the map of a table.

import { extras, recordedAt } from "./compare.js";
import { h } from "./dom.js";
import { tag } from "./tags.js";
import { mapView } from "./tablemap.js";

function helpSheet(ctx) {
  const { catalogue } = ctx.words;
  const swatch = (state) => h("span", { class: "fr sw", "data-s": state });
  const legend = [
    ...["live", "unlinked", "deposited", "freed", "data"].map((s) => [swatch(s), catalogue.legend[s]]),
    [[tag(ctx.run, 0), " ", ctx.run.cpus.length > 1 ? tag(ctx.run, 1) : ""], catalogue.legend.points],
    [tag(ctx.run, 0, "was"), catalogue.legend.was],
    [[tag(ctx.run, 0, "stale"), " ", tag(ctx.run, 0, "dang")], catalogue.legend.false],
    [h("span", { class: "sw chg cpu1" }), catalogue.legend.changed],
  ];
  return [
    h("h3", null, ctx.words.ui("keys")),
    h(
      "dl",
      null,
      catalogue.keys.map(([k, what]) => [h("dt", null, k), h("dd", null, what)]),
    ),
    h("h3", null, ctx.words.ui("marks")),
    h(
      "dl",
      { class: "lg" },
      legend.map(([mark, what]) => [h("dt", null, mark), h("dd", null, what)]),
    ),
  ];
}

/** The whole run as a table: for those who read, and for print; beside a recording, with what Linux did. */
export function runTable(ctx) {
  const { words, run } = ctx;
  const heads = ["th_step", "th_cpu", "th_what", "th_code", ...(run.compare ? ["compare"] : [])];
  const left = run.compare ? extras(run) : new Map();
  const linux = (n) => {
    const missing = left.get(n);
    return [
      h("div", null, recordedAt(run, n) || words.ui("recorded_gap")),
      missing ? h("div", null, words.ui("recorded_extra", { n: missing.length, words: missing.join(", ") })) : null,
    ];
  };
  return h(
    "table",
    { class: "run" },
    h("caption", null, run.head.title),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        heads.map((key) => h("th", { scope: "col" }, words.ui(key))),
      ),
    ),
    h(
      "tbody",
      null,
      ctx.sentences.map(({ parts, where }, i) =>
        h(
          "tr",
          { class: i + 1 === ctx.n ? "here" : null, "aria-current": i + 1 === ctx.n ? "step" : null },
          h("th", { scope: "row" }, i + 1),
          h("td", { class: "who" }, run.cpus[run.steps[i].cpu].name),
          h(
            "td",
            null,
            parts.map((part) => h("span", { class: part.kind === "bad" ? "bad" : null }, part.text, " ")),
          ),
          h("td", { class: "mono" }, where),
          run.compare ? h("td", null, linux(i + 1)) : null,
        ),
      ),
    ),
  );
}

function pasteSheet(ctx) {
  const id = `${ctx.id}-paste`;
  return [
    h("label", { for: id }, ctx.words.ui("paste")),
    h("p", { class: "mut" }, ctx.words.ui("paste_hint")),
    h("input", {
      type: "text",
      id,
      class: "mono wide",
      "data-field": "schedule",
      value: ctx.sheet.text || "",
      autocomplete: "off",
      spellcheck: "false",
    }),
    ctx.sheet.problem ? h("p", { class: "bad", role: "alert" }, ctx.sheet.problem) : null,
    h("p", null, h("button", { "data-act": "paste-go", "data-k": "paste-go" }, ctx.words.ui("go"))),
  ];
}

function moreSheet(ctx) {
  const { words, options } = ctx;
  const item = (name, key) =>
    h(
      "li",
      null,
      h(
        "button",
        {
          role: "switch",
          "aria-checked": String(Boolean(options[name])),
          "data-act": `toggle:${name}`,
          "data-k": `toggle-${name}`,
        },
        h("span", { class: "check", "aria-hidden": "true" }, options[name] ? "✓" : ""),
        words.ui(key),
      ),
    );
  const act = (name, key, kbd) =>
    h(
      "li",
      null,
      h(
        "button",
        { "data-act": name, "data-k": `more-${name}` },
        h("span", { class: "check" }),
        words.ui(key),
        kbd ? h("kbd", null, kbd) : null,
      ),
    );
  return [
    h(
      "ul",
      { class: "menu" },
      act("sheet:table", "run_table", "t"),
      act("sheet:paste", "paste", "v"),
      act("home", "reset", "Home"),
      act("undo", "undo", "u"),
      act("find-next", "next_failing", "]"),
      act("find-prev", "previous_failing", "["),
      act("safe-next", "next_safe", "}"),
      act("safe-prev", "previous_safe", "{"),
      item("hb", "hb"),
      item("all", "all_locks"),
      item("predict", "predict"),
      item("challenge", "challenge"),
      act("present", "present", "m"),
      h(
        "li",
        null,
        h(
          "label",
          null,
          words.ui("speed"),
          " ",
          h(
            "select",
            { "data-field": "speed", "data-k": "speed" },
            [
              ["0.5", "½ ×"],
              ["1", "1 ×"],
              ["2", "2 ×"],
              ["4", "4 ×"],
            ].map(([v, t]) => h("option", { value: v, selected: String(options.speed) === v }, t)),
          ),
        ),
      ),
    ),
  ];
}

/** The sheet that is open, as the content of one dialog; null if none is. */
export function sheetView(ctx) {
  if (!ctx.sheet) return null;
  const { name } = ctx.sheet;
  const titles = { help: "help", table: "run_table", paste: "paste", more: "more" };
  const title =
    name === "map"
      ? ctx.words.ui("map_title", { frame: ctx.words.frame(ctx.sheet.frame) })
      : ctx.words.ui(titles[name]);
  const body = {
    help: helpSheet,
    table: runTable,
    paste: pasteSheet,
    more: moreSheet,
    map: (c) => mapView(c, c.sheet.frame),
  }[name](ctx);
  return {
    title,
    body: [
      h(
        "div",
        { class: "sheet", key: name, "data-sheet": name },
        h("h2", null, title),
        body,
        h("p", { class: "shut" }, h("button", { "data-act": "close", "data-k": "close" }, ctx.words.ui("close"))),
      ),
    ],
  };
}
