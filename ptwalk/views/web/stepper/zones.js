// The zones of the widget, each patched on its own, and all that the widget listens to.

import { h, patch } from "./dom.js";
import { keepGround } from "./ground.js";
import { listenKeys } from "./keys.js";
import { dragFrom, presented } from "./screen.js";

/** Build the empty zones in `root`, by name. @param {Element} root @param {any} words @param {string} title */
export function zonesIn(root, words, title) {
  const zone = (tag, attrs) => h(tag, { key: attrs.class, ...attrs });
  patch(root, [
    h(
      "section",
      { class: "w", key: "w", "aria-label": words.ui("stepper", { title }) },
      h(
        "div",
        { class: "in" },
        zone("header", { class: "head" }),
        zone("p", { class: "say" }),
        zone("div", { class: "note" }),
        zone("div", { class: "tabs", role: "group", "aria-label": words.ui("tables") }),
        zone("div", { class: "lanes" }),
        zone("div", { class: "tl", role: "group", "aria-label": words.ui("timeline") }),
        zone("div", { class: "vw" }),
        zone("div", { class: "spoken sr", "aria-live": "polite" }),
        zone("div", { class: "printed" }),
        zone("dialog", { class: "sheets", "aria-label": words.ui("help") }),
      ),
    ),
  ]);
  const names = ["head", "say", "note", "tabs", "lanes", "tl", "vw", "spoken", "printed", "sheets"];
  return Object.fromEntries(names.map((name) => [name, root.querySelector(`.${name}`)]));
}

/** Hear the learner, the window and the page's theme; gives what ends it. @param {any} app @returns {Array<() => void>} */
export function listen(app) {
  const { root } = app;
  const document = root.ownerDocument;
  const closers = [keepGround(root)];
  const on = (target, name, hear) => {
    target.addEventListener(name, hear);
    closers.push(() => target.removeEventListener(name, hear));
  };
  closers.push(
    listenKeys(
      root,
      () => app.run.cpus.length,
      (action) => app.player.act(action),
      () => Boolean(app.sheet),
    ),
  );
  on(root, "click", (event) => {
    const node = event.target.closest("[data-act]");
    if (node && root.contains(node) && !node.disabled) return app.player.act(node.dataset.act);
    const step = event.target.closest("[data-step]");
    if (step) app.player.go(Number(step.dataset.step));
    return undefined;
  });
  on(root, "input", (event) => {
    if (event.target.type === "range") app.player.go(Number(event.target.value), true);
  });
  on(root, "change", (event) => {
    if (event.target.dataset.field === "speed") app.player.setSpeed(Number(event.target.value));
  });
  on(root, "pointerover", (event) => app.highlight(event.target.closest && event.target.closest("[data-f]")));
  on(root, "pointerdown", (event) => dragFrom(app, event));
  on(app.zones.sheets, "cancel", (event) => {
    event.preventDefault();
    app.player.act("close");
  });
  on(document, "fullscreenchange", () => presented(app));
  on(document.defaultView, "beforeprint", () => app.drawTable());
  if (typeof ResizeObserver !== "undefined") {
    let last = 0;
    const observer = new ResizeObserver(() => {
      const width = Math.round(root.clientWidth);
      if (width && width !== last && app.run) {
        last = width;
        app.draw();
      }
    });
    observer.observe(root);
    closers.push(() => observer.disconnect());
  }
  return closers;
}
