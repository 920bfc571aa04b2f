// The entry explorer: 64 bits to flip, and at once what the hardware and what Linux would say.
// State is the model's: format, release, level, raw. Decoding is decoder.js with the tables from Python.

import { decode, hex, hex64, parseNumber, sizeWord, stateWord } from "./decoder.js";
import { choice, fieldTable, keepKeys, labelled, make, voice } from "./dom.js";

/** @typedef {import("./decoder.js").Entry} Entry */
/** @typedef {import("./decoder.js").Tables} Tables */

/**
 * What the hardware makes of an entry, in one sentence.
 * @param {Entry} entry @returns {string}
 */
export function hardwareSays(entry) {
  const address = hex(entry.address);
  if (entry.state === "TABLE") return `goes on to the table at ${address}, with rights ${entry.rightsWord} at most.`;
  if (entry.state === "LEAF") {
    return `ends its walk: ${sizeWord(1n << BigInt(entry.level.shift))} at ${address}, with rights ${entry.rightsWord} at most.`;
  }
  if (!entry.present) return "faults: bit 0 is clear, and it looks at no other bit.";
  if (entry.reservedBit === null) return "faults: an entry of this kind does not exist at this level.";
  return `faults: bit ${entry.reservedBit} must not be so here.`;
}

/**
 * What Linux notes about an entry that it counts as present.
 * @param {Entry} entry @returns {string}
 */
export function linuxNotes(entry) {
  const says = entry.linuxPresent ? "present" : "not present";
  if (!["LEAF", "PROT_NONE", "SPLIT"].includes(entry.state)) return says;
  const { accessed, dirty, writable } = entry.flags;
  return [says, accessed ? "young" : "old", dirty ? "dirty" : "clean", writable ? "writable" : "not writable"].join(", ");
}

