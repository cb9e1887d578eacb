// One line of a form: what it is, where it comes from, what is wrong with it.
import { createContext, useContext, useId } from "react";

/** Whether Tab stops at the controls inside. */
export const ReachedByTab = createContext(true);

const ProblemId = createContext<string | undefined>(undefined);

/** For the control of a row: it says that its value is wrong, and where the reason stands, and whether Tab reaches it. */
export function useProblemMarks(): { "aria-invalid"?: true; "aria-describedby"?: string; tabIndex?: -1 } {
  const id = useContext(ProblemId);
  const tab = useContext(ReachedByTab) ? {} : { tabIndex: -1 as const };
  return id === undefined ? tab : { "aria-invalid": true, "aria-describedby": id, ...tab };
}

/** For a control that is shown without a row; what is wrong stands elsewhere on it. */
export function FieldProblem({ problem, children }: { problem: string | undefined; children: React.ReactNode }) {
  const id = useId();
  return (
    <ProblemId.Provider value={problem === undefined ? undefined : id}>
      {children}
      {problem !== undefined && (
        <span className="visually-hidden" id={id}>
          {problem}
        </span>
      )}
    </ProblemId.Provider>
  );
}

interface RowProps {
  label: string;
  /** The name of the value, by which the row is found. */
  field?: string | undefined;
  hint?: string | undefined;
  required?: boolean | undefined;
  from?: string | undefined;
  problem?: string | undefined;
  children: React.ReactNode;
}

export function Row({ label, field, hint, required, from, problem, children }: RowProps) {
  const id = useId();
  return (
    <div className="form-row" title={hint} data-field={field}>
      <span className="form-label">
        {label}
        {required && <span className="text-faint">needed</span>}
        {from && <span className="value-source ellipsis">{from}</span>}
      </span>
      <ProblemId.Provider value={problem === undefined ? undefined : id}>{children}</ProblemId.Provider>
      {problem !== undefined && (
        <p className="error-text" role="alert" id={id}>
          {problem}
        </p>
      )}
    </div>
  );
}
