// The widget's entry: mounts a stepper on an anywidget model, or on a saved page.

import { Stepper } from "./app.js";
import { KernelSession, TreeSession } from "./session.js";

/** Mount on a model: traits `timeline`, `catalogue`, `live`, `tree`, `step`, `options`. */
export function mountModel(model, el) {
  /** @type {any} the stepper hangs on its element, for tests and for those who look */
  const root = el.ownerDocument.createElement("div");
  el.appendChild(root);
  const tree = model.get("tree");
  const session = model.get("live")
    ? new KernelSession(model, model.get("patience") || 10000)
    : tree
      ? new TreeSession(JSON.parse(tree))
      : null;
  const app = new Stepper(root, {
    timeline: model.get("timeline"),
    catalogue: JSON.parse(model.get("catalogue")),
    session,
    step: model.get("step"),
    options: model.get("options") || {},
  });
  const reload = () => app.load(model.get("timeline"), model.get("step"));
  model.on("change:timeline", reload);
  root.stepper = app;
  return () => {
    model.off("change:timeline", reload);
    app.close();
    root.remove();
  };
}

/** Mount on a page that carries its data in script elements: nothing is fetched. @param {Document} document */
export function mountPage(document) {
  const data = (id) => {
    const node = document.getElementById(id);
    return node ? node.textContent : null;
  };
  const tree = data("ptwalk-tree");
  /** @type {any} */
  const root = document.getElementById("ptwalk-stepper");
  const settings = JSON.parse(data("ptwalk-settings") || "{}");
  root.stepper = new Stepper(root, {
    timeline: data("ptwalk-timeline"),
    catalogue: JSON.parse(data("ptwalk-catalogue")),
    session: tree ? new TreeSession(JSON.parse(tree)) : null,
    step: settings.step,
    options: settings.options,
  });
  return root.stepper;
}

export default {
  render({ model, el }) {
    return mountModel(model, el);
  },
};
