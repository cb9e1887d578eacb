// Nodes that a person decides (SPEC RH1, RH2), for exported programs that have some: each interrupts, and is resumed with the answer.
import { interrupt } from "@langchain/langgraph";
import { type AnswerForm, readAnswer } from "@spindle/graph-model";
import type { Values } from "./prelude.ts";

/** What a person is asked: the value of an interrupt. */
export interface Question extends AnswerForm {
  node: string;
  path: string;
  message: unknown;
  value: unknown;
  /** 0: there is no time limit. Whoever keeps the time resumes with `{ timedOut: true }`. */
  timeoutSeconds: number;
  /** Why the answer before was refused. */
  why?: string;
}

/** Resumed with `{ values, button }`, as over HTTP; asks again as long as the answer does not fit. */
const askPerson = (form: AnswerForm) => (about: { node: string; path: string }, input: Values) => {
  const { message = null, value = null } = input;
  const timeoutSeconds = Number(input.timeoutSeconds) || 0;
  let why: string | undefined;
  for (;;) {
    const question: Question = { ...about, message, value, ...form, timeoutSeconds, ...(why === undefined ? {} : { why }) };
    const answer: unknown = interrupt(question);
    if (timeoutSeconds > 0 && (answer as { timedOut?: unknown } | null)?.timedOut === true) return { timed_out: true };
    const read = readAnswer(form, answer);
    if ("output" in read) return read.output;
    why = read.why;
  }
};

// ---

/** For the sources of this file alone. */
export const used = { askPerson };
