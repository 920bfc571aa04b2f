// Unit tests of the stepper's modules: states, spans, words, schedules, layout; no browser needed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const web = process.env.PTWALK_WEB;
const load = (name) => import(`${web}/${name}.js`);
const { Run, scheduleLine, parseSchedule } = await load("run");
const { unpackTimeline } = await load("packing");
const { timelineProblem } = await load("schema");
const { Words } = await load("words");
const { localsOf, truth, heldBy, hues } = await load("meaning");
const { spansOf } = await load("spans");
const { layoutOf, columnsOf } = await load("layout");
const { h, textOf } = await load("dom");
const { actionOf } = await load("keys");
const { questionFor } = await load("predict");
const { switchesIn } = await load("challenge");
const { TreeSession, KernelSession } = await load("session");
const { extras, recordedAt } = await load("compare");

const catalogue = JSON.parse(readFileSync(`${web}/catalogue.en.json`, "utf8"));
const race = () => new Run(unpackTimeline(JSON.parse(readFileSync(process.env.PTWALK_RACE, "utf8"))));
const words = new Words(catalogue);

test("a state is the same whether reached from the start or from a checkpoint", () => {
  const run = race();
  const long = { ...run.head, steps: Array.from({ length: 40 }, () => run.head.steps).flat() };
  const many = new Run(long);
  const slow = new Map(Object.entries(long.base));
  for (let n = 0; n <= many.length; n += 1) {
    if (n)
      for (const [k, v] of Object.entries(long.steps[n - 1].set || {})) v === null ? slow.delete(k) : slow.set(k, v);
    if (n % 37) continue;
    const fast = many.at(n);
    for (const [k, v] of slow) assert.deepEqual(fast.get(k), v, `${k} at ${n}`);
  }
});

test("a belief turns false when its table is unlinked, and only for the CPU that did not do it", () => {
  const run = race();
  const believes = (n, name) => {
    const state = run.at(n);
    return truth(
      state,
      0,
      localsOf(state, 0).find((l) => l.name === name),
    ).false;
  };
  assert.equal(believes(9, "pmd"), false);
  assert.equal(believes(10, "pmd"), true);
  assert.equal(believes(10, "pgd"), false);
  const state = run.at(10);
  assert.equal(truth(state, 1, { value: { from: "5.2", to: 7 } }).false, false, "CPU 1 cleared it itself");
  assert.equal(truth(run.at(14), 0, { value: { at: "7.lock" } }).status, "dangling");
});

test("locks, spans and switches are read off the run", () => {
  const run = race();
  assert.deepEqual(heldBy(run.at(8), 1), [
    ["mmap_lock", "read"],
    ["ptl7", "held"],
  ]);
  const spans = spansOf(run, false);
  assert.deepEqual(spans.switches, [4, 17]);
  assert.deepEqual(
    spans.lives.map((l) => l.frame),
    [7],
  );
  const belief = spans.beliefs[0].spans.map(({ good, from }) => [good, from]);
  assert.deepEqual(belief, [
    [true, 3],
    [false, 10],
  ]);
  const mm = spans.locks.find((r) => r.lock.id === "mmap_lock").spans.map((s) => [s.mode, s.from, s.to, s.downgraded]);
  assert.deepEqual(mm, [
    ["write", 4, 6, false],
    ["read", 6, 15, true],
  ]);
  assert.deepEqual(hues(run), [0, 1]);
});

test("frames keep their place and tables show the entries that matter", () => {
  const layout = layoutOf(race());
  assert.deepEqual(
    layout.columns.map((c) => c.boxes.map((b) => b.id)),
    [[3], [4], [5], [7], [9]],
  );
  assert.deepEqual(layout.boxes.get(5).rows, [0, 2, 8]);
  assert.deepEqual(layout.marks.pte, ["P", "RW", "US", "A", "NX"]);
});

test("the timeline gives steps near now room and squeezes the rest", () => {
  const { xs, folded, near } = columnsOf(2000, 1000, 100, 1100, 50);
  assert.ok(folded && xs[0] === 100 && Math.abs(xs[2000] - 1100) < 1e-6);
  assert.ok(near[0] <= 1000 && near[1] >= 1000);
  for (let i = 1; i <= 2000; i++) assert.ok(xs[i] > xs[i - 1]);
});

test("schedules are read and written as lines", () => {
  assert.equal(scheduleLine([0, 0, 0, 1, 1, 0]), "0x3 1x2 0x1");
  for (const line of ["0x3 1x2 0x1", "name 0x3 1x2 0", "0*3 1*2 0", "000110", "0x3:read@12 1x2:free@31 0"]) {
    assert.deepEqual(parseSchedule(line), [0, 0, 0, 1, 1, 0], line);
  }
  for (const line of ["0y3", "0x3 zero", "0x99999999"]) assert.equal(parseSchedule(line), null, line);
  assert.equal(switchesIn([0, 0, 1, 0]), 2);
});

