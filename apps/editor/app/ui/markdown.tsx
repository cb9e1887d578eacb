import Render from "markdown-to-jsx/react";

/** HTML in it is shown as it is typed; pictures of other servers are not asked for. */
const OPTIONS = {
  disableParsingRawHTML: true,
  forceBlock: true,
  overrides: {
    a: { props: { target: "_blank", rel: "noopener noreferrer", className: "link nodrag" } },
    img: ({ alt }: { alt?: string }) => <span className="text-faint">{alt}</span>,
  },
};

/** Text that somebody else wrote, as Markdown. */
export const Markdown = ({ text }: { text: string }) => <Render options={OPTIONS}>{text}</Render>;
