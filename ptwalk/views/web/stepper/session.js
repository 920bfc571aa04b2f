// Who answers a choice: a kernel behind the widget, a small tree of choices saved in the page, or nobody.
// All three have the same face: `ask(question)` gives a promise of an answer.

import { unpackTree } from "./packing.js";

/**
 * @typedef {{ask: string, choices: number[], cpu?: number, line?: string, have?: {sources: number, locks: number}}} Question
 * @typedef {{update?: any, message?: string, verdict?: any, none?: boolean, shortest?: {steps: number, switches: number}}} Answer
 */

/** A kernel reached through the widget's model. */
export class KernelSession {
  /** @param {any} model @param {number} patience  milliseconds to wait for an answer to a step */
  constructor(model, patience = 10000) {
    this.model = model;
    this.patience = patience;
    this.number = 0;
    this.waiting = new Map();
    this.dead = false;
    this.hear = (message) => {
      const wait = message && this.waiting.get(message.id);
      if (!wait) return;
      if (message.progress !== undefined) {
        wait.restart();
        return;
      }
      this.waiting.delete(message.id);
      this.dead = false;
      wait.done(message);
    };
    model.on("msg:custom", this.hear);
  }

  /** @param {Question} question @returns {Promise<Answer>} */
  ask(question) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      let timer = null;
      const restart = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          this.waiting.delete(id);
          this.dead = true;
          reject(new Error("dead"));
        }, this.patience);
      };
      const done = (message) => {
        clearTimeout(timer);
        if (message.error) reject(new Error(message.error));
        else resolve(message);
      };
      this.waiting.set(id, { done, restart });
      restart();
      try {
        this.model.send({ ...question, id });
      } catch {
        clearTimeout(timer);
        this.waiting.delete(id);
        this.dead = true;
        reject(new Error("dead"));
      }
    });
  }

  close() {
    this.model.off("msg:custom", this.hear);
    this.waiting.clear();
  }
}

/** A tree of choices saved in a page: nodes are steps, each with the nodes that may follow by CPU. */
export class TreeSession {
  /** @param {any} tree  see docs/trace-schema.md, "Tree of choices" */
  constructor(tree) {
    this.tree = unpackTree(tree);
  }

  /** Follow choices from the root; stops where the page knows no further. */
  walk(choices) {
    const path = [];
    let next = this.tree.roots;
    for (const cpu of choices) {
      const id = next[cpu];
      if (id === undefined) return { path, lost: true, next };
      const node = this.tree.nodes[id];
      path.push(node);
      next = node.then || {};
    }
    return { path, lost: false, next };
  }

  answer(path) {
    const last = path[path.length - 1];
    const report = last && last.report ? { ...last.report, step: path.length } : null;
    const { sources, locks, known } = this.tree;
    const grown = known ? { sources, sources_from: known[0], locks, locks_from: known[1] } : {};
    return { update: { keep: 0, steps: path.map((node) => node.step), report, ...grown } };
  }

  /** @param {Question} question @returns {Promise<Answer>} */
  async ask(question) {
    const { choices, cpu } = question;
    if (question.ask === "step" || question.ask === "go") {
      const wanted = question.ask === "step" ? [...choices, cpu] : choices;
      const { path, lost } = this.walk(wanted);
      return lost ? { none: true } : this.answer(path);
    }
    if (question.ask === "run") {
      const found = this.walk(choices);
      if (found.lost) return { none: true };
      const path = [...found.path];
      let { next } = found;
      while (next[cpu] !== undefined) {
        const node = this.tree.nodes[next[cpu]];
        path.push(node);
        next = node.then || {};
        if (node.report) break;
      }
      return path.length === found.path.length ? { none: true } : this.answer(path);
    }
    return { none: true };
  }

  close() {}
}
