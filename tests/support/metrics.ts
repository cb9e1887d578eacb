// Figures in Prometheus' text format, as a test asks for them.

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  name: string;
  labels: Labels;
  value: number;
}

/** @throws if there is no answer with figures */
export async function scrape(url: string): Promise<Sample[]> {
  const answer = await fetch(`${url}/metrics`);
  if (!answer.ok) throw new Error(`${url}/metrics: ${answer.status}`);
  return samplesIn(await answer.text());
}

function samplesIn(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, said]) => [label as string, said as string]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

/** The sum of the series of this name that have these labels; undefined where there is none. */
export function total(samples: readonly Sample[], name: string, labels: Labels = {}): number | undefined {
  const found = samples.filter((one) => one.name === name && Object.entries(labels).every(([label, said]) => one.labels[label] === said));
  return found.length > 0 ? found.reduce((sum, { value }) => sum + value, 0) : undefined;
}
