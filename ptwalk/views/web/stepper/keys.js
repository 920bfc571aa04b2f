// Keys: what each does, and the rule that none leaks into the page around the widget.

const KEYS = {
  ArrowLeft: "back",
  ArrowRight: "forward",
  Home: "home",
  End: "end",
  " ": "play",
  u: "undo",
  f: "find",
  p: "prove",
  "[": "find-prev",
  "]": "find-next",
  "{": "safe-prev",
  "}": "safe-next",
  c: "copy",
  v: "sheet:paste",
  t: "sheet:table",
  h: "toggle:hb",
  m: "present",
  "?": "sheet:help",
};
const SHIFTED = { ArrowLeft: "switch-back", ArrowRight: "switch-forward" };

/** What a key asks for, or "". Digits step a CPU; with Shift they run it. @param {KeyboardEvent} event @param {number} cpus */
export function actionOf(event, cpus) {
  const digit = /^Digit(\d)$/.exec(event.code || "");
  const number = /^\d$/.test(event.key) ? Number(event.key) : event.shiftKey && digit ? Number(digit[1]) : -1;
  if (number >= 0) return number < cpus ? `${event.shiftKey ? "run" : "step"}:${number}` : "";
  if (event.shiftKey && SHIFTED[event.key]) return SHIFTED[event.key];
  return KEYS[event.key] || "";
}

/**
 * Listen for keys on the root. Every key but Ctrl, Alt, Meta, Tab and Escape stops here, so that a notebook
 * around the widget does not take `b` for "insert a cell".
 * @param {Element} root @param {() => number} cpus @param {(action: string) => void} act @param {() => boolean} sheetOpen
 */
export function listenKeys(root, cpus, act, sheetOpen) {
  const hear = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.key === "Tab") return;
    if (event.key === "Escape") {
      if (sheetOpen()) {
        event.stopPropagation();
        event.preventDefault();
        act("close");
      } else act("escape");
      return;
    }
    event.stopPropagation();
    if (sheetOpen()) return;
    const target = event.target;
    const typing = target.tagName === "SELECT" || (target.tagName === "INPUT" && target.type === "text");
    if (typing) return;
    if (target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
    const action = actionOf(event, cpus());
    if (!action) return;
    event.preventDefault();
    act(action);
  };
  // Notebook 7 takes its shortcuts on the way down, before any key arrives here; it leaves those of a node with this mark alone.
  const mark = (event) => {
    if (!root.contains(event.target)) return;
    const theirs = event.ctrlKey || event.altKey || event.metaKey || event.key === "Tab";
    event.target.toggleAttribute("data-lm-suppress-shortcuts", !theirs && (event.key !== "Escape" || sheetOpen()));
  };
  const { defaultView } = root.ownerDocument;
  defaultView.addEventListener("keydown", mark, true);
  root.addEventListener("keydown", hear);
  return () => {
    defaultView.removeEventListener("keydown", mark, true);
    root.removeEventListener("keydown", hear);
  };
}
