/** One line of a form: what it is, where it comes from, what is wrong with it. */
export function Row({
  label,
  hint,
  required,
  from,
  problem,
  children,
}: {
  label: string;
  hint?: string | undefined;
  required?: boolean;
  from?: string | undefined;
  problem?: string | undefined;
  children: React.ReactNode;
}) {
  return (
    <div className="frow" title={hint}>
      <span className="flabel">
        {label}
        {required && <span className="t3">needed</span>}
        {from && <span className="from cut">{from}</span>}
      </span>
      {children}
      {problem && <p className="error-text">{problem}</p>}
    </div>
  );
}
