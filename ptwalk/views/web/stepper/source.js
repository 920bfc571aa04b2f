// Source text as lines on a page: which lines of a function are shown about a place, and what room they take.
// Knows text and no runs.

/** @typedef {[number|null, string]} Line  a line's number and text; null for an omission */

/** The lines of a source, empty ones left out. @returns {Line[]} */
export function sourceLines(source) {
  const out = [];
  source.text.split("\n").forEach((text, i) => {
    if (text.trim() !== "") out.push([(source.first || 1) + i, text]);
  });
  return dedent(out);
}

/** Take the least indentation away, so that methods start at the left. */
function dedent(lines) {
  const least = Math.min(...lines.map(([, text]) => text.length - text.trimStart().length));
  // Half the indentation is enough to see the blocks, and leaves room for the words.
  return lines.map(([number, text]) => {
    const deep = indentOf(text) - least;
    return [number, " ".repeat(deep > 4 ? 2 + deep / 2 : deep) + text.trimStart()];
  });
}

/** How many blanks a line begins with. @param {string} text */
export function indentOf(text) {
  return text.length - text.trimStart().length;
}

/** The end of the statement that begins at `index`: lines that a bracket keeps open. @param {Line[]} lines */
export function statementEnd(lines, index) {
  let depth = 0;
  for (let i = index; i < lines.length; i++) {
    const text = lines[i][1].replace(/#.*$/, "");
    depth += (text.match(/[([{]/g) || []).length - (text.match(/[)\]}]/g) || []).length;
    if (depth <= 0) return i;
  }
  return index;
}

/** The rows a text takes in a column of that many letters: it breaks at blanks, and hangs two letters deeper. */
export function rowsTaken(text, letters) {
  if (text.length <= letters) return 1;
  const hang = indentOf(text) + 2;
  let rows = 1;
  let used = indentOf(text);
  for (const word of text.trim().split(/(?<=\s)/)) {
    let left = word.trimEnd().length;
    if (used + left > letters && used > hang) {
      rows += 1;
      used = hang;
    }
    while (used + left > letters) {
      left -= Math.max(letters - used, 1);
      rows += 1;
      used = hang;
    }
    used += left + (word.length - word.trimEnd().length);
  }
  return rows;
}

const DOTS = /** @type {Line} */ ([null, "…"]);

/**
 * The lines about the marked ones that fit into `room` rows, the head of the function kept. A long function is cut
 * into pages, so that the lines stay where they are while a CPU goes through them.
 * @param {Line[]} lines @param {number[]} marked line numbers @param {number} room @param {(line: Line) => number} cost
 * @returns {Line[]}
 */
export function pageOf(lines, marked, room, cost) {
  const rows = (from, to) => lines.slice(from, to).reduce((sum, line) => sum + cost(line), 0);
  if (rows(0, lines.length) <= room) return lines;
  let head = statementEnd(lines, 0) + 1;
  if (rows(0, head) > room / 3) head = 1;
  const free = Math.max(room - rows(0, head) - 2, 1);
  const places = marked.map((n) => lines.findIndex(([number]) => number === n)).filter((i) => i >= head);
  const middle = places.length ? Math.max(...places) : head;
  const turn = Math.max(free - 3, 1);
  let start = head + Math.max(0, Math.floor((middle - head - 1) / turn)) * turn;
  let end = Math.min(start + free, lines.length);
  start = Math.max(head, Math.min(start, end - free));
  while (rows(start, end) > free && end - start > 1) {
    if (end - 1 - middle > middle - start) end -= 1;
    else if (start < middle) start += 1;
    else end -= 1;
  }
  return [
    ...lines.slice(0, head),
    ...(start > head ? [DOTS] : []),
    ...lines.slice(start, end),
    ...(end < lines.length ? [DOTS] : []),
  ];
}