/** A format's name without its architecture, as words. @param {string} name @param {string} arch */
export function tablesWord(name, arch) {
  const rest = name.slice(arch.length + 1);
  const levels = /^(\d)level$/.exec(rest);
  if (levels) return `${levels[1]} levels`;
  const [granule, bits] = rest.split("-");
  return `${granule.toUpperCase()} pages, ${bits} bits`;
}

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  /** @type {Tables} */
  const tables = JSON.parse(model.get("tables"));
  const live = voice();
  const controls = make("div", { class: "controls" });
  const number = make("div", { class: "controls" });
  const bits = make("div", { class: "bitrows", role: "group" });
  const says = make("dl", { class: "says" });
  const list = make("div");
  const root = make("section", { class: "ptwalk-widget entry-explorer", "aria-label": "Entry explorer" },
    controls, number, bits, says, list, live.element);
  keepKeys(root);
  el.append(root);

  let columns = 16;
  let cursor = 0; // the bit that the keyboard is on
  let shown = "";

  const format = () => tables.formats[`${model.get("format")} ${model.get("release")}`];
  const level = () => format().levels.find((found) => found.name === model.get("level")) ?? format().levels.at(-1);
  const raw = () => BigInt(model.get("raw"));

  /** @param {Record<string, string>} changes */
  function change(changes) {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    draw();
  }

  function drawControls() {
    const all = Object.values(tables.formats);
    const now = format();
    const unique = (/** @type {string[]} */ values) => [...new Set(values)];
    const names = unique(all.filter((found) => found.arch === now.arch).map((found) => found.name));
    const releases = unique(all.filter((found) => found.name === now.name).map((found) => found.release));
    const levels = now.levels.map((found) => found.name);
    const goTo = (/** @type {string} */ name, /** @type {string} */ release) => {
      const has = tables.formats[`${name} ${release}`].levels.map((found) => found.name);
      const old = model.get("level");
      change({ format: name, release, level: has.includes(old) ? old : has[has.length - 1] });
    };
    const architectures = unique(all.map((found) => found.arch));
    const items = [
      labelled("Architecture", choice(architectures.map((arch) => [arch, arch]), now.arch, (arch) => {
        const first = all.find((found) => found.arch === arch && /4level|4k-48/.test(found.name))
          ?? all.find((found) => found.arch === arch);
        if (first) goTo(first.name, model.get("release"));
      })),
      labelled("Tables", choice(names.map((name) => [name, tablesWord(name, now.arch)]), now.name,
        (name) => goTo(name, model.get("release")))),
      labelled("Level", choice(levels.map((name, place) => [name, `${name} (${now.levels[place].hardware})`]),
        level().name, (name) => change({ level: name }))),
      labelled("Linux", choice(releases.map((release) => [release, release]), now.release,
        (release) => goTo(now.name, release))),
    ];
    const focused = [...controls.querySelectorAll("select")].indexOf(/** @type {any} */ (document.activeElement));
    controls.replaceChildren(...items);
    if (focused >= 0) controls.querySelectorAll("select")[focused].focus();
  }

  function drawNumber() {
    const input = /** @type {HTMLInputElement} */ (make("input", {
      type: "text", class: "mono", size: 20, spellcheck: "false", autocomplete: "off", value: hex64(raw()),
      onchange: () => {
        const value = parseNumber(input.value);
        input.setAttribute("aria-invalid", String(value === null));
        if (value === null) live.say("This is no 64-bit number. Write it in hexadecimal, such as 0x8000000140a65067.");
        else change({ raw: hex64(value) });
      },
    }));
    const examples = level().examples ?? [];
    /** @type {[string, string][]} */
    const options = [["", "choose…"], ...examples.map((/** @type {string[]} */ [word, value]) => [value, word])];
    const chosen = examples.some((/** @type {string[]} */ [, value]) => BigInt(value) === raw()) ? hex64(raw()) : "";
    const example = choice(options, chosen, (value) => value && change({ raw: value }));
    number.replaceChildren(labelled("Entry", input), labelled("Example", example));
  }

  /** @param {number} bit */
  function flip(bit) {
    cursor = bit;
    change({ raw: hex64(raw() ^ (1n << BigInt(bit))) });
    focusBit();
  }

  function focusBit() {
    /** @type {HTMLElement | null} */ (bits.querySelector(`[data-bit="${cursor}"]`))?.focus();
  }

  /** @param {Entry} entry */
  function drawBits(entry) {
    const rows = [];
    for (let top = 63; top >= 0; top -= columns) {
      const row = make("div", { class: "bitrow" });
      for (const field of entry.fields) {
        const high = Math.min(field.high, top);
        const low = Math.max(field.low, top - columns + 1);
        if (high < low) continue;
        const leads = entry.address !== null && /^(frame|table|next table|PA\[)/.test(field.name);
        const kind = `segment${field.value ? " set" : ""}${leads ? " leads" : ""}`;
        const cells = make("span", { class: "cells" });
        for (let bit = high; bit >= low; bit -= 1) {
          const on = (entry.raw >> BigInt(bit)) & 1n;
          cells.append(make("button", {
            type: "button", "data-bit": bit, "aria-pressed": String(Boolean(on)),
            "aria-label": `bit ${bit}, ${field.name}`, tabindex: bit === cursor ? 0 : -1,
            class: bit === high || bit === low ? "edge" : "", onclick: () => flip(bit),
            onfocus: () => mark(field.high), onmouseenter: () => mark(field.high),
          }, make("span", { class: "no" }, String(bit)), make("span", { class: "digit" }, on ? "1" : "0")));
        }
        const name = make("span", { class: "name", "aria-hidden": "true" }, field.name);
        const segment = make("span", { class: kind, style: `flex:${high - low + 1} 1 0` }, cells, name);
        segment.dataset.high = String(field.high);
        row.append(segment);
      }
      rows.push(row);
    }
    const held = bits.contains(document.activeElement);
    bits.replaceChildren(...rows);
    bits.setAttribute("aria-label", "The 64 bits of the entry: arrow keys move, Space flips");
    if (held) focusBit();
    for (const name of bits.querySelectorAll(".name")) {
      // A name that does not fit its bits would be cut: the list below has it.
      if (name.scrollWidth > name.clientWidth + 1) name.classList.add("cut");
    }
  }

  /** @param {number} high */
  function mark(high) {
    for (const element of root.querySelectorAll("[data-high]")) {
      element.classList.toggle("marked", /** @type {HTMLElement} */ (element).dataset.high === String(high));
    }
  }

  function draw() {
    const entry = decode(tables, level(), raw());
    const key = `${format().name} ${format().release} ${level().name}`;
    if (key !== shown) drawControls();
    shown = key;
    drawNumber();
    drawBits(entry);
    const disagree = entry.present !== entry.linuxPresent;
    says.replaceChildren(
      make("dt", {}, "The hardware"), make("dd", {}, hardwareSays(entry)),
      make("dt", {}, "Linux"), make("dd", {}, make("b", { class: "state" }, stateWord(entry.state)), ` ${linuxNotes(entry)}`),
      make("dt", {}, "So"), make("dd", {}, entry.sentence, disagree
        ? make("b", { class: "differ" }, " ≠ Linux counts it as present, the hardware does not.") : null));
    list.replaceChildren(fieldTable(entry.fields, (field, row) => {
      row.dataset.high = String(field.high);
      row.addEventListener("mouseenter", () => mark(field.high));
    }));
    live.say(`${stateWord(entry.state)}. ${entry.sentence} The hardware ${hardwareSays(entry)}`);
  }

  bits.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: 1, ArrowRight: -1, ArrowUp: columns, ArrowDown: -columns }[event.key];
    if (step !== undefined) cursor = Math.max(0, Math.min(63, cursor + step));
    else if (event.key === "Home") cursor = 63;
    else if (event.key === "End") cursor = 0;
    else return;
    event.preventDefault();
    for (const button of bits.querySelectorAll("button")) {
      button.tabIndex = Number(button.dataset.bit) === cursor ? 0 : -1;
    }
    focusBit();
  });
  bits.addEventListener("mouseleave", () => mark(-1));

  const fitted = new ResizeObserver(() => {
    const width = root.clientWidth;
    const wanted = width < 560 ? 8 : width < 1300 ? 16 : 32;
    if (wanted !== columns) {
      columns = wanted;
      draw();
    }
  });
  fitted.observe(root);
  const changed = () => draw();
  for (const name of ["format", "release", "level", "raw"]) model.on(`change:${name}`, changed);
  draw();
  return () => {
    fitted.disconnect();
    for (const name of ["format", "release", "level", "raw"]) model.off(`change:${name}`, changed);
  };
}

export default { render };
