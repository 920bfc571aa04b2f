// All words: sentences and labels come from one catalogue, so that they can be translated.
// Fills in names; decides nothing about what is true.

/** @typedef {{text: string, kind: "strong"|"plain"|"bad"}} Part  one sentence of a step */

export class Words {
  /** @param {any} catalogue the parsed catalogue file */
  constructor(catalogue) {
    this.catalogue = catalogue;
    this.digits = new Intl.NumberFormat(catalogue.language);
  }

  /** A label. @param {string} key @param {Object<string, any>} [params] */
  ui(key, params) {
    return fill(this.catalogue.ui[key] ?? key, params || {});
  }

  /** A word of the state, or the text itself if the catalogue has none. */
  word(text) {
    return this.catalogue.word[text] ?? text;
  }

  frame(n) {
    return fill(this.catalogue.word.frame, { n });
  }

  number(n) {
    if (typeof n !== "number" || n < 1e9) return this.digits.format(Number(n));
    const power = Math.floor(Math.log10(n));
    return `${(n / 10 ** power).toFixed(1)} × 10${[...String(power)].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)]).join("")}`;
  }

  /** A step in words, as sentences. @param {any} run @param {any} step @param {Map<string, any>} state @returns {Part[]} */
  sentences(run, step, state) {
    const parts = [];
    for (const [key, params] of step.say) {
      const named = naming(this, run, state, step.cpu, params || {});
      const told = key === "op" || key.startsWith("op."); // an operation without a sentence tells its own text
      if (told) named.op = step.done;
      const { say } = this.catalogue;
      const template = say[key] ?? (told ? say.op : named.text ? "{cpu}: {text}" : key);
      fill(template, named)
        .split("|")
        .forEach((text, i) => {
          const kind = key.startsWith("bad.") ? "bad" : parts.length === 0 && i === 0 ? "strong" : "plain";
          parts.push({ text: key === "text" ? text : text.charAt(0).toUpperCase() + text.slice(1), kind });
        });
    }
    return parts;
  }

  /** The same as one line of text. */
  sentence(run, step, state) {
    return this.sentences(run, step, state)
      .map((part) => part.text)
      .join(" ");
  }
}

/** Put parameters into a template. */
function fill(template, params) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (params[name] === undefined ? whole : String(params[name])));
}

function naming(words, run, state, cpu, params) {
  const named = { cpu: run.cpus[cpu].name };
  for (const [name, value] of Object.entries(params)) {
    if (name === "who") named.who = run.cpus[value] ? run.cpus[value].name : value;
    else if (name === "frame" || name === "to") named[name] = words.frame(value);
    else if (name === "entry") named.entry = entryName(words, state, value);
    else if (name === "lock") named.lock = lockName(words, run, value);
    else named[name] = value;
  }
  return named;
}

/** What people call an entry: "pmd[2]". @param {string} slot "5.2" */
export function entryName(words, state, slot) {
  const [frame, index] = String(slot).split(".");
  const value = state.get(`f${frame}`);
  return `${(value && value.level) || words.frame(frame)}[${index}]`;
}

/** A lock's name where room is scarce: of an address in it the end says enough. @param {string} name */
export function shortLock(name) {
  return name.replace(/0x[0-9a-f]+?([0-9a-f]{6})\b/, "…$1");
}

/** What people call a lock: its name, with its frame if it lives in one. */
export function lockName(words, run, id) {
  const lock = run.locks.find((l) => l.id === id);
  if (!lock) return id;
  return lock.frame === undefined
    ? lock.name
    : words.ui("lock_of", { lock: lock.name, frame: words.frame(lock.frame) });
}
