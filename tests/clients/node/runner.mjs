// Runs tasks of real clients: one line of JSON in, one line of JSON out, until the input ends.

import { createInterface } from "node:readline";

import * as ai from "./ai_sdk.mjs";
import * as langchain from "./langchain.mjs";
import * as openai from "./openai.mjs";

const CLIENTS = {
  openai,
  "ai-sdk": ai.withClient(ai.openai),
  "ai-sdk-compatible": ai.withClient(ai.compatible),
  langchain,
};

/** What a user of the client gets to see of an error. */
function shown(error) {
  const inner = error.lastError ?? error; // the AI SDK wraps what its last attempt threw
  return {
    name: error.name,
    class: inner.constructor.name,
    message: inner.message,
    status: inner.status ?? inner.statusCode,
    code: inner.code ?? inner.data?.error?.code,
    type: inner.type ?? inner.data?.error?.type,
    attempts: error.errors?.length,
  };
}

async function run({ client, task, baseURL, asked }) {
  try {
    return { result: await CLIENTS[client][task]({ baseURL, apiKey: "k", headers: asked.headers }, asked) };
  } catch (error) {
    return { error: shown(error) };
  }
}

/** So that no fault can hang the tests. */
function late(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms, { late: true }).unref());
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await Promise.race([run(JSON.parse(line)), late(20_000)]);
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit();
