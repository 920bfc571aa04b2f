// Predict first, and the challenge: questions made from the run itself, judged by what the run does.

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

/** How many times the scheduler switched in a list of choices. */
export function switchesIn(choices) {
  return choices.reduce((count, cpu, i) => count + (i > 0 && choices[i - 1] !== cpu ? 1 : 0), 0);
}

/** What the challenge says now. @param {any} ctx @param {any} state  what is known of shorter ways and claims */
export function challengeText(ctx, state) {
  const { run, words, n } = ctx;
  const won = Boolean(run.report && run.report.step <= n && run.report.step === run.length);
  if (won) {
    const steps = run.report.step;
    const parts = [
      words.ui("challenge_won", { steps, switches: switchesIn(run.choices(steps)), title: run.report.title }),
    ];
    if (state.shorter === null) parts.push(words.ui("challenge_unknown"));
    else if (state.shorter && state.shorter.steps < steps) parts.push(words.ui("challenge_shorter", state.shorter));
    else if (state.shorter) parts.push(words.ui("challenge_best"));
    return { won, text: parts.join(" ") };
  }
  const ended =
    run.length > 0 &&
    n === run.length &&
    run.cpus.every((_, cpu) => {
      const status = run.at(n).get(`c${cpu}.state`);
      return status === "finished" || status === "stopped";
    });
  const parts = [state.said || words.ui(ended ? "challenge_end" : "challenge_goal")];
  return { won, text: parts.join(" ") };
}
