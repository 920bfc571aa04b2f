// Predict first: questions made from the run itself, judged by what the run does.

import { falseBeliefs } from "./meaning.js";

/** A small fixed shuffle, so that the same step asks the same question in the same order. */
function turned(list, by) {
  const k = by % list.length;
  return [...list.slice(k), ...list.slice(0, k)];
}

/**
 * What to ask before step `n` is shown. Answers are sentences of the run; one of them is the step's own.
 * @param {any} ctx @param {number} n
 */
export function questionFor(ctx, n) {
  const { run, words } = ctx;
  const step = run.steps[n - 1];
  const before = run.at(n - 1);
  const after = run.at(n);
  const lies = (state) => falseBeliefs(state, run.cpus.length).length;
  const lead = words.ui("predict_question", { n, who: run.cpus[step.cpu].name, op: step.done });
  if (lies(after) > lies(before) || (n % 5 === 0 && lies(after) === 0 && lies(before) === 0 && run.length > 5)) {
    const right = lies(after) > lies(before) ? 1 : 0;
    return {
      n,
      question: `${lead} ${words.ui("predict_belief")}`,
      answers: [words.ui("predict_yes"), words.ui("predict_no")],
      right,
    };
  }
  const own = words.sentences(run, step, after)[0].text;
  const others = [];
  for (let away = 1; away < run.length && others.length < 2; away++) {
    for (const k of [n + away, n - away]) {
      const other = run.steps[k - 1];
      if (!other || others.length >= 2) continue;
      const sentences = words.sentences(run, { ...other, cpu: step.cpu }, run.at(k));
      const text = sentences[0].text;
      if (text !== own && !others.includes(text)) others.push(text);
    }
  }
  const answers = turned([own, ...others], n);
  return { n, question: lead, answers, right: answers.indexOf(own) };
}

/** The score so far, as text. */
export function scoreText(ctx, score) {
  return ctx.words.ui("predict_score", score);
}
