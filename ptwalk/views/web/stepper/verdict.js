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
  return lines;
}

/** What is known of all runs, as one sentence. */
export function countsText(ctx, verdict) {
  return `${counts(ctx, verdict).join(", ")}.`;
}

/** A rule as it is written, in a line for each part. */
function ruleLines(words, key, rule) {
  return words.ui(key, { rule }).split(/\n\s*/);
}

/** What is known of all runs: the state of the search in a word, and lines. */
function knownOf(ctx) {
  const { words } = ctx;
  const { report, verdict, compare } = ctx.run;
  const outcome = verdict ? verdict.outcome : report ? "bug" : "";
  const title =
    { bug: "can_fail", safe: "safe", incomplete: "incomplete" }[outcome] ||
    (compare ? "side_by_side" : ctx.live ? "no_verdict" : "one_run");
  const lines = [];
  if (verdict) {
    if (outcome === "bug" && verdict.steps) {
      const subject = verdict.subject ? words.ui("subject", { subject: verdict.subject }) : "";
      lines.push(
        words.ui(verdict.minimal === false ? "failing_schedule" : "shortest", {
          subject,
          steps: verdict.steps,
          switches: verdict.switches ?? 0,
        }),
      );
    }
    if (outcome === "incomplete") lines.push(words.ui("limit", { limit: verdict.limit || "?" }));
    if (verdict.text) lines.push(verdict.text);
    if (verdict.rule) lines.push(...ruleLines(words, outcome === "safe" ? "rule_kept" : "rule_at_stake", verdict.rule));
  } else if (compare && !report) lines.push(comparisonText(ctx));
  else if (!ctx.live && !report) lines.push(words.ui("one_run_text"));
  else lines.push(report ? words.ui("breaks_at", { n: report.step, title: report.title }) : words.ui("not_searched"));
  return { outcome, title: words.ui(title), lines };
}

/** The report of the run: what broke, why it could, and the rule. */
function reportOf(ctx) {
  const { words } = ctx;
  const { report, verdict } = ctx.run;
  const rule = report.rule || (verdict && verdict.rule) || "";
  const lines = [
    report.text,
    report.cause && words.ui("likely", { cause: report.cause }),
    ...(rule ? ruleLines(words, "rule_broken", rule) : []),
  ].filter(Boolean);
  return { outcome: "bug", title: `✕ ${report.title}`, lines };
}

function verdictBlock(ctx, { outcome, title, lines }, hit, shown) {
  const { verdict } = ctx.run;
  const line = (text) => h("span", { class: "ln" }, text);
  return h(
    "div",
    {
      class: classes("ver", hit && "hit", outcome === "bug" && "bug", outcome === "safe" && "good", !shown && "later"),
      role: "group",
      "aria-label": ctx.words.ui("verdict"),
      "aria-hidden": shown ? null : "true",
      key: hit ? "report" : "verdict",
    },
    h("strong", null, title),
    h("span", { class: "tx" }, lines.map(line)),
    verdict
      ? h(
          "span",
          { class: "ct" },
          counts(ctx, verdict).map((text, i, all) => line(i < all.length - 1 ? `${text};` : text)),
        )
      : null,
  );
}

/**
 * The verdict or, at the fatal step, the report. Both lie in one place, as high as the higher, so that it keeps its
 * size in every step.
 * @param {any} ctx
 */
export function verdictView(ctx) {
  const parts = [];
  if (!ctx.options.challenge) parts.push(verdictBlock(ctx, knownOf(ctx), false, !ctx.fatal));
  if (ctx.run.report && (ctx.fatal || !ctx.options.challenge))
    parts.push(verdictBlock(ctx, reportOf(ctx), true, ctx.fatal));
  return parts;
}
