// Decodes on behalf of test_decode_tables.py: one line "key<TAB>level<TAB>raw" in, one line of JSON out.
// With --digest it answers one SHA-256 for each level instead, over the lines it would have written.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { decode, hex } from "../../../ptwalk/views/web/decoder.js";

const tables = JSON.parse(readFileSync(process.argv[2], "utf8"));
const digest = process.argv[3] === "--digest";
const hashes = new Map();
const out = [];
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const [key, name, raw] = line.split("\t");
  const level = tables.formats[key].levels.find((found) => found.name === name);
  const entry = decode(tables, level, BigInt(raw));
  const flags = tables.flags.filter((flag) => entry.flags[flag]);
  const fields = entry.fields.map((f) => `${f.name}|${f.high}|${f.low}|${hex(f.value)}|${f.meaning}`);
  const told = [hex(entry.raw), entry.state, entry.sentence, entry.present, entry.linuxPresent, entry.reservedBit,
    entry.address === null ? null : hex(entry.address), entry.swapType === null ? null : String(entry.swapType),
    entry.swapOffset === null ? null : hex(entry.swapOffset), entry.rights, entry.rightsWord,
    flags.join(" "), entry.marks, fields.join("\n")].map(String).join("\t");
  if (!digest) out.push(JSON.stringify(told));
  else hashes.set(`${key}\t${name}`, (hashes.get(`${key}\t${name}`) ?? createHash("sha256")).update(`${told}\n`));
}
for (const [key, hash] of hashes) out.push(`${key}\t${hash.digest("hex")}`);
process.stdout.write(out.join("\n") + "\n");
