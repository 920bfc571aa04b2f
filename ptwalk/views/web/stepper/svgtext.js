// Text in the timeline: what fits is written, on a patch of ground where lines would run through it.

import { h } from "./dom.js";

export const CHAR = 5.9; // width of a letter at 12 px, a little more than the mean, so that nothing is cut

/** The text if it fits, else "". */
export function fitting(text, width) {
  return text.length * CHAR + 8 <= width ? text : "";
}

/** The text, cut with an ellipsis where it is too long; "" where not even a few letters fit. */
export function clipped(text, width) {
  const letters = Math.floor((width - 8) / CHAR);
  return letters >= text.length ? text : letters >= 5 ? `${text.slice(0, letters - 1)}…` : "";
}

export function label(x, y, text, name, anchor) {
  return text === "" ? null : h("text", { x, y, class: name, "text-anchor": anchor || "start" }, text);
}

/** A text on a patch of ground, so that lines do not run through it. */
export function patched(x, y, text, name, anchor) {
  const w = text.length * CHAR + 4;
  return [
    h("rect", { class: "ground", x: anchor === "end" ? x - w + 2 : x - 2, y: y + 1, width: w, height: 16 }),
    label(x, y + 13, text, name, anchor),
  ];
}
