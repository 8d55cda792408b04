//! What Redis does in one step, in Lua.

use std::sync::LazyLock;

use ::redis::Script;

/// The time of Redis' clock in milliseconds, and what is there.
///
/// KEYS: entry, the mark of sweeping.
pub(super) static FIND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
return {
    time[1] * 1000 + math.floor(time[2] / 1000),
    redis.call('GET', KEYS[1]),
    redis.call('GET', KEYS[2]),
}
",
    )
});

/// Puts an entry there, unless there is one or a mark, or its subject was revoked.
///
/// KEYS: entry, its subject's mark. ARGV: entry, until when in milliseconds of Redis' clock.
pub(super) static FILL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(ARGV[2]) > now and redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', ARGV[2])
end
",
    )
});

/// Takes an entry out, and leaves a mark.
///
/// KEYS: entry.
pub(super) static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GET', KEYS[1]) ~= 'removed' then
    redis.call('DEL', KEYS[1])
end
",
    )
});
