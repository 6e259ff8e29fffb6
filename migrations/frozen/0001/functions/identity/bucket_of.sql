-- The bucket, 0 to 1023, that an id carries in its last ten bits.
create or replace function mnemo.bucket_of(id uuid) returns smallint
language sql immutable strict parallel safe
as $$
    select (((get_byte(uuid_send(id), 14) & 3) << 8) | get_byte(uuid_send(id), 15))::smallint
$$;
