// langchain for Node.

import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";

import { LOOKUP, Order, stateOf, Weather } from "./shared.mjs";

function chat({ baseURL, apiKey, headers }, { maxRetries = 2 }) {
  return new ChatOpenAI({ model: "gpt-4o", apiKey, maxRetries, configuration: { baseURL, defaultHeaders: headers } });
}

function summary(message) {
  const { finish_reason: finish, model_name: model, usage: raw } = message.response_metadata;
  const { input_tokens: input, output_tokens: output, total_tokens: total } = message.usage_metadata ?? {};
  return { model, text: message.content, finish, usage: { input, output, total, raw }, all: JSON.stringify(message) };
}

async function joined(stream) {
  let whole = null;
  let chunks = 0;
  for await (const chunk of stream) {
    whole = whole === null ? chunk : whole.concat(chunk);
    chunks += 1;
  }
  return { whole, chunks };
}

export async function plain(where, asked) {
  return summary(await chat(where, asked).invoke(asked.prompt));
}

export async function stream(where, asked) {
  const { whole, chunks } = await joined(await chat(where, asked).stream(asked.prompt));
  return { ...summary(whole), chunks };
}

export async function loop(where, asked) {
  const lookup = tool(stateOf, { name: "lookup_order", description: LOOKUP, schema: Order });
  const model = chat(where, asked).bindTools([lookup]);
  const messages = [new HumanMessage(asked.prompt)];
  for (;;) {
    const answer = asked.stream ? (await joined(await model.stream(messages))).whole : await model.invoke(messages);
    if (!answer.tool_calls?.length) return { text: answer.content };
    messages.push(answer);
    for (const call of answer.tool_calls) messages.push(await lookup.invoke(call));
  }
}

export async function object(where, asked) {
  const model = chat(where, asked).withStructuredOutput(Weather, { name: "weather" });
  return { object: await model.invoke(asked.prompt) };
}
