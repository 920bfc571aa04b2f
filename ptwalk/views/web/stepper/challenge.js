// The challenge: break it by hand, or claim that it cannot be broken. The machine judges both.

import { countsText } from "./verdict.js";

/** How many times the scheduler switched in a list of choices. @param {number[]} choices */
export function switchesIn(choices) {
  return choices.reduce((count, cpu, i) => count + (i > 0 && choices[i - 1] !== cpu ? 1 : 0), 0);
}

/** Whether a way is shorter: fewer context switches, or as many and fewer steps. */
function isShorter(a, b) {
  return a.switches < b.switches || (a.switches === b.switches && a.steps < b.steps);
}

export class Challenge {
  /** @param {any} app the stepper @param {any} asker who can run and search */
  constructor(app, asker) {
    this.app = app;
    this.asker = asker;
    this.forget();
  }

  forget() {
    /** @type {{steps: number, switches: number}|null|undefined} the shortest way: undefined before it was asked for */
    this.shortest = undefined;
    this.said = "";
    this.proved = false;
  }

  /** Begin with nothing known: the run at hand and its verdict would give it away. */
  enter() {
    const { app } = this;
    this.forget();
    this.kept = app.run.save();
    app.undoList = [];
    app.options.challenge = true;
    if (app.session) app.run.update({ keep: 0, steps: [], verdict: null });
    app.n = 0;
  }

  /** Back to what was known before; a run that was played stays. */
  leave() {
    const { app } = this;
    app.options.challenge = false;
    if (!app.run.length && this.kept) app.run.restore(this.kept);
    else if (this.kept) app.run.verdict = app.run.verdict || this.kept.verdict;
  }

  /** After a step: if it broke something, is there a shorter way? What was known before needs no asking. */
  judge() {
    const { app } = this;
    const { report } = app.run;
    if (!report || report.step !== app.run.length) return;
    const known = this.kept && this.kept.verdict;
    if (known && known.steps && known.minimal !== false) {
      this.shortest = { steps: known.steps, switches: known.switches };
      return;
    }
    if (!this.asker.canRun()) return;
    app.session
      .ask({ ask: "shortest", choices: app.run.choices() })
      .then((answer) => {
        this.shortest = answer.shortest || null;
        if (app.run) app.draw();
      })
      .catch(() => {});
  }

  /** "It cannot be broken": asks for the proof, if nobody gave it before. */
  claim() {
    const { app } = this;
    const known = this.kept && this.kept.verdict;
    if (known && known.outcome !== "incomplete") this.judgeClaim(known);
    else if (this.asker.canRun())
      return this.asker.branch({ ask: "prove", choices: app.run.choices() }, ({ verdict }) => this.judgeClaim(verdict));
    else this.said = app.words.ui("no_session_search");
    return app.draw();
  }

  judgeClaim(verdict) {
    const { app } = this;
    const { words } = app;
    const { outcome, steps, switches } = verdict || {};
    app.message = "";
    this.proved = outcome === "safe";
    if (this.proved) this.said = words.ui("challenge_claim_right", { counts: countsText({ words }, verdict) });
    else if (outcome === "bug") this.said = words.ui("challenge_claim_wrong", { steps, switches });
    else this.said = words.ui("challenge_undecided");
    app.run.verdict = null; // what it tells is told above; the rest would give the way away
  }

  /** What the challenge says now, and whether it is over. @param {any} ctx */
  told(ctx) {
    const { run, words, n } = ctx;
    const won = Boolean(run.report && run.report.step <= n && run.report.step === run.length);
    if (won) {
      const mine = { steps: run.report.step, switches: switchesIn(run.choices(run.report.step)) };
      const parts = [words.ui("challenge_won", { ...mine, title: run.report.title })];
      if (this.shortest === undefined) parts.push(words.ui(this.asker.canRun() ? "asking" : "challenge_unknown"));
      else if (this.shortest === null) parts.push(words.ui("challenge_unmeasured"));
      else if (isShorter(this.shortest, mine)) parts.push(words.ui("challenge_shorter", this.shortest));
      else parts.push(words.ui("challenge_best"));
      return { over: true, text: parts.join(" ") };
    }
    const ended =
      run.length > 0 &&
      n === run.length &&
      run.cpus.every((_, cpu) => ["finished", "stopped"].includes(run.at(n).get(`c${cpu}.state`)));
    return { over: this.proved, text: this.said || words.ui(ended ? "challenge_end" : "challenge_goal") };
  }
}
