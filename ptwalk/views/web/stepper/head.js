// The head of the widget, the sentence, and the notes of the modes: all that stands above the tables.

import { h, classes } from "./dom.js";
import { linesFor } from "./room.js";
import { scheduleLine } from "./run.js";

function button(ctx, act, text, more) {
  return h("button", { "data-act": act, "data-k": act, ...more }, text);
}

/** Title, address and controls. @param {any} ctx */
export function headView(ctx) {
  const { words, run } = ctx;
  const line = scheduleLine(run.choices(ctx.n));
  const short = line.length > 15 ? `…${line.slice(-14).replace(/^\S* /, "")}` : line || "–"; // as wide in every step
  return [
    h("h2", { title: run.head.title }, run.head.title),
    h(
      "span",
      { class: "mut cfg", title: run.head.note || null },
      run.head.address ? h("span", { class: "mono" }, run.head.address) : null,
      run.head.address && run.head.note ? " · " : "",
      run.head.note || "",
    ),
    h(
      "div",
      { class: "grp", role: "group", "aria-label": words.ui("play") },
      button(ctx, "back", "◂", {
        "aria-label": words.ui("back"),
        title: `${words.ui("back")} (←)`,
        disabled: ctx.n === 0,
      }),
      button(ctx, "play", words.ui(ctx.playing ? "pause" : "play"), { disabled: run.length === 0, class: "play" }),
      button(ctx, "forward", "▸", {
        "aria-label": words.ui("forward"),
        title: `${words.ui("forward")} (→)`,
        disabled: ctx.n >= run.length,
      }),
    ),
    ctx.options.challenge || !(ctx.live || run.verdict || run.report)
      ? null
      : h(
          "div",
          { class: "grp", role: "group", "aria-label": words.ui("find") },
          button(ctx, "find", words.ui("find"), { disabled: ctx.busy }),
          button(ctx, "prove", words.ui("prove"), { disabled: ctx.busy }),
        ),
    h(
      "div",
      { class: "grp" },
      button(ctx, "copy", [h("span", { class: "mono" }, short), " ", words.ui("copy")], {
        class: "sched",
        title: `${words.ui("schedule")}: ${line}`,
      }),
      button(ctx, "sheet:more", words.ui("more"), { "aria-haspopup": "dialog" }),
      button(ctx, "sheet:help", "?", { "aria-label": words.ui("help"), "aria-haspopup": "dialog" }),
    ),
  ];
}

/** The lines kept for the longest sentence of the run, so that nothing below it jumps. @param {any} ctx */
export function sayLines(ctx) {
  const beside = ctx.width < 860 ? 0 : 150; // the step's number, before the sentence or above it
  return linesFor(ctx.needs.sentence, ctx.inner - beside);
}

/** The sentence of a step. @param {any} ctx */
export function sayView(ctx) {
  const { words } = ctx;
  const number = ctx.n ? words.ui("step_of", { n: ctx.n, total: ctx.run.length }) : words.ui("before");
  const parts = ctx.parts.length
    ? ctx.parts.map((part) => [
        part.kind === "strong"
          ? h("em", null, part.text)
          : h("span", { class: part.kind === "bad" ? "bad" : null }, part.text),
        " ",
      ])
    : words.ui("start");
  return [h("span", { class: "n", key: "n" }, number), h("span", { class: "tx", key: "tx" }, parts)];
}

/** What the modes say and ask: predict first, challenge, messages. @param {any} ctx */
export function noteView(ctx) {
  const { words, predict, challenge, message } = ctx;
  const out = [];
  if (predict) {
    out.push(
      h(
        "fieldset",
        { class: "ask", key: "predict" },
        h("legend", null, predict.question),
        predict.answers.map((answer, i) => h("button", { "data-act": `answer:${i}`, "data-k": `answer${i}` }, answer)),
        h("button", { class: "link", "data-act": "answer:skip", "data-k": "answer-skip" }, words.ui("predict_skip")),
      ),
    );
  }
  if (challenge) {
    out.push(
      h(
        "div",
        { class: classes("ask", challenge.over && "won"), key: "challenge" },
        h("p", null, challenge.text),
        challenge.over
          ? null
          : [
              h("button", { "data-act": "claim", "data-k": "claim", disabled: ctx.busy }, words.ui("challenge_claim")),
              " ",
              h(
                "button",
                { "data-act": "give-up", "data-k": "give-up", disabled: ctx.busy },
                words.ui("challenge_give_up"),
              ),
              " ",
            ],
        h("button", { "data-act": "toggle:challenge", "data-k": "leave" }, words.ui("challenge_leave")),
      ),
    );
  }
  out.push(h("p", { class: classes("msg", !message && "none"), key: "msg", role: "status" }, message || ""));
  return out;
}
