// The browser's small functions, run by `node --test`: numbers as people write them, words, one walk.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode, hex64, parseNumber, sizeWord, stateWord } from "../../../ptwalk/views/web/decoder.js";
import { hardwareSays, linuxNotes, tablesWord } from "../../../ptwalk/views/web/entry_explorer.js";
import { verdict } from "../../../ptwalk/views/web/walk_explorer.js";
import { spaceFor, walk } from "../../../ptwalk/views/web/walker.js";

const tables = JSON.parse(readFileSync(new URL("../../../ptwalk/views/web/tables.json", import.meta.url), "utf8"));
const format = tables.formats["x86-64-4level 6.1"];
const pte = format.levels.at(-1);

test("numbers are read as people write them", () => {
  assert.equal(parseNumber("0x7f12_3456_7000"), 0x7f1234567000n);
  assert.equal(parseNumber(" 7F1234567000 "), 0x7f1234567000n);
  assert.equal(parseNumber("4096"), 4096n);
  assert.equal(parseNumber("0b101"), 5n);
  for (const wrong of ["", "0x", "xyz", "-1", "0x1ffffffffffffffff", "1.5", "0077"]) {
    assert.equal(parseNumber(wrong), null, wrong);
  }
});

test("sizes and states are said in words", () => {
  assert.equal(sizeWord(4096), "4 KiB");
  assert.equal(sizeWord(1n << 30n), "1 GiB");
  assert.equal(stateWord("PROT_NONE"), "PROT_NONE");
  assert.equal(stateWord("LEAF"), "leaf");
  assert.equal(hex64(1n), "0x0000000000000001");
  assert.equal(tablesWord("x86-64-5level", "x86-64"), "5 levels");
  assert.equal(tablesWord("arm64-16k-47", "arm64"), "16K pages, 47 bits");
});

test("hardware and Linux are told apart", () => {
  const leaf = decode(tables, pte, 0x8000000140a65067n);
  assert.match(hardwareSays(leaf), /^ends its walk: 4 KiB at 0x140a65000/);
  assert.equal(linuxNotes(leaf), "present, young, dirty, writable");
  const none = pte.examples.find(([word]) => word === "PROT_NONE")[1];
  const hidden = decode(tables, pte, BigInt(none));
  assert.match(hardwareSays(hidden), /^faults: bit 0 is clear/);
  assert.match(linuxNotes(hidden), /^present/);
});

const space = {
  format: "x86-64-4level 6.1", root: "0x1000", canonical: [["0x0", "0x7fffffffffff"]],
  tables: {
    "0x1000": [[0, 2, "0x2067", "0x7000"]], "0x2000": [[0, 1, "0x3067", "0x0"]],
    "0x3000": [[0, 1, "0x4067", "0x0"], [1, 1, "0x80000000004000a7", "0x0"]],
    "0x4000": [[5, 1, "0x8000000000005025", "0x0"]],
  },
};

test("a walk goes down to the page", () => {
  const found = walk(tables, space, 0x5abcn);
  assert.equal(found.physical, 0x5abcn);
  assert.equal(found.rightsWord, "u r--");
  assert.deepEqual(found.steps.map((step) => step.index), [0, 0, 0, 5]);
  assert.deepEqual(verdict(found), ["Reaches physical 0x5abc", "in a 4 KiB page, with rights u r--."]);
});

test("a walk ends early at a huge page", () => {
  const found = walk(tables, space, 0x2abcden);
  assert.equal(found.physical, 0x400000n + 0xabcden);
  assert.equal(found.pageSize, 1n << 21n);
  assert.equal(found.steps.length, 3);
});

test("a walk says why it stopped", () => {
  const empty = walk(tables, space, 0x6000n);
  assert.equal(empty.reason, "not present");
  assert.equal(empty.stoppedAt, "pte");
  const missing = walk(tables, space, 1n << 39n);
  assert.equal(missing.reason, "missing memory");
  assert.equal(missing.stoppedAt, "pud");
  const strange = walk(tables, spaceFor([space], 1n << 60n), 1n << 60n);
  assert.equal(strange.reason, "not canonical");
  assert.ok(strange.steps.every((step) => step.entry === null));
});
