// Asking: what needs somebody who can run or search, a kernel or a saved tree of choices, and what is done with the answer.

export class Asker {
  /** @param {any} app the stepper @param {any} player */
  constructor(app, player) {
    this.app = app;
    this.player = player;
  }

  /** In a page: back from other turns to the run it was saved with. @param {number} step */
  comeBack(step) {
    const { app } = this;
    if (app.run.steps !== app.saved.steps) {
      app.undoList.push({ saved: app.run.save(), n: app.n });
      app.run.restore({ ...app.saved, verdict: app.run.verdict || app.saved.verdict });
    }
    return this.player.go(step);
  }

  /** Whether somebody can run and search: a kernel, not the branches that a page was saved with. */
  canRun() {
    const { session } = this.app;
    return Boolean(session) && !session.tree;
  }

  /** Ask for another run that begins like this one, and go to its end. */
  async branch(question, more) {
    const { app } = this;
    this.player.stop();
    if (!app.session) return this.player.say("no_session_step");
    if (app.busy) return undefined;
    app.busy = true;
    const slow = setTimeout(() => this.player.say("asking"), 400);
    try {
      const have = { sources: app.run.sources.length, locks: app.run.locks.length };
      const answer = await app.session.ask({ ...question, have });
      clearTimeout(slow);
      app.busy = false;
      this.take(answer, question, more);
    } catch (error) {
      clearTimeout(slow);
      app.busy = false;
      if (!app.run) return undefined;
      if (error.message === "dead") this.player.say("dead_kernel");
      else this.player.say("error", { text: error.message });
    }
    return undefined;
  }

  take(answer, question, more) {
    const { app } = this;
    app.message = answer.message || "";
    if (answer.none) return this.player.say(question.ask === "next" ? "no_neighbour" : "off_tree");
    if (answer.verdict !== undefined) app.run.verdict = answer.verdict;
    if (answer.update) {
      app.undoList.push({ saved: app.run.save(), n: app.n });
      if (app.undoList.length > 200) app.undoList.shift();
      const before = app.n;
      app.run.update({
        ...answer.update,
        verdict:
          answer.update.verdict === undefined || answer.update.verdict === null
            ? app.run.verdict
            : answer.update.verdict,
      });
      app.n =
        question.ask === "find" || question.ask === "next" || question.ask === "go"
          ? app.run.length
          : Math.min(app.run.length, Math.max(before + 1, app.run.length));
    }
    if (more) more(answer);
    if (app.options.challenge) this.player.challenge.judge();
    app.draw();
    return undefined;
  }

  /** Ask for a failing schedule, a proof, or the neighbouring execution. */
  search(ask, more, reveal) {
    const { app } = this;
    if (app.options.challenge && !reveal) return this.player.say("challenge_no_search");
    if (reveal) this.player.challenge.leave();
    if (!this.canRun()) {
      const { report } = app.saved;
      if (ask === "find" && report) return this.comeBack(report.step);
      if (ask === "prove" && app.run.verdict) return this.player.say("known_below");
      return this.player.say("no_session_search");
    }
    return this.branch({ ask, choices: app.run.choices(), ...more });
  }
}
