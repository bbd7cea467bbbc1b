// Reads paths of workflows as a JSON list from standard input, prints what GitHub's own parser says of them as JSON.
// It needs JSON imports: esbuild bundles it first (validators.py).
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow } from "@actions/workflow-parser";

const PLACE = / \(Line: \d+, Col: \d+\)$/;
const TRY_CONVERSION = 1; // what is read of a wrong workflow is converted too, so that all errors are told at once

async function findings(path) {
  const project = dirname(dirname(dirname(path)));
  const called = {
    getFileContent: async (reference) => {
      if ("repository" in reference) throw new Error("a workflow of another repository");
      const name = join(project, reference.path);
      return { name, content: readFileSync(name, "utf8") };
    },
  };
  const { context, value } = parseWorkflow({ name: path, content: readFileSync(path, "utf8") }, new NoOperationTraceWriter());
  if (value) {
    await convertWorkflowTemplate(context, value, called, { fetchReusableWorkflowDepth: 1, errorPolicy: TRY_CONVERSION });
  }
  return context.errors.getErrors().map((error) => ({
    path: error.prefix?.replace(PLACE, "") ?? path,
    line: error.range?.start.line ?? 0,
    column: error.range?.start.column ?? 0,
    rule: error.code ?? "parser",
    message: error.rawMessage,
  }));
}

async function main() {
  const found = [];
  for (const path of JSON.parse(readFileSync(0, "utf8"))) found.push(...(await findings(path)));
  process.stdout.write(JSON.stringify(found));
}

main();
