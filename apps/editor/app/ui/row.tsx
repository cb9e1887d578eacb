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
    <div className="form-row" title={hint}>
      <span className="form-label">
        {label}
        {required && <span className="text-faint">needed</span>}
        {from && <span className="value-source ellipsis">{from}</span>}
      </span>
      {children}
      {problem && <p className="error-text">{problem}</p>}
    </div>
  );
}
