// A recorded run of the real kernel under the simulated one, step matched to step.
// The matching itself arrives in the timeline; here it is only placed.

import { h } from "./dom.js";
import { clipped } from "./svgtext.js";

/** What the recording did at a step, as a line of text; why it did nothing, if that is known; else "". */
export function recordedAt(run, n) {
  if (!run.compare) return "";
  const found = run.compare.pairs.filter(([step]) => step === n).map(([, item]) => run.compare.steps[item]);
  if (!found.length) {
    const why = (run.compare.extra || {})[n];
    return why || "";
  }
  const words = found.map((item) => item.word).join(", ");
  return [words, found[0].function, found[0].line].filter(Boolean).join(" · ");
}

/** What Linux did after step `n` and before the next, that the model does not have, with the reasons; "" if nothing. */
export function leftOutAt(ctx, n) {
  const found = ctx.run.compare ? extras(ctx.run).get(n) || [] : [];
  if (!found.length) return "";
  const said = found.slice(0, 3).join("; ");
  const rest = found.length > 3 ? `; ${ctx.words.ui("n_more", { n: found.length - 3 })}` : "";
  return ctx.words.ui("recorded_also", { text: said + rest });
}

/** How far the two runs agree, in one sentence. */
export function comparisonText(ctx) {
  const { name, pairs, steps, extra } = ctx.run.compare;
  const matched = new Set(pairs.map(([, item]) => item)).size;
  const more = Object.keys(extra || {}).length;
  const said = { name, matched, total: steps.length, left: steps.length - matched };
  return [
    ctx.words.ui("comparison", said),
    more ? ctx.words.ui("comparison_extra", { n: more }) : "",
    ctx.words.ui("comparison_where"),
  ]
    .filter(Boolean)
    .join(" ");
}

/** The recorded steps that have no partner, by the simulated step they follow (0: before the first). */
export function extras(run) {
  const { pairs, steps } = run.compare;
  const partner = new Map(pairs.map(([step, item]) => [item, step]));
  const found = new Map();
  let after = 0;
  steps.forEach((item, i) => {
    if (partner.has(i)) after = partner.get(i);
    else found.set(after, [...(found.get(after) || []), item.reason ? `${item.word} (${item.reason})` : item.word]);
  });
  return found;
}

/** The row of recorded steps: a pill where it matches, a gap where it does not, a count of what the model leaves out. */
export function comparedRow(ctx, g) {
  const { pairs, steps } = ctx.run.compare;
  const y = g.y.cmp;
  const out = [];
  const bySteps = new Map();
  for (const [step, item] of pairs)
    if (step <= ctx.run.length) bySteps.set(step, [...(bySteps.get(step) || []), steps[item]]);
  for (const [step, items] of bySteps) {
    const x = g.l(step) + 1;
    const w = Math.max(g.w(step) - 2, 1);
    const label =
      items.length > 1 ? `${items[0].label || items[0].word} +${items.length - 1}` : items[0].label || items[0].word;
    const name = step === ctx.n ? "now" : step < ctx.n ? "past" : "future";
    out.push(
      h(
        "g",
        { class: `pill rec ${name}`, "data-step": step },
        h("title", null, items.map((item) => item.word).join(", ")),
        h("rect", { x, y, width: w, height: 18, rx: 2 }),
        w > 6 ? h("text", { x: x + w / 2, y: y + 13, "text-anchor": "middle" }, clipped(label, w) || null) : null,
      ),
    );
  }
  for (const [after, words] of extras(ctx.run)) {
    if (after > ctx.run.length) continue;
    const x = after ? g.r(after) : g.gutter;
    out.push(
      h(
        "g",
        { class: "extra" },
        h("title", null, ctx.words.ui("recorded_extra", { n: words.length, words: words.slice(0, 12).join(", ") })),
        h("path", { d: `M${x},${y + 20}v-4` }),
        h("text", { x, y: y + 30, "text-anchor": "middle", class: "m" }, `+${words.length}`),
      ),
    );
  }
  return out;
}
