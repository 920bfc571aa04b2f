// The stepper: holds the run and where we are in it, draws, and passes wishes to whoever can answer them.
// The picture is a pure function of (run, step, options); everything that changes is in this file.

import { h, patch } from "./dom.js";
import { timelineProblem, SCHEMA_VERSION } from "./schema.js";
import { unpackTimeline } from "./packing.js";
import { Run } from "./run.js";
import { Words } from "./words.js";
import { layoutOf } from "./layout.js";
import { needsOf } from "./room.js";
import { touched, whereText } from "./meaning.js";
import { tablesView, tableContext } from "./tables.js";
import { drawArrows } from "./arrows.js";
import { lanesView } from "./lanes.js";
import { timelineView } from "./timeline.js";
import { verdictView } from "./verdict.js";
import { headView, noteView, sayLines, sayView } from "./head.js";
import { sheetView, runTable } from "./sheets.js";
import { Speech } from "./speech.js";
import { recordedAt } from "./compare.js";
import { Player } from "./player.js";
import { listen, zonesIn } from "./zones.js";

let instances = 0;

export class Stepper {
  /**
   * @param {HTMLElement} root
   * @param {{timeline: string, catalogue: any, session?: any, step?: number, options?: any}} given
   */
  constructor(root, given) {
    this.root = root;
    this.id = `pt${++instances}`;
    this.words = new Words(given.catalogue);
    this.options = {
      hb: false,
      all: false,
      predict: false,
      challenge: false,
      unfold: false,
      speed: 1,
      lanes: [],
      ...given.options,
    };
    this.session = given.session || null;
    this.sheet = null;
    this.message = "";
    this.busy = false;
    this.n = 0;
    this.undoList = [];
    this.closers = [];
    root.classList.add("ptwalk-stepper");
    this.load(given.timeline, given.step);
  }

  /** Show a timeline given as JSON text; what cannot be shown becomes a sentence. */
  load(text, step) {
    let timeline = null;
    let problem = "";
    try {
      timeline = unpackTimeline(JSON.parse(text));
      problem = timelineProblem(timeline);
    } catch (error) {
      problem = String(error.message || error);
    }
    if (problem) return this.fail(problem, timeline);
    this.run = new Run(timeline);
    this.saved = this.run.save();
    this.player = this.player || new Player(this);
    this.undoList = [];
    this.n = Math.max(0, Math.min(step ?? 0, this.run.length));
    if (this.options.challenge) this.player.challenge.enter();
    try {
      this.build();
      this.draw();
    } catch (error) {
      this.fail(String(error.message || error), timeline);
    }
    return undefined;
  }

  fail(problem, timeline) {
    this.run = null;
    this.teardown();
    const found = timeline && typeof timeline === "object" ? timeline.version : "?";
    const text =
      problem === "version"
        ? this.words.ui("unknown_version", { found, known: SCHEMA_VERSION })
        : this.words.ui("broken", { text: problem === "schema" ? this.words.ui("not_a_timeline") : problem });
    patch(this.root, [h("p", { class: "broken", role: "alert", key: "broken" }, text)]);
  }

  build() {
    if (this.zones) return;
    this.zones = zonesIn(this.root, this.words, this.run.head.title);
    this.speech = new Speech(this.zones.spoken);
    this.closers = listen(this);
  }

  /** Everything a view needs of this moment. */
  context() {
    const { run, n, words, options } = this;
    const state = run.at(n);
    const step = n > 0 ? run.steps[n - 1] : null;
    const before = n > 0 ? run.at(n - 1) : null;
    const width = Math.min(this.root.clientWidth || 1100, 1132);
    const fatal = Boolean(run.report && run.report.step === n);
    const parts = step
      ? words.sentences(run, step, state)
      : fatal // code that goes wrong before its first step
        ? [{ text: `${run.report.title}.`, kind: "bad" }]
        : [];
    const ctx = {
      run,
      n,
      words,
      options,
      state,
      step,
      before,
      width,
      inner: width - (width < 560 ? 24 : 32),
      id: this.id,
      parts,
      fatal,
      touched: touched(step),
      layout: layoutOf(run),
      needs: needsOf(run, words),
      sentence: parts.map((p) => p.text).join(" "),
      live: Boolean(this.session),
      playing: Boolean(this.player.timer),
      busy: this.busy,
      sheet: this.sheet,
      message: this.message,
      predict: this.player.question,
      recorded: step ? recordedAt(run, n) : "",
      challenge: null,
    };
    if (options.challenge) ctx.challenge = this.player.challenge.told(ctx);
    return tableContext(ctx);
  }

