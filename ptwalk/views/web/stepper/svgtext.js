// Text in the timeline: what fits is written, on a patch of ground where lines would run through it.

import { h } from "./dom.js";

export const CHAR = 6.8; // width of a mean letter at 12 px in the widest usual font, so that nothing is cut

/** Below this width a wordless shape of the timeline is drawn with its neighbours, as one. */
export const SMALL = 10;

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

/** Small shapes of one kind, drawn as one: a long run has hundreds, and each node costs time at every step. */
export class Strips {
  constructor() {
    /** @type {Map<string, string[]>} */
    this.paths = new Map();
  }

  add(name, x, y, w, height) {
    const parts = this.paths.get(name);
    const part = `M${tenth(x)},${y}h${tenth(w)}v${height}h${-tenth(w)}z`;
    if (parts) parts.push(part);
    else this.paths.set(name, [part]);
  }

  nodes() {
    return [...this.paths].map(([name, parts]) => h("g", { class: name, key: name }, h("path", { d: parts.join("") })));
  }
}

function tenth(x) {
  return Math.round(x * 10) / 10;
}
