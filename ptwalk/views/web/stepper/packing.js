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

/** A tree of turns with its steps as objects; each step made when it is first asked for. @param {any} tree */
export function unpackTree(tree) {
  if (!tree.packed) return tree;
  const { values } = tree;
  const nodes = tree.packed.map(([step, changes, then, report]) => ({
    then,
    report: values[report] || null,
    get step() {
      const set = {};
      for (let i = 0; i < changes.length; i += 2) set[values[changes[i]]] = values[changes[i + 1]];
      const made = { ...values[step], set };
      Object.defineProperty(this, "step", { value: made });
      return made;
    },
  }));
  return { ...tree, nodes };
}
