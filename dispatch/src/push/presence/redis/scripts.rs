//! What Redis does in one step, in Lua.
//!
//! A room's hash has, for each member, its key under `k MEMBER` and its order and entry under
//! `v MEMBER`; for each key, how many entries it has under `n KEY`; and the last order under
//! `last`. Its sorted set has when each member's time is over.

use std::sync::LazyLock;

use ::redis::Script;

/// `remove`: takes an entry out, and gives it where its key is gone with it. `extend`: the keys
/// outlive every entry, so that a sweep finds it.
const COMMON: &str = r"
local here, until_ = KEYS[1], KEYS[2]

local function text(number)
    return string.format('%.0f', number)
end

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function remove(member)
    local key = redis.call('HGET', here, 'k ' .. member)
    redis.call('ZREM', until_, member)
    if not key then
        return false
    end
    local entry = redis.call('HGET', here, 'v ' .. member)
    redis.call('HDEL', here, 'k ' .. member, 'v ' .. member)
    if redis.call('HINCRBY', here, 'n ' .. key, -1) > 0 then
        return false
    end
    redis.call('HDEL', here, 'n ' .. key)
    if redis.call('ZCARD', until_) == 0 then
        redis.call('DEL', here)
    end
    return entry
end

local function extend(time)
    local left = math.max(redis.call('PTTL', here), time + 3600000)
    redis.call('PEXPIRE', here, text(left))
    redis.call('PEXPIRE', until_, text(left))
end
";

fn script(body: &str) -> Script {
    Script::new(&format!("{COMMON}{body}"))
}

/// ARGV: member, key, entry, time. Gives whether the key is new.
pub(super) static ENTER: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local member, key, time = ARGV[1], ARGV[2], tonumber(ARGV[4])
local known = redis.call('HGET', here, 'k ' .. member)
local order
if known == key then
    order = string.match(redis.call('HGET', here, 'v ' .. member), '^%d+')
else
    if known then
        remove(member)
    end
    order = text(redis.call('HINCRBY', here, 'last', 1))
    redis.call('HINCRBY', here, 'n ' .. key, 1)
end
redis.call('HSET', here, 'k ' .. member, key, 'v ' .. member, order .. ' ' .. ARGV[3])
redis.call('ZADD', until_, text(now() + time), member)
extend(time)
if known ~= key and redis.call('HGET', here, 'n ' .. key) == '1' then
    return 1
end
return 0
",
    )
});

/// ARGV: time, members. Gives the numbers of those that are not here.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local time = tonumber(ARGV[1])
local over = text(now() + time)
local gone = {}
for n = 2, #ARGV do
    if redis.call('HEXISTS', here, 'k ' .. ARGV[n]) == 1 then
        redis.call('ZADD', until_, over, ARGV[n])
    else
        gone[#gone + 1] = n - 1
    end
end
if redis.call('EXISTS', here) == 1 then
    extend(time)
end
return gone
",
    )
});

/// ARGV: member. Gives whether its key is gone with it.
pub(super) static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if remove(ARGV[1]) then
    return 1
end
return 0
",
    )
});

/// Gives the entries whose time is not over.
pub(super) static LIST: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local all = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', until_, '(' .. text(now()), '+inf')) do
    all[#all + 1] = redis.call('HGET', here, 'v ' .. member) or nil
end
return all
",
    )
});

/// Gives the entries with which their keys are gone.
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local gone = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', until_, '-inf', text(now()))) do
    local entry = remove(member)
    if entry then
        gone[#gone + 1] = entry
    end
end
return gone
",
    )
});