  /** Draw the current step. A redraw keeps the focus on the same control, or moves it to the handle. */
  draw(quiet) {
    const { zones } = this;
    const active = /** @type {HTMLElement} */ (this.root.ownerDocument.activeElement);
    const focused = active && this.root.contains(active) ? active.dataset.k : null;
    const ctx = this.context();
    this.root.classList.toggle("still", Boolean(quiet));
    this.root.classList.toggle("broke", ctx.fatal);
    patch(zones.head, headView(ctx));
    zones.say.style.setProperty("--lines", String(sayLines(ctx)));
    patch(zones.say, sayView(ctx));
    patch(zones.note, noteView(ctx));
    patch(zones.tabs, tablesView(ctx));
    patch(zones.lanes, lanesView(ctx));
    const timeline = timelineView(ctx);
    this.geometry = timeline.geometry;
    patch(zones.tl, timeline.kids);
    patch(zones.vw, verdictView(ctx));
    drawArrows(zones.tabs.querySelector(".stage"), ctx);
    this.drawSheet(ctx);
    this.keepFocus(focused);
    this.follow();
    const spoken = ctx.sentence ? `${ctx.words.ui("step_n", { n: this.n })}. ${ctx.sentence}` : ctx.words.ui("start");
    this.speech.say(ctx.fatal ? `${spoken} ${this.run.report.title}` : spoken);
    this.ctx = ctx;
  }

  keepFocus(key) {
    if (!key) return;
    /** @type {HTMLButtonElement} */
    const node = this.root.querySelector(`[data-k="${CSS.escape(key)}"]`);
    /** @type {HTMLElement} */
    const target = node && !node.disabled ? node : this.root.querySelector('[data-k="handle"]');
    if (target && target !== this.root.ownerDocument.activeElement) target.focus({ preventScroll: true });
  }

  /** In a narrow timeline that scrolls, keep the current step in sight. */
  follow() {
    if (!this.geometry.scrolls) return; // asking for its width would lay the page out once more
    const box = this.zones.tl.querySelector(".tls");
    const x = this.geometry.now;
    if (x < box.scrollLeft + this.geometry.gutter + 28 || x > box.scrollLeft + box.clientWidth - 28)
      box.scrollLeft = x - box.clientWidth / 2;
  }

  drawSheet(ctx) {
    const { sheets } = this.zones;
    if (ctx.sheet && ctx.sheet.name === "table") ctx.sentences = this.sentences();
    const view = sheetView(ctx);
    patch(sheets, view ? view.body : []);
    if (view) sheets.setAttribute("aria-label", view.title);
    if (view && !sheets.open) sheets.showModal();
    else if (!view && sheets.open) sheets.close();
  }

  /** The whole run in words. */
  sentences() {
    const { run, words } = this;
    const out = [];
    let before = run.at(0);
    for (let n = 1; n <= run.length; n++) {
      const step = run.steps[n - 1];
      const state = run.at(n);
      out.push({ parts: words.sentences(run, step, state), where: whereText(run, step, before, state) });
      before = state;
    }
    return out;
  }

  /** For print: the run as a table under the current step. */
  drawTable() {
    if (this.run) patch(this.zones.printed, [runTable({ ...this.ctx, sentences: this.sentences() })]);
  }

  highlight(node) {
    const frame = node ? node.dataset.f : null;
    if (frame === this.lit) return;
    this.lit = frame;
    for (const other of this.root.querySelectorAll(".lk")) other.classList.remove("lk");
    if (frame) for (const other of this.root.querySelectorAll(`[data-f="${frame}"]`)) other.classList.add("lk");
  }

  teardown() {
    for (const close of this.closers) close();
    this.closers = [];
    if (this.speech) this.speech.close();
    if (this.player) this.player.stop();
    this.zones = null;
  }

  /** Take the widget away: nothing of it stays alive. */
  close() {
    this.teardown();
    if (this.session) this.session.close();
    patch(this.root, []);
  }
}
