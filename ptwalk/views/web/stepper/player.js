// Playing: what each wish of the learner does to the run and to the place in it.

import { parseSchedule, scheduleLine } from "./run.js";
import { Asker } from "./asking.js";
import { Challenge } from "./challenge.js";
import { questionFor, scoreText } from "./predict.js";
import { present } from "./screen.js";

export class Player {
  /** @param {any} app the stepper */
  constructor(app) {
    this.app = app;
    this.asker = new Asker(app, this);
    this.timer = null;
    this.question = null;
    this.score = { right: 0, asked: 0 };
    this.challenge = new Challenge(app, this.asker);
  }

  /** Do what an action's name says: "forward", "step:1", "sheet:help". @param {string} action */
  act(action) {
    const [name, value] = action.split(":");
    const acts = {
      back: () => this.go(this.app.n - 1),
      forward: () => this.forward(),
      home: () => this.go(0),
      end: () => this.go(this.app.run.length),
      play: () => this.play(),
      step: () => this.step(Number(value)),
      run: () => this.runOn(Number(value)),
      undo: () => this.undo(),
      "switch-back": () => this.toSwitch(-1),
      "switch-forward": () => this.toSwitch(1),
      find: () => this.asker.search("find"),
      prove: () => this.asker.search("prove"),
      "find-next": () => this.asker.search("next", { failing: true, way: 1 }),
      "find-prev": () => this.asker.search("next", { failing: true, way: -1 }),
      "safe-next": () => this.asker.search("next", { failing: false, way: 1 }),
      "safe-prev": () => this.asker.search("next", { failing: false, way: -1 }),
      copy: () => this.copy(),
      sheet: () => this.open({ name: value }),
      map: () => this.open({ name: "map", frame: Number(value) }),
      close: () => this.open(null),
      escape: () => this.stop(true),
      "paste-go": () => this.paste(),
      toggle: () => this.toggle(value),
      unfold: () => this.toggle("unfold"),
      lane: () => this.lane(Number(value)),
      present: () => present(this.app),
      answer: () => this.answer(value),
      claim: () => this.challenge.claim(),
      "give-up": () => this.asker.search("find", {}, true),
    };
    if (acts[name]) acts[name]();
  }

  say(key, params) {
    this.app.message = key ? this.app.words.ui(key, params) : "";
    this.app.draw();
  }

  /** Go to a step of the run at hand. @param {boolean} [scrub] */
  go(n, scrub) {
    const { app } = this;
    const to = Math.max(0, Math.min(app.run.length, n));
    this.question = null;
    app.message = "";
    if (scrub) this.stop();
    app.n = to;
    app.draw(scrub);
  }

  forward() {
    const { app } = this;
    if (app.n >= app.run.length) return this.say("run_ended");
    if (app.options.predict && !this.question) {
      this.question = questionFor({ run: app.run, words: app.words }, app.n + 1);
      return app.draw();
    }
    return this.go(app.n + 1);
  }

  answer(value) {
    const { app, question } = this;
    if (!question) return;
    this.question = null;
    app.n = question.n;
    if (value === "skip") app.message = "";
    else {
      const right = Number(value) === question.right;
      this.score.asked += 1;
      this.score.right += right ? 1 : 0;
      app.message = `${app.words.ui(right ? "predict_right" : "predict_wrong")} ${scoreText(app, this.score)}.`;
    }
    app.draw();
  }

  play() {
    const { app } = this;
    if (this.timer) return this.stop(true);
    if (app.n >= app.run.length) app.n = 0;
    const tick = () => {
      if (app.n >= app.run.length || !app.run) return this.stop(true);
      this.go(app.n + 1);
      return undefined;
    };
    this.timer = setInterval(tick, 900 / app.options.speed);
    return tick();
  }

  stop(redraw) {
    const played = this.timer !== null;
    clearInterval(this.timer);
    this.timer = null;
    if (redraw && played) this.app.draw();
  }

  setSpeed(speed) {
    this.app.options.speed = speed;
    if (this.timer) {
      this.stop();
      this.play();
    }
  }

  toSwitch(way) {
    const { steps } = this.app.run;
    let n = this.app.n + way;
    while (n > 0 && n < steps.length && !(n > 1 && steps[n - 1].cpu !== steps[n - 2].cpu)) n += way;
    this.go(n);
  }

  /** Let a CPU take the next step: along the run at hand if it is the one, else on a new branch. */
  step(cpu) {
    const { app } = this;
    const state = app.run.at(app.n).get(`c${cpu}.state`) || "ready";
    if (state !== "ready") return this.say("not_runnable", { who: app.run.cpus[cpu].name });
    const next = app.run.steps[app.n];
    if (next && next.cpu === cpu) {
      if (!app.options.challenge) return this.forward();
      return this.go(app.n + 1);
    }
    return this.asker.branch({ ask: "step", choices: app.run.choices(app.n), cpu });
  }

  runOn(cpu) {
    const { app } = this;
    if (!app.session) {
      let n = app.n;
      while (n < app.run.length && app.run.steps[n].cpu === cpu) n++;
      return n > app.n ? this.go(n) : this.say("no_session_step");
    }
    return this.asker.branch({ ask: "run", choices: app.run.choices(app.n), cpu });
  }

  get undoList() {
    return this.app.undoList;
  }

  undo() {
    const { app } = this;
    const last = this.undoList.pop();
    if (!last) return this.go(app.n - 1);
    app.run.restore(last.saved);
    app.message = "";
    app.n = last.n;
    return app.draw();
  }

  copy() {
    const { app } = this;
    const text = `${app.run.head.scenario ? `${app.run.head.scenario} ` : ""}${scheduleLine(app.run.choices(app.n))}`;
    const { clipboard } = app.root.ownerDocument.defaultView.navigator;
    if (clipboard) clipboard.writeText(text).catch(() => {});
    this.say("copied", { text });
  }

  paste() {
    const { app } = this;
    const field = app.root.querySelector('[data-field="schedule"]');
    const choices = parseSchedule(field.value);
    if (!choices || choices.some((cpu) => cpu >= app.run.cpus.length)) {
      app.sheet = { ...app.sheet, text: field.value, problem: app.words.ui("paste_hint") };
      return app.draw();
    }
    app.sheet = null;
    const here = app.run.choices();
    if (choices.length <= here.length && choices.every((cpu, i) => cpu === here[i])) return this.go(choices.length);
    return this.asker.branch({ ask: "go", choices, line: field.value });
  }

  open(sheet) {
    const { app } = this;
    if (sheet) this.opener = app.root.ownerDocument.activeElement;
    app.sheet = sheet;
    app.draw();
    if (!sheet && this.opener && this.opener.isConnected && app.root.contains(this.opener))
      this.opener.focus({ preventScroll: true });
  }

  toggle(name) {
    const { options } = this.app;
    options[name] = !options[name];
    this.question = null;
    if (name === "challenge") {
      this.app.sheet = null;
      if (options.challenge) this.challenge.enter();
      else this.challenge.leave();
    }
    if (name === "predict") this.app.sheet = null;
    this.app.draw();
  }

  lane(cpu) {
    const { lanes } = this.app.options;
    const at = lanes.indexOf(cpu);
    if (at < 0) lanes.push(cpu);
    else lanes.splice(at, 1);
    this.app.draw();
  }
}
