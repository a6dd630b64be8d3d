// The AI SDK, with its provider for OpenAI and with the one for all that is compatible.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";

import { LOOKUP, Order, stateOf, Weather } from "./shared.mjs";

export function openai(where) {
  return createOpenAI(where).chat("gpt-4o"); // without .chat it speaks the Responses API
}

export function compatible(where) {
  const extra = ({ parsedBody }) => Promise.resolve({ bifrost: parsedBody?.extra_fields ?? {} });
  const settings = { name: "bifrost", includeUsage: true, supportsStructuredOutputs: true };
  return createOpenAICompatible({ ...where, ...settings, metadataExtractor: { extractMetadata: extra, createStreamExtractor: last } })("gpt-4o");
}

/** Keeps the extra fields of the last chunk. */
function last() {
  let extra = {};
  return {
    processChunk: (chunk) => { extra = chunk?.extra_fields ?? extra; },
    buildMetadata: () => ({ bifrost: extra }),
  };
}

/** What a result says; its parts are promises where it was streamed. */
async function summary(found) {
  const [text, finish, reasoning, usage, metadata, response] = await Promise.all([
    found.text, found.finishReason, found.reasoningText, found.usage, found.providerMetadata, found.response,
  ]);
  return {
    model: response.modelId,
    server: response.headers["x-bifrost-provider"],
    text,
    finish,
    reasoning,
    usage: { input: usage.inputTokens, output: usage.outputTokens, total: usage.totalTokens, raw: usage.raw },
    extra: metadata?.bifrost,
    all: JSON.stringify({ usage, metadata, response }),
  };
}

/** The tasks, for a way to make a model. */
export function withClient(make) {
  const tools = { lookup_order: tool({ description: LOOKUP, inputSchema: Order, execute: stateOf }) };

  async function plain(where, { prompt, maxRetries }) {
    const found = await generateText({ model: make(where), prompt, maxRetries });
    return { ...(await summary(found)), body: found.response.body };
  }

  async function stream(where, { prompt, maxRetries }) {
    let failure = null;
    const onError = ({ error }) => { failure = error; }; // else it is printed, and the text just ends
    const found = streamText({ model: make(where), prompt, maxRetries, onError });
    const pieces = [];
    for await (const piece of found.textStream) pieces.push(piece);
    if (failure !== null) throw failure;
    return { ...(await summary(found)), chunks: pieces.length };
  }

  /** The last chunk of a stream as it came, which the SDK hands over when asked. */
  async function raw(where, { prompt }) {
    let last = null;
    const found = streamText({ model: make(where), prompt, includeRawChunks: true });
    for await (const part of found.fullStream) if (part.type === "raw") last = part.rawValue;
    return last;
  }

  async function loop(where, { prompt, stream: streamed }) {
    const wanted = { model: make(where), prompt, tools, stopWhen: stepCountIs(5) };
    const found = streamed ? streamText(wanted) : await generateText(wanted);
    return { text: await found.text, steps: (await found.steps).length };
  }

  async function object(where, { prompt, stream: streamed }) {
    const wanted = { model: make(where), prompt, output: Output.object({ schema: Weather, name: "weather" }) };
    const found = streamed ? streamText(wanted) : await generateText(wanted);
    return { object: await found.output };
  }

  /** The default of createOpenAI: the Responses API. */
  async function responses(where, { prompt }) {
    return summary(await generateText({ model: createOpenAI(where)("gpt-4o"), prompt }));
  }

  return { plain, stream, raw, loop, object, responses };
}
