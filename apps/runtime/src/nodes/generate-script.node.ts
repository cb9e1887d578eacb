import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { defineNode, type NodeContext, TransientError, UserError } from "./capability.ts";

const SYSTEM = `You write what a person says to the camera, and how the scene looks. Answer with two parts:
first the narration, as plain spoken sentences; then a line that holds only "---"; then one sentence that describes the scene.`;

interface ScriptInput {
  prompt: string;
  tone?: string;
  length?: number;
  persona?: string;
  model?: string;
  temperature?: number;
}

export default defineNode({
  id: "llm.generate_script",
  label: "Write script",
  description: "Turns a prompt into a narration and a description of the scene.",
  version: "2025.02.0",
  category: "Text and control",
  keywords: ["llm", "ollama", "openai", "prompt", "narration", "language model"],
  timeoutSeconds: 300,
  idempotent: false,
  sideEffects: "bounded",
  input: {
    type: "object",
    required: ["prompt"],
    properties: {
      prompt: {
        type: "string",
        title: "Prompt",
        minLength: 1,
        maxLength: 10_000,
        pattern: "\\S",
        "x-multiline": true,
        description: "What the person should talk about.",
      },
      tone: { type: "string", title: "Tone", enum: ["casual", "formal", "playful", "dramatic"] },
      length: { type: "number", title: "Length", minimum: 1, maximum: 600, "x-unit": "s", description: "Seconds of speech, about." },
      persona: { type: "string", title: "Persona", maxLength: 2000 },
    },
  },
  output: {
    type: "object",
    required: ["narration", "stagePrompt"],
    properties: {
      narration: { type: "string", title: "Narration" },
      stagePrompt: { type: "string", title: "Stage prompt" },
      tokensUsed: { type: "number", title: "Tokens used" },
    },
  },
  parameters: [
    {
      name: "model",
      type: "string",
      description: "Model name; empty takes the one that is configured.",
      schema: { type: "string", maxLength: 200 },
    },
    {
      name: "temperature",
      type: "number",
      description: "0 is steady, 1 is lively.",
      default: 0.4,
      schema: { type: "number", minimum: 0, maximum: 2, "x-widget": "slider" },
    },
  ],
  engines: [
    {
      id: "ollama",
      label: "Ollama",
      description: "A language model on a server of your own.",
      draft: false,
      whyNot: async ({ ollama }) => whyNoOllama(ollama.url, ollama.model),
    },
    {
      id: "openai",
      label: "OpenAI-compatible server",
      description: "Any server with that API; its key comes from OPENAI_API_KEY.",
      draft: false,
      whyNot: async ({ openai }) => (openai.key ? undefined : "OPENAI_API_KEY is not set."),
    },
    { id: "draft", label: "Text from the prompt", description: "Says the prompt itself; no model.", draft: true },
  ],
  run: (context) => (context.engine === "draft" ? draft(context) : written(context)),
});

async function whyNoOllama(url: string, model: string): Promise<string | undefined> {
  try {
    const answer = await fetch(new URL("/api/tags", url), { signal: AbortSignal.timeout(1000) });
    const { models = [] } = (await answer.json()) as { models?: { name: string }[] };
    return models.some((one) => one.name === model || one.name === `${model}:latest`)
      ? undefined
      : `Ollama has no model ${model}: ollama pull ${model}`;
  } catch {
    return `No Ollama answers at ${url}.`;
  }
}

/** The prompt as a person would say it, cut to the length that is asked for; a steady stand-in, labelled as draft. */
async function draft({ input, progress }: NodeContext<ScriptInput>): Promise<Record<string, unknown>> {
  const { prompt, length = 20 } = input;
  const words = prompt
    .trim()
    .split(/\s+/)
    .slice(0, Math.max(3, Math.round(length * 2.4)));
  const text = words.join(" ");
  const narration = /[.!?]$/.test(text) ? text : `${text}.`;
  for (let at = 1; at <= words.length; at += Math.max(1, Math.ceil(words.length / 8))) {
    progress({ progress: at / words.length, text: words.slice(0, at).join(" ") });
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  progress({ progress: 1, text: narration });
  return { narration, stagePrompt: `A person speaks to the camera about: ${text.slice(0, 200)}`, tokensUsed: 0 };
}

async function written({ input, engine, models, signal, progress }: NodeContext<ScriptInput>): Promise<Record<string, unknown>> {
  const { prompt, tone, length, persona } = input;
  const wishes = [tone && `Tone: ${tone}.`, length && `About ${length} seconds of speech.`, persona && `The speaker: ${persona}.`]
    .filter(Boolean)
    .join(" ");
  const model = await chatModel(engine, models, input);
  let text = "";
  let tokensUsed = 0;
  try {
    for await (const chunk of await model.stream(
      [
        ["system", SYSTEM],
        ["human", `${wishes}\n\n${prompt}`],
      ],
      { signal },
    )) {
      text += typeof chunk.content === "string" ? chunk.content : "";
      tokensUsed = chunk.usage_metadata?.total_tokens ?? tokensUsed;
      progress({ text });
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw refusalOf(error as Error & { status?: number }, engine === "openai" ? models.openai.key : "");
  }
  const [narration = "", stagePrompt = ""] = text.split(/^\s*---\s*$/m).map((part) => part.trim());
  if (!narration) throw new TransientError("The language model answered with nothing.");
  return { narration, stagePrompt: stagePrompt || `A person speaks to the camera about: ${prompt.slice(0, 200)}`, tokensUsed };
}

/** A server may repeat the key that it refuses, which is nobody's to read in a run. */
function refusalOf({ message, status }: Error & { status?: number }, key: string): Error {
  const [line = ""] = message.split("\n");
  const reason = key ? line.replaceAll(key, "...") : line;
  if (key && (status === 401 || status === 403))
    return new UserError(`The language model's server refuses the key (${reason}). Start Spindle with another OPENAI_API_KEY.`);
  return new TransientError(`The language model did not answer: ${reason}`);
}

async function chatModel(engine: string, models: NodeContext["models"], input: ScriptInput): Promise<BaseChatModel> {
  const temperature = input.temperature ?? 0.4;
  if (engine === "ollama") {
    const { ChatOllama } = await import("@langchain/ollama");
    return new ChatOllama({
      baseUrl: models.ollama.url,
      model: input.model || models.ollama.model,
      temperature,
    }) as unknown as BaseChatModel;
  }
  const { ChatOpenAI } = await import("@langchain/openai");
  const { key, url, model } = models.openai;
  return new ChatOpenAI({
    apiKey: key,
    model: input.model || model,
    temperature,
    ...(url ? { configuration: { baseURL: url } } : {}),
  }) as unknown as BaseChatModel;
}
