// The verdict keeps its place and size in every step; at the fatal step it is filled and becomes the report.

import { comparisonText } from "./compare.js";
import { h, classes } from "./dom.js";

function counts(ctx, verdict) {
  const { words } = ctx;
  const n = (value) => words.number(value);
  const lines = [];
  if (verdict.outcome === "bug" && verdict.failing !== undefined && verdict.executions) {
    lines.push(
      words.ui("counts_fail", {
        failing: n(verdict.failing),
        executions: n(verdict.executions),
        searched: verdict.complete ? words.ui("all_searched") : "",
      }),
    );
  } else if (verdict.outcome === "bug" && verdict.executions > 1)
    lines.push(words.ui("counts_found", { executions: n(verdict.executions) }));
  else if (verdict.outcome === "safe" && verdict.executions)
    lines.push(words.ui("counts_safe", { executions: n(verdict.executions) }));
  if (verdict.interleavings) lines.push(words.ui("stand_for", { n: n(verdict.interleavings) }));
  return lines.map((line, i) => (i < lines.length - 1 ? `${line};` : line));
}

/** What is known of all runs, as one sentence. */
export function countsText(ctx, verdict) {
  return `${counts(ctx, verdict).join(", ")}.`;
}

/** The verdict or, at the fatal step, the report. @param {any} ctx */
export function verdictView(ctx) {
  const { words } = ctx;
  const { report, verdict } = ctx.run;
  if (ctx.options.challenge && !ctx.fatal) return null;
  const hit = ctx.fatal;
  const outcome = verdict ? verdict.outcome : report ? "bug" : "";
  const title = hit
    ? `✕ ${report.title}`
    : words.ui(
        { bug: "can_fail", safe: "safe", incomplete: "incomplete" }[outcome] ||
          (ctx.run.compare ? "side_by_side" : ctx.live ? "no_verdict" : "one_run"),
      );
  const lines = [];
  const rule = (hit && report.rule) || (verdict && verdict.rule) || "";
  if (hit) {
    if (report.text) lines.push(report.text);
    if (report.cause) lines.push(words.ui("likely", { cause: report.cause }));
    if (rule) lines.push(words.ui("rule_broken", { rule }));
  } else if (verdict) {
    if (outcome === "bug" && verdict.steps) {
      lines.push(
        words.ui("shortest", {
          subject: verdict.subject ? words.ui("subject", { subject: verdict.subject }) : "",
          steps: verdict.steps,
          switches: verdict.switches ?? 0,
        }),
      );
    }
    if (outcome === "incomplete") lines.push(words.ui("limit", { limit: verdict.limit || "?" }));
    if (verdict.text) lines.push(verdict.text);
    if (rule) lines.push(words.ui(outcome === "safe" ? "rule_kept" : "rule_at_stake", { rule }));
  } else if (ctx.run.compare && !report) lines.push(comparisonText(ctx));
  else if (!ctx.live && !report) lines.push(words.ui("one_run_text"));
  else lines.push(report ? words.ui("breaks_at", { n: report.step, title: report.title }) : words.ui("not_searched"));
  return h(
    "div",
    {
      class: classes("ver", hit && "hit", outcome === "bug" && "bug", outcome === "safe" && "good"),
      role: "group",
      "aria-label": words.ui("verdict"),
    },
    h("strong", null, title),
    h(
      "span",
      { class: "tx" },
      lines.map((line) => h("span", { class: "ln", title: line }, line)),
    ),
    verdict
      ? h(
          "span",
          { class: "ct" },
          counts(ctx, verdict).map((line) => h("span", { class: "ln" }, line)),
        )
      : null,
  );
}
