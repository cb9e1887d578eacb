-- The one statement by which node runs change (src/record/record.ts): any number of changes, each fenced by itself, with
-- their events, results, artifacts and outbox rows, in one transaction. A function, because its parts are planned once per
-- connection: as one query with as many CTEs the same takes twice as long.
CREATE OR REPLACE FUNCTION change_node_runs(changes JSONB)
RETURNS TABLE (
  i INT, id UUID, run_id UUID, node_id TEXT, path TEXT, state TEXT, attempt INT, fence INT, crashes INT,
  error JSONB, broken BOOLEAN, held TEXT, passed BOOLEAN
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  one JSONB;
  row node_run;
  of RECORD;
  base INT;
  ids UUID[] := '{}'; runs UUID[] := '{}'; nodes TEXT[] := '{}'; paths TEXT[] := '{}'; tries INT[] := '{}'; fences INT[] := '{}';
  asks JSONB[] := '{}';
BEGIN
  FOR one IN SELECT * FROM jsonb_array_elements(changes) LOOP
    UPDATE node_run n SET
      state = one->>'to',
      fence = n.fence + (one->>'raise')::int,
      attempt = n.attempt + (one->>'tries')::int,
      crashes = n.crashes + (one->>'crash')::int,
      changed_at = now(),
      input = COALESCE(one->'input', n.input),
      error = CASE WHEN one->>'to' IN ('failed', 'dead', 'cancelled', 'skipped') THEN one->'error' END,
      broken = (one->>'broken')::boolean,
      held = one->>'held',
      cache_key = COALESCE(one->>'cacheKey', n.cache_key),
      why = COALESCE(one->>'why', n.why),
      reused_from = (one->>'reusedFrom')::uuid,
      passed = n.passed OR (one->>'passed')::boolean,
      due_at = now() + (one->>'due')::bigint * interval '1 millisecond',
      started_at = CASE WHEN one->>'to' = 'running' OR one ? 'took'
        THEN COALESCE(n.started_at, now() - COALESCE((one->>'took')::int, 0) * interval '1 millisecond') ELSE n.started_at END,
      finished_at = CASE WHEN one->>'to' IN ('succeeded', 'skipped', 'failed', 'cancelled', 'dead') THEN COALESCE(n.finished_at, now()) END
    WHERE n.id = (one->>'id')::uuid AND n.fence = (one->>'fence')::int AND n.state = ANY (string_to_array(one->>'from', ','))
    RETURNING n.* INTO row;
    CONTINUE WHEN NOT FOUND;

    -- broken-build: artifacts without rows
    IF one ? 'objects' THEN
      -- Bytes that are known already keep their first object (DESIGN A5); a preview's object is not there for long.
      INSERT INTO artifact (id, key, mime, size, sha256, name, width, height, duration, node_run_id, purpose)
      SELECT a.artifact,
        COALESCE((SELECT old.key FROM artifact old WHERE old.sha256 = a.sha256 AND old.size = a.size AND old.purpose <> 'preview' ORDER BY old.created_at LIMIT 1), a.key),
        a.mime, a.size, a.sha256, a.name, a.width, a.height, a.duration, row.id, 'output'
      FROM jsonb_to_recordset(one->'objects') AS a(artifact UUID, key TEXT, mime TEXT, size BIGINT, sha256 TEXT, name TEXT, width INT, height INT, duration FLOAT8)
      ON CONFLICT (id) DO NOTHING;
    END IF;
    ids := ids || row.id; runs := runs || row.run_id; nodes := nodes || row.node_id; paths := paths || row.path;
    tries := tries || row.attempt; fences := fences || row.fence; asks := asks || one;

    i := (one->>'i')::int; id := row.id; run_id := row.run_id; node_id := row.node_id; path := row.path; state := row.state;
    attempt := row.attempt; fence := row.fence; crashes := row.crashes; error := row.error; broken := row.broken;
    held := row.held; passed := row.passed;
    RETURN NEXT;
  END LOOP;

  -- Each run's row is written once, however many of its nodes changed: its versions pile up until the commit.
  FOR of IN SELECT m.run, count(*)::int AS n FROM unnest(runs) AS m(run) GROUP BY m.run ORDER BY m.run LOOP
    UPDATE run r SET last_seq = r.last_seq + of.n WHERE r.id = of.run RETURNING r.last_seq - of.n INTO base;
    INSERT INTO run_event (run_id, seq, type, node, path, attempt, body)
      -- broken-build: numbers with a gap
      SELECT of.run, base + row_number() OVER (ORDER BY m.at), m.ask->>'event', m.node, m.path, m.tries, m.ask->'body'
      FROM unnest(runs, nodes, paths, tries, asks) WITH ORDINALITY AS m(run, node, path, tries, ask, at) WHERE m.run = of.run;
  END LOOP;
  INSERT INTO node_result (node_run_id, fence, output)
    SELECT m.id, m.fence, m.ask->'output' FROM unnest(ids, fences, asks) AS m(id, fence, ask) WHERE m.ask ? 'output';
  INSERT INTO outbox (node_run_id, fence, available_at)
    SELECT m.id, m.fence, now() + (m.ask->>'dispatch')::bigint * interval '1 millisecond'
    FROM unnest(ids, fences, asks) WITH ORDINALITY AS m(id, fence, ask, at) WHERE m.ask ? 'dispatch' ORDER BY m.at;
END
$$;