test("every key of the race and of the widget is in the catalogue", () => {
  for (const step of race().steps) for (const [key] of step.say) assert.ok(key in catalogue.say, key);
  const files = readdirSync(web).filter((name) => name.endsWith(".js"));
  const source = files.map((name) => readFileSync(`${web}/${name}`, "utf8")).join("\n");
  for (const [, key] of source.matchAll(/words\.ui\("(\w+)"/g)) assert.ok(key in catalogue.ui, key);
  for (const [, key] of source.matchAll(/\.say\("(\w+)"/g)) assert.ok(key in catalogue.ui, key);
  for (const key of Object.keys(catalogue.ui)) assert.match(source, new RegExp(`\\b${key}\\b`), `${key} is not used`);
});

test("sentences name things as people do, and mark what is false", () => {
  const run = race();
  const parts = words.sentences(run, run.steps[9], run.at(10));
  assert.deepEqual(
    parts.map((p) => p.kind),
    ["strong", "plain", "bad"],
  );
  assert.equal(parts[0].text, "CPU 1 clears pmd[2], holding no page-table lock.");
  assert.equal(words.number(1.2e24), "1.2 × 10²⁴");
});

test("an undone branch comes back, an update keeps what is common", () => {
  const run = race();
  const before = run.save();
  const tail = run.steps.slice(5);
  run.update({ keep: 3, steps: tail.slice(0, 2), report: null });
  assert.equal(run.length, 5);
  assert.equal(run.report, null);
  run.restore(before);
  assert.equal(run.length, 17);
  assert.equal(run.at(16).get("f7").state, "data");
});

test("keys: digits step, Shift runs, others have one meaning", () => {
  const key = (k, more = {}) => actionOf({ key: k, code: more.code || "", shiftKey: Boolean(more.shift) }, 2);
  assert.equal(key("1"), "step:1");
  assert.equal(key("5"), "");
  assert.equal(key("!", { shift: true, code: "Digit1" }), "run:1");
  assert.equal(key("ArrowRight", { shift: true }), "switch-forward");
  assert.equal(key("b"), "");
});

test("predict first asks what the run can answer", () => {
  const run = race();
  const asked = questionFor({ run, words }, 10);
  assert.equal(asked.answers.length, 2);
  assert.equal(asked.right, 1, "a belief becomes false");
  const other = questionFor({ run, words }, 4);
  assert.equal(other.answers[other.right], "CPU 1 takes mmap_lock for writing.");
});

test("a tree of choices answers what it holds and says when it does not", async () => {
  const step = (cpu) => ({ cpu, kind: "other", label: "x", say: [["op"]] });
  const tree = {
    roots: { 0: 0, 1: 1 },
    nodes: [
      { step: step(0), then: { 0: 2 } },
      { step: step(1), then: {} },
      { step: step(0), then: {} },
    ],
  };
  const session = new TreeSession(tree);
  assert.equal((await session.ask({ ask: "run", choices: [], cpu: 0 })).update.steps.length, 2);
  assert.equal((await session.ask({ ask: "step", choices: [1], cpu: 0 })).none, true);
});

test("a kernel that does not answer is given up, one that does is heard", async () => {
  const handlers = {};
  const model = {
    on: (n, f) => (handlers[n] = f),
    off: () => {},
    send: (m) => {
      if (m.ask === "step") handlers["msg:custom"]({ id: m.id, update: 1 });
    },
  };
  const session = new KernelSession(model, 20);
  assert.equal((await session.ask({ ask: "step", choices: [] })).update, 1);
  await assert.rejects(session.ask({ ask: "find", choices: [] }), /dead/);
});

test("recorded steps without a partner are counted where they fell, and told with their reason", () => {
  const run = race();
  const steps = [{ word: "a" }, { word: "b" }, { word: "c" }, { word: "d", reason: "not modelled" }];
  run.compare = {
    name: "Linux",
    pairs: [
      [4, 0],
      [6, 2],
    ],
    steps,
    extra: { 5: "the model does more" },
  };
  const found = [...extras(run)];
  assert.deepEqual(found, [
    [4, ["b"]],
    [6, ["d (not modelled)"]],
  ]);
  assert.equal(recordedAt(run, 4), "a");
  assert.equal(recordedAt(run, 5), "the model does more");
});

test("pictures are plain values", () => {
  assert.equal(textOf(h("p", null, "a", [null, ["b"]], false, 3)), "ab3");
});

test("damaged timelines are found before anything is drawn", () => {
  for (const file of (process.env.PTWALK_CASES || "").split(":").filter(Boolean)) {
    const { timeline, good } = JSON.parse(readFileSync(file, "utf8"));
    assert.equal(timelineProblem(timeline) === "", good, file);
  }
});
