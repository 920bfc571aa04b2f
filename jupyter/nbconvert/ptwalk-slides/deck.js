// Shows the sections of a converted notebook one at a time. Nothing is fetched; it works from a file.
// The presenter's window is the same page with "?presenter": the two tell each other where they are.
const slides = [...document.querySelectorAll(".deck section section")];
const presenter = location.search === "?presenter";
let other = presenter ? window.opener : null;
let at = 0;
let shown = 0; // how many waiting parts of this slide are uncovered

const parts = (slide) => [...slide.querySelectorAll(".fragment")];

function show(slide, uncovered, tell = true) {
  at = Math.max(0, Math.min(slides.length - 1, slide));
  shown = Math.max(0, Math.min(parts(slides[at]).length, uncovered));
  slides.forEach((one, number) => {
    one.classList.toggle("now", number === at);
    one.classList.toggle("after", number === at + 1);
    one.toggleAttribute("inert", number !== at);
  });
  parts(slides[at]).forEach((part, number) => part.classList.toggle("waiting", number >= shown));
  document.getElementById("place").textContent = `${at + 1} of ${slides.length}`;
  history.replaceState(null, "", `#${at + 1}`);
  slides[at].tabIndex = -1;
  slides[at].focus({ preventScroll: true });
  if (tell && other && !other.closed) other.postMessage({ at, shown }, "*");
}

function on() {
  if (shown < parts(slides[at]).length) show(at, shown + 1);
  else if (at + 1 < slides.length) show(at + 1, 0);
}

function back() {
  if (shown > 0) show(at, shown - 1);
  else if (at > 0) show(at - 1, Infinity);
}

function present() {
  if (presenter) return;
  other = window.open(`${location.pathname}?presenter${location.hash}`, "presenter", "width=1200,height=700");
}

const KEYS = {
  ArrowRight: on, PageDown: on, " ": on, ArrowLeft: back, PageUp: back,
  Home: () => show(0, 0), End: () => show(slides.length - 1, Infinity), s: present, S: present,
};

document.addEventListener("keydown", (event) => {
  const taken = event.target.closest("input, textarea, select, button, summary, a");
  if (event.altKey || event.ctrlKey || event.metaKey || !KEYS[event.key] || (taken && event.key === " ")) return;
  event.preventDefault();
  KEYS[event.key]();
});
window.addEventListener("message", (event) => {
  if (event.source !== other || !event.data) return;
  if (event.data.ready) show(at, shown);
  else show(event.data.at, event.data.shown, false);
});
window.addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0, 0));
document.getElementById("on").addEventListener("click", on);
document.getElementById("back").addEventListener("click", back);
document.getElementById("present").addEventListener("click", present);

show(Number(location.hash.slice(1)) - 1 || 0, 0, false);
if (presenter) {
  document.body.classList.add("presenter");
  const began = Date.now();
  setInterval(() => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    const rest = String(seconds % 60).padStart(2, "0");
    document.getElementById("clock").textContent = `${Math.floor(seconds / 60)}:${rest}`;
  }, 1000);
  if (other) other.postMessage({ ready: true }, "*");
}
