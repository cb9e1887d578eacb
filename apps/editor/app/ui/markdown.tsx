import { lazy, Suspense } from "react";

/** HTML in it is shown as it is typed; pictures of other servers are not asked for. */
const OPTIONS = {
  disableParsingRawHTML: true,
  forceBlock: true,
  overrides: {
    a: { props: { target: "_blank", rel: "noopener noreferrer", className: "link nodrag" } },
    img: ({ alt }: { alt?: string }) => <span className="text-faint">{alt}</span>,
  },
};

const asTyped = ({ children }: { children: string }) => <span style={{ whiteSpace: "pre-wrap" }}>{children}</span>;

/** Few pages show any; those that do show the text as it is typed until the renderer has come, and for good where it cannot come. */
const Render = lazy(() =>
  import("markdown-to-jsx/react").then(
    ({ default: Markdown }) => ({ default: ({ children }: { children: string }) => <Markdown options={OPTIONS}>{children}</Markdown> }),
    () => ({ default: asTyped }),
  ),
);

/** Text that somebody else wrote, as Markdown. */
export const Markdown = ({ text }: { text: string }) => (
  <Suspense fallback={asTyped({ children: text })}>
    <Render>{text}</Render>
  </Suspense>
);
