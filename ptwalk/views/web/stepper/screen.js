// The screen and the pointer: presenter mode, and dragging along the timeline.

/** Presenter mode: the whole screen, scaled up. @param {any} app */
export function present(app) {
  const { root } = app;
  app.sheet = null;
  const document = root.ownerDocument;
  if (document.fullscreenElement === root) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen().catch(() => presented(app, true));
  else presented(app, true);
}

/** Fit the widget to the screen, or back. @param {any} app @param {boolean} [forced] */
export function presented(app, forced) {
  const { root } = app;
  const document = root.ownerDocument;
  const on = document.fullscreenElement === root || (forced && !root.classList.contains("presents"));
  root.classList.toggle("presents", Boolean(on));
  const section = root.querySelector(".w");
  if (!section || !app.run) return;
  section.style.zoom = on ? "1" : "";
  app.draw();
  if (!on) return;
  const view = document.defaultView;
  const scale = Math.max(1, Math.min(view.innerWidth / 1100, view.innerHeight / (section.scrollHeight + 8)));
  section.style.zoom = String(Math.floor(scale * 20) / 20);
  app.draw();
}

/** Drag along the timeline: the steps follow the pointer. @param {any} app @param {any} event a pointer event */
export function dragFrom(app, event) {
  const svg = event.target.closest && event.target.closest(".tl svg");
  if (!svg || event.button !== 0) return;
  const view = app.root.ownerDocument.defaultView;
  const move = (e) => {
    const box = svg.getBoundingClientRect();
    const x = ((e.clientX - box.left) / box.width) * app.geometry.width;
    const { xs } = app.geometry;
    let n = 0;
    while (n < app.run.length && x > xs[n]) n++;
    if (n !== app.n && (e.type === "pointermove" || x > app.geometry.gutter)) app.player.go(n, true);
  };
  const end = () => {
    view.removeEventListener("pointermove", move);
    view.removeEventListener("pointerup", end);
  };
  view.addEventListener("pointermove", move);
  view.addEventListener("pointerup", end);
  move(event);
}
