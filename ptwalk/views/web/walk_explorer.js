// The walk explorer: an address typed, picked or built from indices, walked at once through a captured machine.
// State is the model's: va. The tables of the capture were shipped once; walking is walker.js.

import { hex, hex64, parseNumber, sizeWord, stateWord } from "./decoder.js";
import { choice, fieldTable, keepKeys, labelled, make, voice } from "./dom.js";
import { spaceFor, walk } from "./walker.js";

/** @typedef {import("./walker.js").Walk} Walk */
/** @typedef {import("./walker.js").Step} Step */

/**
 * What came of a walk: a few loud words, and the sentence beside them.
 * @param {Walk} found @returns {[string, string]}
 */
export function verdict(found) {
  if (found.reason) {
    const where = found.stoppedAt ? ` at ${found.stoppedAt}` : "";
    return [`✕ Stops${where}: ${found.reason}.`, found.sentence];
  }
  const size = sizeWord(found.pageSize ?? 0n);
  return [`Reaches physical ${hex(found.physical)}`, `in a ${size} page, with rights ${found.rightsWord}.`];
}

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const tables = JSON.parse(model.get("tables"));
  const space = JSON.parse(model.get("space"));
  const live = voice();
  const controls = make("div", { class: "controls" });
  const path = make("ol", { class: "path" });
  const result = make("p", { class: "verdict" });
  const detail = make("div", { class: "detail" });
  const root = make("section", { class: "ptwalk-widget walk-explorer", "aria-label": "Walk explorer" },
    make("h3", {}, space.name), controls, path, result, detail, live.element);
  keepKeys(root);
  el.append(root);
  let chosen = -1; // the step whose entry is shown below; -1 is the last one reached

  const address = () => BigInt(model.get("va"));

  /** @param {bigint} va */
  function go(va) {
    model.set("va", hex64(va));
    model.save_changes();
    draw();
  }

  const input = /** @type {HTMLInputElement} */ (make("input", {
    type: "text", class: "mono", size: 20, spellcheck: "false", autocomplete: "off",
    oninput: () => take(false), onchange: () => take(true),
  }));

  /** @param {boolean} finished */
  function take(finished) {
    const va = parseNumber(input.value);
    input.setAttribute("aria-invalid", String(finished && va === null));
    if (va !== null) go(va);
    else if (finished) live.say("This is no address. Write it in hexadecimal, such as 0x7f1234567000.");
  }

  /** @type {[string, string][]} */
  const places = space.places.map((/** @type {[string, string]} */ [word, va]) => [va, word]);
  const picked = choice([["", "choose…"], ...places], "", (va) => va && go(BigInt(va)));
  controls.append(labelled("Address", input), labelled("Place", picked));

  /** @param {Walk} found @param {Step} step @param {number} number */
  function drawStep(found, step, number) {
    const { level } = step;
    const index = /** @type {HTMLInputElement} */ (make("input", {
      type: "number", class: "mono", min: 0, max: 2 ** level.bits - 1, value: step.index,
      "aria-label": `${level.name} index`, "data-key": `index-${number}`,
      onchange: () => {
        const last = 2 ** level.bits - 1;
        const wanted = BigInt(Math.max(0, Math.min(last, Math.trunc(Number(index.value)) || 0)));
        const mask = ((1n << BigInt(level.bits)) - 1n) << BigInt(level.shift);
        go(canonical(found, (address() & ~mask) | (wanted << BigInt(level.shift))));
      },
    }));
    const head = make("div", { class: "head" },
      make("b", {}, level.name.toUpperCase()), index, make("span", { class: "muted" }, `bits ${step.bits}`),
      make("span", { class: "mono binary" }, step.index.toString(2).padStart(level.bits, "0")));
    if (!step.entry) {
      const words = step.failed
        ? [make("span", { class: "mono" }, `table ${hex(step.table)}`), make("b", { class: "bad" }, "✕ not in this memory")]
        : [make("span", { class: "muted" }, "not reached")];
      return make("li", { class: step.failed ? "missing" : "unreached" }, head, make("div", { class: "box" }, ...words));
    }
    const { entry } = step;
    const row = make("button", {
      type: "button", class: "row", "aria-pressed": String(number === chosen), "data-key": `row-${number}`,
      "aria-label": `${level.name} entry ${step.index}, ${stateWord(entry.state)}: show its fields`,
      onclick: () => {
        chosen = number;
        draw();
      },
    },
    make("b", { class: "mono" }, `[${step.index}]`),
    make("span", { class: "marks" }, step.failed ? `✕ ${stateWord(entry.state)}` : entry.marks),
    make("span", { class: "mono raw" }, hex64(entry.raw)));
    const rights = step.rights === null ? "" : rightsWord(step.rights);
    return make("li", { class: step.failed ? "failed" : "reached" }, head,
      make("div", { class: "box" }, make("span", { class: "frame" }, "table ", make("span", { class: "mono" }, hex(step.table))), row),
      make("div", { class: "rights" }, make("span", { class: "muted" }, rights && "rights so far"), make("span", { class: "mono" }, rights)));
  }

  /** @param {number} rights */
  function rightsWord(rights) {
    return tables.rights_words[rights];
  }

  /** @param {Walk} found @param {bigint} va */
  function canonical(found, va) {
    // The bits above the indices follow from them: keep the address inside its format's own stretches.
    const low = va & ((1n << BigInt(found.format.va_bits)) - 1n);
    for (const [first] of found.space.canonical) {
      const above = BigInt(first) >> BigInt(found.format.va_bits) << BigInt(found.format.va_bits);
      const whole = above | low;
      if (found.space.canonical.some(([from, to]) => BigInt(from) <= whole && whole <= BigInt(to))) return whole;
    }
    return va;
  }

  /** @param {Walk} found */
  function drawPage(found) {
    const size = found.pageSize ?? 1n << BigInt(found.format.page_shift);
    const offset = found.va & (size - 1n);
    const head = make("div", { class: "head" }, make("b", {}, "offset"), make("span", { class: "mono" }, hex(offset)),
      make("span", { class: "muted" }, `bits ${size.toString(2).length - 2}-0`));
    if (found.physical === null) {
      return make("li", { class: "unreached" }, head, make("div", { class: "box" }, make("span", { class: "muted" }, "no page")));
    }
    return make("li", { class: "page" }, head, make("div", { class: "box" }, make("b", {}, `${sizeWord(size)} page`),
      make("span", { class: "mono" }, hex(found.physical - offset)), make("span", { class: "mono plus" }, `+ ${hex(offset)}`)));
  }

  function draw() {
    const va = address();
    const found = walk(tables, spaceFor(space.spaces, va), va);
    const reached = found.steps.filter((step) => step.entry).length;
    if (chosen >= reached) chosen = -1;
    if (document.activeElement !== input) input.value = hex64(va);
    const place = places.find(([start]) => BigInt(start) === va);
    picked.value = place ? place[0] : "";
    const focused = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.key;
    path.replaceChildren(...found.steps.map((step, number) => drawStep(found, step, number)), drawPage(found));
    if (focused) /** @type {HTMLElement | null} */ (path.querySelector(`[data-key="${focused}"]`))?.focus();
    const [loud, sentence] = verdict(found);
    result.className = found.reason ? "verdict bad" : "verdict";
    result.replaceChildren(make("b", {}, loud), ` ${sentence}`);
    const shown = found.steps[chosen < 0 ? reached - 1 : chosen];
    detail.replaceChildren(...(shown?.entry ? [
      make("h4", {}, `${shown.level.name}[${shown.index}], ${shown.level.hardware}`),
      make("p", {}, shown.entry.sentence), fieldTable(shown.entry.fields)] : []));
    live.say(`${loud.replace("✕ ", "")} ${sentence}`);
  }

  const changed = () => draw();
  model.on("change:va", changed);
  draw();
  return () => model.off("change:va", changed);
}

export default { render };
