package intake

import (
	"context"
	"time"

	"github.com/leadbaton/baton/services/internal/cache"
	"github.com/leadbaton/baton/services/internal/fault"
)

// SharedBucket is the bucket that several doors share in Redis: one key for each
// source, "<prefix>:{limit}:<source>", which goes by itself. Redis tells the time,
// so that the doors need not agree on it.
type SharedBucket struct{ c *cache.Client }

// NewSharedBucket opens the bucket behind an address; a Redis that is away is
// told by Take.
func NewSharedBucket(address string) (*SharedBucket, error) {
	c, err := cache.Open(address)
	if err != nil {
		return nil, err
	}
	return &SharedBucket{c}, nil
}

// takeShared does what ownBucket does, in microseconds. ARGV: how far one moves
// on, how far ahead is allowed, how many are wanted. It answers how many are
// given, and after how long there is one.
const takeShared = `
local each, most, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local got = math.min(want, math.floor((most - (used - now)) / each))
if got < 1 then return {0, used - now + each - most} end
redis.call('SET', KEYS[1], string.format('%.0f', used + got * each), 'PX', 60000)
return {got, 0}
`

// Take implements Bucket.
func (b *SharedBucket) Take(ctx context.Context, source string, rate, want int) (int, time.Duration, error) {
	each, most := ahead(rate)
	said, err := b.c.Eval(ctx, takeShared, []string{b.c.Prefix + ":{limit}:" + source}, each.Microseconds(), most.Microseconds(), want).Int64Slice()
	if err == nil && len(said) != 2 {
		err = fault.New(fault.Corrupt, "two numbers are expected")
	}
	if err != nil {
		return 0, 0, fault.New(fault.Unavailable, "the limits in Redis: %w", err)
	}
	return int(said[0]), time.Duration(said[1]) * time.Microsecond, nil
}

// Close ends the connection.
func (b *SharedBucket) Close() error { return b.c.Close() }
