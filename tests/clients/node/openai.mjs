// openai for Node.

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";

import { LOOKUP, Order, stateOf, Weather } from "./shared.mjs";

function connect({ headers, ...where }) {
  return new OpenAI({ ...where, defaultHeaders: headers });
}

function request(asked) {
  return { model: "gpt-4o", messages: [{ role: "user", content: asked.prompt }] };
}

export async function plain(where, asked) {
  const answer = await connect(where).chat.completions.create(request(asked));
  const [choice] = answer.choices;
  return {
    model: answer.model,
    text: choice.message.content,
    finish: choice.finish_reason,
    refusal: choice.message.refusal,
    reasoning: choice.message.reasoning,
    usage: answer.usage,
    extra: answer.extra_fields,
  };
}

export async function stream(where, asked) {
  const found = { model: null, text: "", chunks: 0, usage: null, finish: null, extra: null };
  for await (const chunk of await connect(where).chat.completions.create({ ...request(asked), stream: true })) {
    found.chunks += 1;
    found.model = chunk.model;
    found.text += chunk.choices[0].delta.content ?? "";
    found.finish = chunk.choices[0].finish_reason ?? found.finish;
    found.usage = chunk.usage ?? found.usage;
    found.extra = chunk.extra_fields;
  }
  return found;
}

export async function loop(where, asked) {
  const tool = zodFunction({ name: "lookup_order", parameters: Order, description: LOOKUP, function: stateOf });
  const runner = connect(where).chat.completions.runTools({ ...request(asked), tools: [tool], stream: asked.stream });
  return { text: await runner.finalContent() };
}

export async function object(where, asked) {
  const client = connect(where);
  const wanted = { ...request(asked), response_format: zodResponseFormat(Weather, "weather") };
  const answer = asked.stream
    ? await client.chat.completions.stream(wanted).finalChatCompletion()
    : await client.chat.completions.parse(wanted);
  return { object: answer.choices[0].message.parsed };
}

export async function models(where) {
  const found = [];
  for await (const model of connect(where).models.list()) found.push(model.id);
  return found;
}

/** Reads a little of a stream and hangs up. */
export async function leave(where, asked) {
  const found = await connect(where).chat.completions.create({ ...request(asked), stream: true });
  for await (const chunk of found) if (chunk.choices[0].delta.content) break;
  return {};
}
