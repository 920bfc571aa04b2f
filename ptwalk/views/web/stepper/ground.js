// The ground of the page around the widget: taken over where our ink is readable on it, else our own is laid.
// Knows colours and no runs.

/**
 * Red, green, blue of a computed colour; null for one that cannot be read or lets what is behind it through.
 * @param {string} colour @returns {number[]|null}
 */
function parts(colour) {
  const found = /^rgba?\(([\d.]+)[, ]+([\d.]+)[, ]+([\d.]+)(?:[, /]+([\d.]+))?\)$/.exec(colour);
  if (!found || (found[4] !== undefined && Number(found[4]) < 1)) return null;
  return [Number(found[1]), Number(found[2]), Number(found[3])];
}

/** @param {number[]} colour */
function light(colour) {
  const linear = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

/** The WCAG contrast of two computed colours; 0 if one cannot be read. @param {string} one @param {string} two */
export function contrastOf(one, two) {
  const [a, b] = [parts(one), parts(two)];
  if (!a || !b) return 0;
  const lights = [light(a), light(b)].sort((x, y) => y - x);
  return (lights[0] + 0.05) / (lights[1] + 0.05);
}

/** Colours that carry text on the ground; each needs 4.5. */
const TEXT = ["--pt-ink", "--pt-ink2", "--pt-path", "--pt-other", "--pt-bad"];

/** Lay our own ground if any text colour would not be readable on the page's. @param {HTMLElement} root */
export function layGround(root) {
  const view = root.ownerDocument.defaultView;
  root.style.removeProperty("--pt-bg");
  const probe = root.ownerDocument.createElement("span");
  probe.hidden = true;
  root.appendChild(probe);
  probe.style.backgroundColor = "var(--pt-bg)";
  const ground = view.getComputedStyle(probe).backgroundColor;
  const readable = TEXT.every((name) => {
    probe.style.color = `var(${name})`;
    return contrastOf(view.getComputedStyle(probe).color, ground) >= 4.5;
  });
  probe.remove();
  if (!readable) root.style.setProperty("--pt-bg", "var(--pt-ground)");
}

/** Keep the ground right when the page changes its theme. @param {HTMLElement} root @returns {() => void} stop */
export function keepGround(root) {
  layGround(root);
  const document = root.ownerDocument;
  const look = () => layGround(root);
  const observer = new MutationObserver(look);
  const told = {
    attributes: true,
    attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "data-theme", "class"],
  };
  observer.observe(document.body, told);
  observer.observe(document.documentElement, told);
  const dark = document.defaultView.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", look);
  return () => {
    observer.disconnect();
    dark.removeEventListener("change", look);
  };
}
