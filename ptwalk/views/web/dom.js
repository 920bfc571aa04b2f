// Small building blocks for widgets: elements, the keyboard rule, one polite voice. Knows the document only.

/**
 * An element with attributes and children. A function among the attributes becomes a listener: {onclick: f}.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/**
 * Keeps keys inside a widget: a notebook would take `b` for "insert a cell" and arrows for its own selection.
 * What belongs to the page or the browser still goes through.
 * @param {HTMLElement} root
 */
export function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Tab" || event.key === "Escape") return;
    event.stopPropagation();
  });
}

/**
 * A live region that speaks once things rest, so that ten quick changes are one sentence.
 * @returns {{element: HTMLElement, say: (sentence: string) => void}}
 */
export function voice() {
  const element = make("p", { class: "sr", role: "status", "aria-live": "polite" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return {
    element,
    say(sentence) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        element.textContent = sentence;
      }, 300);
    },
  };
}

let lastId = 0;

/**
 * A control with its visible label.
 * @param {string} label @param {HTMLElement} control @param {string} [className] @returns {HTMLElement}
 */
export function labelled(label, control, className = "") {
  lastId += 1;
  control.id = `ptwalk-control-${lastId}`;
  return make("span", { class: `control ${className}` }, make("label", { for: control.id }, label), control);
}

/**
 * A drop-down list.
 * @param {[string, string][]} options value and text of each
 * @param {string} chosen @param {(value: string) => void} changed @returns {HTMLSelectElement}
 */
export function choice(options, chosen, changed) {
  const select = /** @type {HTMLSelectElement} */ (make("select", {
    onchange: () => changed(select.value),
  }, ...options.map(([value, text]) => make("option", { value }, text))));
  select.value = chosen;
  return select;
}

/**
 * The list of an entry's fields as a table.
 * @param {import("./decoder.js").Field[]} fields
 * @param {(field: import("./decoder.js").Field, row: HTMLElement) => void} [each]
 * @returns {HTMLElement}
 */
export function fieldTable(fields, each = () => {}) {
  const body = make("tbody");
  for (const field of fields) {
    const one = field.high === field.low;
    const row = make("tr", { class: field.value ? "set" : "" },
      make("td", { class: "bits mono" }, one ? String(field.high) : `${field.high}-${field.low}`),
      make("th", { scope: "row" }, field.name),
      make("td", { class: "value mono" }, one ? String(field.value) : `0x${field.value.toString(16)}`),
      make("td", { class: "meaning" }, field.meaning));
    each(field, row);
    body.append(row);
  }
  const heads = ["bits", "field", "value", "meaning"].map((word) => make("th", { scope: "col" }, word));
  return make("table", { class: "fields" },
    make("caption", { class: "sr" }, "Fields of the entry, highest bits first"),
    make("thead", {}, make("tr", {}, ...heads)), body);
}
