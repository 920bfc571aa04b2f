// The hand of a CPU: colour, shape and number, so that none of the three is needed alone.

import { h, classes } from "./dom.js";
import { hues } from "./meaning.js";

/** The class that gives a CPU its hue: the two CPUs in the conflict have one each, the others are ink. */
export function hueClass(run, cpu) {
  const place = hues(run).indexOf(cpu);
  return place < 0 ? "cpun" : `cpu${place}`;
}

/** Shapes go by number: circle, square, diamond, triangle, then circles again. */
export function shapeClass(cpu) {
  return ["sh-circle", "sh-square", "sh-diamond", "sh-triangle"][cpu % 4];
}

/**
 * A CPU's tag. `kind`: "" points here now, "was" read this and goes on, "stale", "dang".
 * @param {any} run @param {number} cpu @param {string} [kind]
 */
export function tag(run, cpu, kind) {
  const name = classes("tag", hueClass(run, cpu), shapeClass(cpu), kind);
  return h("span", { class: name, "aria-hidden": "true" }, h("b", null, cpu));
}

/** "CPU 1" with its tag in front. */
export function namedTag(run, cpu, rest) {
  return [tag(run, cpu), h("span", { class: "sr" }, run.cpus[cpu].name), rest ? ` ${rest}` : ""];
}
