//! What Redis does in one step, in Lua.
//!
//! A room's hash has `epoch`, `run`, `seq`, `bytes` and `age`; its stream has an entry `SEQ-0` for
//! each message that is kept, with its size `n`, its time `t` and its payload `d`.

use std::sync::LazyLock;

use ::redis::Script;

/// `live`: a room is known for so long at least. `open`: its epoch, which begins anew where the room
/// is not known, or was of another life of the server. `trim`: forgets what is beyond the limits.
const COMMON: &str = r"
local room, log = KEYS[1], KEYS[2]

local function text(number)
    return string.format('%.0f', number)
end

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function live(time)
    if redis.call('PTTL', room) < tonumber(time) then
        redis.call('PEXPIRE', room, time)
    end
end

local function open(run, epoch, idle)
    local known = redis.call('HMGET', room, 'epoch', 'run')
    if known[1] and known[2] == run then
        epoch = known[1]
    else
        redis.call('DEL', room, log)
        redis.call('HSET', room, 'epoch', epoch, 'run', run, 'seq', '0', 'bytes', '0', 'age', '1')
    end
    live(idle)
    return epoch
end

local function trim(messages, bytes, age)
    local count = redis.call('XLEN', log)
    if count == 0 then
        redis.call('HSET', room, 'bytes', '0')
        return
    end
    local held = tonumber(redis.call('HGET', room, 'bytes'))
    local oldest = now() - age
    while count > 0 do
        local first = redis.call('XRANGE', log, '-', '+', 'COUNT', '1')[1]
        local size, time = tonumber(first[2][2]), tonumber(first[2][4])
        if count <= messages and held <= bytes and time >= oldest then
            break
        end
        redis.call('XDEL', log, first[1])
        count = count - 1
        held = held - size
    end
    redis.call('HSET', room, 'bytes', text(held))
end
";

fn script(body: &str) -> Script {
    Script::new(&format!("{COMMON}{body}"))
}

/// KEYS: hash, stream, channel. ARGV: run, epoch, idle, payload, size, messages, bytes, age.
pub(super) static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local epoch = open(ARGV[1], ARGV[2], ARGV[3])
local seq = text(redis.call('HINCRBY', room, 'seq', 1))
local age = tonumber(ARGV[8])
if redis.call('EXISTS', log) == 0 then
    redis.call('HSET', room, 'bytes', '0')
end
redis.call('XADD', log, seq .. '-0', 'n', ARGV[5], 't', text(now()), 'd', ARGV[4])
redis.call('HINCRBY', room, 'bytes', ARGV[5])
redis.call('HSET', room, 'age', ARGV[8])
trim(tonumber(ARGV[6]), tonumber(ARGV[7]), age)
redis.call('PEXPIRE', log, ARGV[8])
live(ARGV[8])
redis.call('PUBLISH', KEYS[3], epoch .. ' ' .. seq .. '\n' .. ARGV[4])
return {epoch, seq}
",
    )
});

/// KEYS: hash, stream. ARGV: run, epoch, idle.
pub(super) static POSITION: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local epoch = open(ARGV[1], ARGV[2], ARGV[3])
return {epoch, redis.call('HGET', room, 'seq')}
",
    )
});

/// KEYS: hash, stream. ARGV: run, epoch, idle, the reader's epoch, its first number, how many.
pub(super) static HISTORY: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local epoch = open(ARGV[1], ARGV[2], ARGV[3])
local age = tonumber(redis.call('HGET', room, 'age'))
trim(math.huge, math.huge, age)
local from = '-'
if ARGV[4] == epoch then
    from = ARGV[5] .. '-0'
end
local kept = redis.call('XRANGE', log, from, '+', 'COUNT', ARGV[6])
return {epoch, redis.call('HGET', room, 'seq'), kept}
",
    )
});

/// KEYS: hash, stream, channel. ARGV: run, epoch, idle, how many.
pub(super) static SKIP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local epoch = open(ARGV[1], ARGV[2], ARGV[3])
local seq = text(redis.call('HINCRBY', room, 'seq', ARGV[4]))
redis.call('PUBLISH', KEYS[3], epoch .. ' ' .. seq .. '\n')
return seq
",
    )
});
