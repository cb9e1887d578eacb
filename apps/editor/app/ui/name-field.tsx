import { useTyping } from "../session/typing";

/** A name that is stored when the field is left. An empty one is not stored. */
export function NameField({
  label,
  name,
  wide = false,
  onRename,
}: {
  label: string;
  name: string;
  wide?: boolean;
  onRename(name: string): void;
}) {
  const commit = (text: string) => {
    const next = text.trim();
    if (next && next !== name) onRename(next);
    return next || name;
  };
  const { text, type, leave } = useTyping(name, commit, false);
  return (
    <input
      className={`name-field${wide ? " wide" : ""}`}
      aria-label={label}
      value={text}
      onChange={(event) => type(event.target.value)}
      onBlur={leave}
      onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
    />
  );
}
