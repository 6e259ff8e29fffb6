-- The bytes of a memory as a quota counts them: what the tenant stored. Rows of activity, indexes and page overhead are not
-- in it, so that a move, a restore or another index changes nothing.
create or replace function mnemo.payload_bytes(m mnemo.memory) returns bigint
language sql immutable parallel safe
as $$
    select (mnemo.object_bytes((m).content, (m).embedding) + mnemo.kept_bytes((m).context, (m).session, (m).key, (m).attributes))::bigint
$$;

-- Of an archived memory.
create or replace function mnemo.payload_bytes(m mnemo.archived_memory) returns bigint
language sql immutable parallel safe
as $$
    select ((m).object_bytes + mnemo.kept_bytes((m).context, (m).session, (m).key, (m).attributes))::bigint
$$;

-- Of one to be written.
create or replace function mnemo.payload_bytes(m mnemo.draft) returns bigint
language sql immutable parallel safe
as $$
    select (mnemo.object_bytes((m).content, (m).embedding) + mnemo.kept_bytes((m).context, (m).session, (m).key, (m).attributes))::bigint
$$;
