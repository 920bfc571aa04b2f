// What a timeline must look like before anything is drawn from it; the twin of timeline.schema.json.
// Tested from both sides: the same good and damaged timelines go through this and through Python.

export const SCHEMA_NAME = "ptwalk.timeline";
export const SCHEMA_VERSION = 1;

const FRAME_STATES = new Set(["live", "unlinked", "deposited", "freed", "data"]);
const CPU_STATES = new Set(["ready", "blocked", "finished", "stopped"]);

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value) {
  return Number.isInteger(value) && value >= 0;
}

/** What is wrong with one value of the state, or "". */
function valueProblem(key, value) {
  if (value === null) return "";
  if (/^f\d+$/.test(key)) {
    return isObject(value) && FRAME_STATES.has(value.state) ? "" : `${key} is no frame`;
  }
  if (/^e\d+\.\d+$/.test(key)) return isObject(value) ? "" : `${key} is no entry`;
  if (key.startsWith("l:")) {
    const good =
      isObject(value) && Array.isArray(value.held) && value.held.every((p) => Array.isArray(p) && p.length === 2);
    return good ? "" : `${key} is no lock`;
  }
  if (key.startsWith("x:")) return typeof value === "string" ? "" : `${key} is no text`;
  if (/^c\d+\.s\.\d+$/.test(key)) {
    return Array.isArray(value) && value.length === 2 && value.every(isCount) ? "" : `${key} is no place in a source`;
  }
  if (/^c\d+\.v\.\d+\../.test(key))
    return isObject(value) || typeof value === "string" ? "" : `${key} is no local value`;
  if (/^c\d+\.state$/.test(key)) return CPU_STATES.has(value) ? "" : `${key} is no state of a CPU`;
  if (/^c\d+\.next$/.test(key)) return isObject(value) || typeof value === "string" ? "" : `${key} is damaged`;
  if (/^c\d+\.blocked$/.test(key)) return isObject(value) ? "" : `${key} is damaged`;
  if (/^c\d+\.irq$/.test(key)) return typeof value === "boolean" ? "" : `${key} is damaged`;
  if (/^c\d+\.rcu$/.test(key)) return isCount(value) ? "" : `${key} is damaged`;
  if (/^c\d+\.tlb$/.test(key)) return Array.isArray(value) && value.every(isObject) ? "" : `${key} is damaged`;
  return `${key} is a key this version does not know`;
}

function stateProblem(values) {
  if (!isObject(values)) return "a set of changes is missing";
  for (const [key, value] of Object.entries(values)) {
    const problem = valueProblem(key, value);
    if (problem) return problem;
  }
  return "";
}

/** What is wrong with one step, or "". @param {any} step @param {number} cpus */
export function stepProblem(step, cpus) {
  if (!isObject(step)) return "a step is no object";
  if (!isCount(step.cpu) || step.cpu >= cpus) return `CPU ${step.cpu} is not in the header`;
  if (typeof step.kind !== "string" || typeof step.label !== "string") return "its kind or label is missing";
  const said = Array.isArray(step.say) && step.say.every((s) => Array.isArray(s) && typeof s[0] === "string");
  if (!said) return "its sentence is missing";
  return step.set === undefined ? "" : stateProblem(step.set);
}

/**
 * What is wrong with a timeline: "" if nothing, "version" if it is from another schema version, else a sentence part.
 * @param {any} timeline
 * @returns {string}
 */
export function timelineProblem(timeline) {
  if (!isObject(timeline) || timeline.schema !== SCHEMA_NAME) return "schema";
  if (timeline.version !== SCHEMA_VERSION) return "version";
  if (typeof timeline.title !== "string") return "its title is missing";
  for (const name of ["cpus", "levels", "roots", "locks", "sources", "steps"]) {
    if (!Array.isArray(timeline[name]) || !timeline[name].every(isObject))
      return `its list of ${name} is missing or damaged`;
  }
  if (!timeline.cpus.length) return "it has no CPU";
  if (!timeline.locks.every((lock) => typeof lock.id === "string")) return "a lock has no id";
  if (!timeline.levels.every((level) => typeof level.name === "string" && isCount(level.shift)))
    return "a level is damaged";
  if (!timeline.sources.every((s) => typeof s.name === "string" && typeof s.text === "string"))
    return "a source is damaged";
  const base = stateProblem(timeline.base);
  if (base) return base;
  for (let i = 0; i < timeline.steps.length; i++) {
    const problem = stepProblem(timeline.steps[i], timeline.cpus.length);
    if (problem) return `step ${i + 1}: ${problem}`;
  }
  return "";
}
