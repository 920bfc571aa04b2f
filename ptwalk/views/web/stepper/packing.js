// The form in which a timeline travels, made plain again; the twin of ptwalk/trace/packing.py.

/**
 * A timeline with its steps as objects. Data that is not packed is given back as it is; tables that do not fit
 * the steps are an error.
 * @param {any} data
 */
export function unpackTimeline(data) {
  if (!data || typeof data !== "object" || !data.packed) return data;
  const { keys, values, steps } = data.packed;
  const pick = (table, place) => {
    if (!Number.isInteger(place) || place < 0 || place >= table.length)
      throw new Error(`its tables hold no place ${place}`);
    return table[place];
  };
  const value = (place) => (place === -1 ? null : pick(values, place));
  const plain = steps.map(([cpu, kind, label, say, changes, rest]) => {
    const step = { cpu, kind: value(kind), label: value(label), say: value(say) };
    if (changes.length) {
      step.set = {};
      for (let i = 0; i < changes.length; i += 2) step.set[pick(keys, changes[i])] = value(changes[i + 1]);
    }
    return rest === undefined ? step : Object.assign(step, value(rest));
  });
  const out = { ...data, steps: plain };
  delete out.packed;
  return out;
}
