/** What lies on the canvas of a graph without nodes. */
export function EmptyCanvas({ onAdd }: { onAdd(): void }) {
  return (
    <div className="canvas-empty">
      <p className="by-mouse">
        Double click or press <kbd>/</kbd> to add a node, drag one in, or start from a template
      </p>
      <p className="by-touch">Add a node, or open a template</p>
      <button type="button" className="button large primary by-touch" onClick={onAdd}>
        Add a node
      </button>
      <a className="button large" href="/templates">
        Open the templates
      </a>
    </div>
  );
}
