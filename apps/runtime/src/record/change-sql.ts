// The one statement by which node runs change: any number of changes, each fenced by itself, with their events, results,
// artifacts and outbox rows. Changes that come while another batch is under way share the next commit.

export const CHANGE_SQL = `
WITH asked AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS a(i int, id uuid, fence int, "from" text[], "to" text, raise int, tries int, crash int,
    input jsonb, error jsonb, broken bool, event text, body jsonb, output jsonb, objects jsonb, dispatch int, held text, passed bool, due int, took int)
), moved AS (
  UPDATE node_run n SET state = a."to", fence = n.fence + a.raise, attempt = n.attempt + a.tries, crashes = n.crashes + a.crash, changed_at = now(),
    input = COALESCE(a.input, n.input), error = CASE WHEN a."to" IN ('failed','dead','cancelled','skipped') THEN a.error END, broken = a.broken,
    held = a.held, passed = n.passed OR a.passed, due_at = now() + a.due * interval '1 millisecond', lease_until = NULL,
    started_at = CASE WHEN a."to" = 'running' OR a.took IS NOT NULL THEN COALESCE(n.started_at, now() - COALESCE(a.took, 0) * interval '1 millisecond') ELSE n.started_at END,
    finished_at = CASE WHEN a."to" IN ('succeeded','skipped','failed','cancelled','dead') THEN COALESCE(n.finished_at, now()) END
  FROM asked a WHERE n.id = a.id AND n.fence = a.fence AND n.state = ANY(a."from")
  RETURNING n.id, n.run_id, n.node_id, n.path, n.state, n.attempt, n.fence, n.crashes, n.error, n.broken, n.held, n.passed,
    a.i, a.event, a.body, a.output, a.objects, a.dispatch
), counted AS (
  UPDATE run SET last_seq = run.last_seq + m.n FROM (SELECT run_id, count(*)::int AS n FROM moved GROUP BY run_id) m
  WHERE run.id = m.run_id RETURNING run.id, run.last_seq - m.n AS base
), event AS (
  INSERT INTO run_event (run_id, seq, type, node, path, attempt, body)
  SELECT m.run_id, c.base + row_number() OVER (PARTITION BY m.run_id ORDER BY m.i), m.event, m.node_id, m.path, m.attempt, m.body
  FROM moved m JOIN counted c ON c.id = m.run_id
), result AS (
  INSERT INTO node_result (node_run_id, fence, output) SELECT id, fence, output FROM moved WHERE output IS NOT NULL
), kept AS (
  INSERT INTO artifact (id, key, mime, size, sha256, name, width, height, duration, node_run_id, purpose)
  SELECT a.artifact, COALESCE((SELECT old.key FROM artifact old WHERE old.sha256 = a.sha256 AND old.size = a.size ORDER BY old.created_at LIMIT 1), a.key),
    a.mime, a.size, a.sha256, a.name, a.width, a.height, a.duration, moved.id, 'output'
  FROM moved, jsonb_to_recordset(moved.objects) AS a(artifact uuid, key text, mime text, size bigint, sha256 text, name text, width int, height int, duration float8)
  WHERE moved.objects IS NOT NULL
  ON CONFLICT (id) DO NOTHING
), posted AS (
  INSERT INTO outbox (node_run_id, fence, available_at) SELECT id, fence, now() + dispatch * interval '1 millisecond' FROM moved WHERE dispatch IS NOT NULL
)
SELECT i, id, run_id, node_id, path, state, attempt, fence, crashes, error, broken, held, passed FROM moved`;
