-- Changes node runs, together with their events, results, artifacts and outbox rows (src/record/postgres-node-runs.ts). One call makes
-- any number of changes in one transaction; a change whose fence or state does not fit changes nothing and gives no row. This is a
-- function because PostgreSQL plans its parts once per connection; one query with as many CTEs takes twice as long.
-- Each element of `changes` has: i, its place in the answer; id, fence and from, the node run and what it must be; to, the new state;
-- event and body, its event; raise, tries and crash, what is added to fence, attempt and crashes; and the columns to be written. A row
-- without an engine gets a route; choice says which engine its node has from now on in the whole run, and raises SP001 where the run has
-- chosen another one, so that none of the changes is made.
CREATE OR REPLACE FUNCTION change_node_runs(changes JSONB)
RETURNS TABLE (
  i INT, id UUID, run_id UUID, node_id TEXT, path TEXT, state TEXT, attempt INT, fence INT, crashes INT,
  error JSONB, broken BOOLEAN, held TEXT, passed BOOLEAN
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  change JSONB;
  row node_run;
  run_changes RECORD; -- a run, how many of its node runs have changed, and whether one of them has ended
  seq_before INT;
  -- The changes that were made, one element each, in their order.
  ids UUID[] := '{}'; runs UUID[] := '{}'; nodes TEXT[] := '{}'; paths TEXT[] := '{}'; tries INT[] := '{}'; fences INT[] := '{}';
  ended BOOLEAN[] := '{}';
  made JSONB[] := '{}';
  any_cancelled BOOLEAN := false;
  any_choice BOOLEAN := false;
  chosen RECORD; -- a node of which the engine is chosen
  known JSONB; -- what its run froze of it
BEGIN
  FOR change IN SELECT * FROM jsonb_array_elements(changes) LOOP
    UPDATE node_run n SET
      state = change->>'to',
      fence = n.fence + (change->>'raise')::int,
      attempt = n.attempt + (change->>'tries')::int,
      crashes = n.crashes + (change->>'crash')::int,
      changed_at = now(),
      input = COALESCE(change->'input', n.input),
      error = CASE WHEN change->>'to' IN ('failed', 'dead', 'cancelled', 'skipped') THEN change->'error' END,
      broken = (change->>'broken')::boolean,
      held = change->>'held',
      cache_key = COALESCE(change->>'cacheKey', n.cache_key),
      why = COALESCE(change->>'why', n.why),
      reused_from = (change->>'reusedFrom')::uuid,
      passed = n.passed OR (change->>'passed')::boolean,
      due_at = now() + (change->>'due')::bigint * interval '1 millisecond',
      started_at = CASE WHEN change->>'to' = 'running' OR change ? 'took'
        THEN COALESCE(n.started_at, now() - COALESCE((change->>'took')::int, 0) * interval '1 millisecond') ELSE n.started_at END,
      finished_at = CASE WHEN change->>'to' IN ('succeeded', 'skipped', 'failed', 'cancelled', 'dead') THEN COALESCE(n.finished_at, now()) END
    WHERE n.id = (change->>'id')::uuid AND n.fence = (change->>'fence')::int AND n.state = ANY (string_to_array(change->>'from', ','))
    RETURNING n.* INTO row;
    CONTINUE WHEN NOT FOUND;

    IF change ? 'route' AND row.engine = '' THEN
      UPDATE node_run n SET plane = r.plane, service = r.service, version = r.version, engine = r.engine, draft = r.draft,
        timeout_seconds = r."timeoutSeconds", stall_seconds = COALESCE(r."stallSeconds", 0)
      FROM jsonb_to_record(change->'route')
        AS r(plane TEXT, service TEXT, version TEXT, engine TEXT, draft BOOLEAN, "timeoutSeconds" INT, "stallSeconds" INT)
      WHERE n.id = row.id RETURNING n.* INTO row;
      any_choice := any_choice OR change ? 'choice';
    END IF;
    -- broken-build: artifacts without rows
    IF change ? 'objects' THEN
      -- An artifact whose bytes are known already names their first object (DESIGN A5), but never a preview's, which is deleted soon.
      INSERT INTO artifact (id, key, mime, size, sha256, name, width, height, duration, node_run_id, purpose)
      SELECT a.artifact,
        COALESCE((SELECT old.key FROM artifact old WHERE old.sha256 = a.sha256 AND old.size = a.size AND old.purpose <> 'preview' ORDER BY old.created_at LIMIT 1), a.key),
        a.mime, a.size, a.sha256, a.name, a.width, a.height, a.duration, row.id, 'output'
      FROM jsonb_to_recordset(change->'objects') AS a(artifact UUID, key TEXT, mime TEXT, size BIGINT, sha256 TEXT, name TEXT, width INT, height INT, duration FLOAT8)
      ON CONFLICT (id) DO NOTHING;
    END IF;
    any_cancelled := any_cancelled OR row.state = 'cancelled';
    ids := ids || row.id; runs := runs || row.run_id; nodes := nodes || row.node_id; paths := paths || row.path;
    tries := tries || row.attempt; fences := fences || row.fence; ended := ended || (row.finished_at IS NOT NULL AND row.state <> 'cancelled'); made := made || change;

    i := (change->>'i')::int; id := row.id; run_id := row.run_id; node_id := row.node_id; path := row.path; state := row.state;
    attempt := row.attempt; fence := row.fence; crashes := row.crashes; error := row.error; broken := row.broken;
    held := row.held; passed := row.passed;
    RETURN NEXT;
  END LOOP;

  -- The row of a run is written once, however many of its node runs changed, because PostgreSQL keeps every version of it until the commit.
  FOR run_changes IN SELECT m.run, count(*)::int AS n, bool_or(m.ended) AS ended FROM unnest(runs, ended) AS m(run, ended) GROUP BY m.run ORDER BY m.run LOOP
    IF any_choice THEN
      FOR chosen IN
        SELECT m.node, m.path, m.change->'choice'->>'level' AS level, m.change->'choice'->'nodes' AS nodes
        FROM unnest(runs, nodes, paths, made) WITH ORDINALITY AS m(run, node, path, change, at)
        WHERE m.run = run_changes.run AND m.change ? 'choice' ORDER BY m.at
      LOOP
        SELECT r.engines->chosen.level->chosen.node INTO known FROM run r WHERE r.id = run_changes.run FOR UPDATE;
        CONTINUE WHEN known = chosen.nodes->chosen.node;
        IF known->>'engine' IS DISTINCT FROM '' THEN
          RAISE EXCEPTION 'The run has chosen another engine for %.', chosen.node USING ERRCODE = 'SP001';
        END IF;
        UPDATE run r SET last_seq = r.last_seq + 1, engines = jsonb_set(r.engines, ARRAY[chosen.level], (r.engines->chosen.level) || chosen.nodes)
          WHERE r.id = run_changes.run RETURNING r.last_seq INTO seq_before;
        INSERT INTO run_event (run_id, seq, type, node, path, attempt, body)
          VALUES (run_changes.run, seq_before, 'node.engine', chosen.node, chosen.path, 0,
            jsonb_build_object('engine', chosen.nodes->chosen.node->'engine', 'draft', chosen.nodes->chosen.node->'draft'));
      END LOOP;
    END IF;
    -- A run of which a node run ends goes on: no runtime that died before died of it. One that is cancelled proves nothing.
    UPDATE run r SET last_seq = r.last_seq + run_changes.n, deaths = CASE WHEN run_changes.ended THEN 0 ELSE r.deaths END
      WHERE r.id = run_changes.run RETURNING r.last_seq - run_changes.n INTO seq_before;
    INSERT INTO run_event (run_id, seq, type, node, path, attempt, body)
      -- broken-build: numbers with a gap
      SELECT run_changes.run, seq_before + row_number() OVER (ORDER BY m.at), m.change->>'event', m.node, m.path, m.tries, m.change->'body'
      FROM unnest(runs, nodes, paths, tries, made) WITH ORDINALITY AS m(run, node, path, tries, change, at) WHERE m.run = run_changes.run;
  END LOOP;
  INSERT INTO node_result (node_run_id, fence, output)
    SELECT m.id, m.fence, m.change->'output' FROM unnest(ids, fences, made) AS m(id, fence, change) WHERE m.change ? 'output';
  INSERT INTO outbox (node_run_id, fence, available_at)
    SELECT m.id, m.fence, now() + (m.change->>'dispatch')::bigint * interval '1 millisecond'
    FROM unnest(ids, fences, made) WITH ORDINALITY AS m(id, fence, change, at) WHERE m.change ? 'dispatch' ORDER BY m.at;
  -- Redis may have the task of what is cancelled, and need not answer now.
  IF any_cancelled THEN
    INSERT INTO recall (node_run_id, fence)
      SELECT o.node_run_id, o.fence FROM unnest(ids, fences, made) AS m(id, fence, change)
      JOIN outbox o ON o.node_run_id = m.id AND o.fence = m.fence - 1 WHERE m.change->>'to' = 'cancelled'
      ON CONFLICT DO NOTHING;
  END IF;
END
$$;
