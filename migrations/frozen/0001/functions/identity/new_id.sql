-- A UUIDv7 with the bucket in its last ten bits: sorted by time, and enough to find its partition key.
create or replace function mnemo.new_id(bucket smallint) returns uuid
language sql volatile parallel safe
as $$
    select encode(set_byte(set_byte(raw, 14, (get_byte(raw, 14) & 252) | (bucket >> 8)), 15, bucket & 255), 'hex')::uuid
    from (select uuid_send(uuidv7()) as raw) as fresh
$$;
