// A picture as plain values, and the smallest change that makes the page show it.
// Knows nothing of runs. A redraw keeps every node that stays the same, so focus and reading place stay too.

/**
 * @typedef {{tag: string, attrs: Object<string, any>, kids: Array<VNode|string>}} VNode
 */

const SVG_TAGS = new Set([
  "svg",
  "g",
  "path",
  "rect",
  "line",
  "text",
  "defs",
  "pattern",
  "clipPath",
  "circle",
  "title",
]);
const SVG_SPACE = "http://www.w3.org/2000/svg";
/** What each node was last drawn from. @type {WeakMap<Node, VNode>} */
const drawn = new WeakMap();

/**
 * One node of a picture. False, null and undefined attributes and kids are left out; arrays are laid flat.
 * @param {string} tag
 * @param {Object<string, any>|null} [attrs]
 * @param {...any} kids
 * @returns {VNode}
 */
export function h(tag, attrs, ...kids) {
  return { tag, attrs: attrs || {}, kids: flatten(kids) };
}

function flatten(kids) {
  const flat = [];
  for (const kid of kids.flat(5)) {
    if (kid === null || kid === undefined || kid === false || kid === "") continue;
    flat.push(typeof kid === "object" ? kid : String(kid));
  }
  return flat;
}

/** Join class names, leaving out what is false. @param {...any} names */
export function classes(...names) {
  return names.filter(Boolean).join(" ") || null;
}

function isSet(value) {
  return value !== null && value !== undefined && value !== false;
}

function setAttribute(node, name, value) {
  if (name === "value" || name === "checked" || name === "disabled") {
    node[name] = name === "value" ? (isSet(value) ? String(value) : "") : Boolean(value);
    if (name === "value") return;
  }
  if (!isSet(value)) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

function create(vnode, document) {
  if (typeof vnode === "string") return document.createTextNode(vnode);
  const node = SVG_TAGS.has(vnode.tag)
    ? document.createElementNS(SVG_SPACE, vnode.tag)
    : document.createElement(vnode.tag);
  for (const [name, value] of Object.entries(vnode.attrs)) {
    if (name !== "key" && isSet(value)) setAttribute(node, name, value);
  }
  for (const kid of vnode.kids) node.appendChild(create(kid, document));
  drawn.set(node, vnode);
  return node;
}

function same(a, b) {
  return typeof a === "object" && typeof b === "object" && a.tag === b.tag && a.attrs.key === b.attrs.key;
}

function update(node, was, now) {
  if (was === now) return;
  for (const name of Object.keys(was.attrs)) {
    if (!(name in now.attrs) && name !== "key") setAttribute(node, name, null);
  }
  for (const [name, value] of Object.entries(now.attrs)) {
    if (name === "key") continue;
    if (was.attrs[name] !== value || name === "value") setAttribute(node, name, value);
  }
  patchKids(node, now.kids, was.kids);
  drawn.set(node, now);
}

/**
 * Make the children of `parent` show `kids`, changing only what differs.
 * @param {Element} parent
 * @param {Array<any>} kids nodes and texts; null and false are left out, arrays are laid flat
 */
export function patch(parent, kids) {
  patchKids(parent, flatten(kids), null);
}

function patchKids(parent, kids, before) {
  const document = parent.ownerDocument;
  const nodes = parent.childNodes;
  for (let i = 0; i < kids.length; i++) {
    const kid = kids[i];
    const node = nodes[i];
    if (!node) {
      parent.appendChild(create(kid, document));
      continue;
    }
    const was = before ? before[i] : drawn.get(node);
    if (typeof kid === "string") {
      if (node.nodeType === 3) {
        if (node.nodeValue !== kid) node.nodeValue = kid;
      } else parent.replaceChild(create(kid, document), node);
    } else if (was && same(was, kid)) update(node, was, kid);
    else parent.replaceChild(create(kid, document), node);
  }
  while (nodes.length > kids.length) parent.removeChild(parent.lastChild);
}

/** The words of a picture, for tests and for spoken labels. @param {any} vnode @returns {string} */
export function textOf(vnode) {
  if (typeof vnode === "string") return vnode;
  if (Array.isArray(vnode)) return vnode.map(textOf).join("");
  return vnode ? vnode.kids.map(textOf).join("") : "";
}
