package routing

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leadbaton/baton/services/internal/cache"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// shared keeps the routing state in Redis, where a router that takes over and
// other systems find it. docs/redis.md says which key holds what.
//
// All keys of a group are in one slot, so that a cluster can hold them; there is
// no transaction over several groups. What makes the state one all the same is
// its head: it names the generation and the position of each group. A group that
// stands elsewhere than the head says is one of a save that is not finished, or
// of a copy that fell back: nobody goes on from it.
type shared struct{ c *cache.Client }

// sharedLayout is the version of what lies in Redis. Another one is begun anew.
const sharedLayout = "1"

// OpenRedis opens the store of a router that shares it. It answers no error for
// a Redis that is away: that is told by Load and Save, and stops nobody.
func OpenRedis(address string) (Store, error) {
	c, err := cache.Open(address)
	if err != nil {
		return nil, err
	}
	return &shared{c}, nil
}

// parts are the keys of a group, in the order in which the scripts are given
// them: what is known of the group itself, a hash for each kind of row, and the
// two orders that follow from rows.
var parts = append(append([]string{partAt}, kindsOf(rowKinds)...), partOffers, partWaiting)

const (
	// partAt is a hash: log, position, kept_at, and the group's own row.
	partAt = "at"
	// partOffers are the leads with an open offer, by when it runs out in
	// milliseconds since 1970.
	partOffers = "offers"
	// partWaiting are the waiting leads by their place in line.
	partWaiting = "waiting"
)

// rowKinds are the kinds that have a hash of their own: all but that of the group
// itself.
var rowKinds = []Kind{kindRotation, kindLoad, kindGiven, kindHeld, kindLine, kindMember}

func kindsOf(kinds []Kind) (names []string) {
	for _, kind := range kinds {
		names = append(names, string(kind))
	}
	return names
}

// key names one part of a group in a generation. Whatever a group is called, the
// braces hold one name.
func (s *shared) key(group, generation, part string) string {
	tag := url.QueryEscape(group)
	if group == rosterGroup {
		// The rows of no group: those of the members.
		tag, part = "members", "roster:"+part
	}
	return s.c.Prefix + ":{" + tag + "}:" + generation + ":" + part
}

func (s *shared) keys(group, generation string) []string {
	keys := make([]string, len(parts))
	for i, part := range parts {
		keys[i] = s.key(group, generation, part)
	}
	return keys
}

func (s *shared) head() string        { return s.c.Prefix + ":{head}" }
func (s *shared) generations() string { return s.c.Prefix + ":{head}:generations" }

// head as it is kept: what the state is of, and where each group stands.
type head struct {
	past       Past
	generation string
	groups     map[string]uint64
	// raw are the fields by which a writer makes sure that the head is still the
	// one that it has read.
	raw [3]string
}

func (s *shared) fault(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "the routing state in Redis: %w", err)
}

// readHead answers the zero head if there is none that this program can read.
func (s *shared) readHead(ctx context.Context) (head, error) {
	fields, err := s.c.HGetAll(ctx, s.head()).Result()
	if err != nil {
		return head{}, err
	}
	h := head{raw: [3]string{fields["log"], fields["position"], fields["generation"]}, groups: map[string]uint64{}}
	position, err := strconv.ParseUint(fields["position"], 10, 64)
	hash, err2 := hex.DecodeString(fields["hash"])
	if fields["layout"] != sharedLayout || err != nil || err2 != nil || len(hash) != len(h.past.Hash) || json.Unmarshal([]byte(fields["groups"]), &h.groups) != nil {
		return head{raw: h.raw, groups: map[string]uint64{}}, nil
	}
	h.past = Past{Log: fields["log"], Position: position, Hash: [32]byte(hash)}
	h.generation = fields["generation"]
	if at := fields["members"]; at != "" {
		if h.groups[rosterGroup], err = strconv.ParseUint(at, 10, 64); err != nil {
			return head{raw: h.raw, groups: map[string]uint64{}}, nil
		}
	}
	return h, nil
}

// errMoved says that the state moved while it was read.
var errMoved = errors.New("it moves while it is read")

// Load implements Store. A state whose parts do not belong together is none.
func (s *shared) Load(ctx context.Context) (State, error) {
	for range 10 {
		state, err := s.load(ctx)
		if !errors.Is(err, errMoved) {
			return state, s.fault(err)
		}
		if err := clock.Sleep(ctx, clock.Real{}, time.Now().Add(50*time.Millisecond)); err != nil {
			return State{}, s.fault(err)
		}
	}
	return State{}, nil
}

func (s *shared) load(ctx context.Context) (State, error) {
	h, err := s.readHead(ctx)
	if err != nil || h.generation == "" {
		return State{}, err
	}
	state := State{Past: h.past}
	for _, group := range slices.Sorted(maps.Keys(h.groups)) {
		at, err := s.c.HGetAll(ctx, s.key(group, h.generation, partAt)).Result()
		if err != nil {
			return State{}, err
		}
		if at["log"] != h.past.Log || at["position"] != strconv.FormatUint(h.groups[group], 10) {
			return State{}, errMoved
		}
		if value, ok := at[string(kindGroup)]; ok {
			state.Rows = append(state.Rows, Row{Group: group, Kind: kindGroup, Key: group, Value: []byte(value)})
		}
		for _, kind := range rowKinds {
			if state.Rows, err = s.scan(ctx, group, h.generation, kind, state.Rows); err != nil {
				return State{}, err
			}
		}
	}
	again, err := s.readHead(ctx)
	if err == nil && again.raw != h.raw {
		err = errMoved
	}
	return state, err
}

// scan reads a hash in steps, so that a long one holds nobody else up.
func (s *shared) scan(ctx context.Context, group, generation string, kind Kind, rows []Row) ([]Row, error) {
	seen := map[string]bool{}
	for cursor := uint64(0); ; {
		fields, next, err := s.c.HScan(ctx, s.key(group, generation, string(kind)), cursor, "", 1000).Result()
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(fields); i += 2 {
			if !seen[fields[i]] {
				seen[fields[i]] = true
				rows = append(rows, Row{Group: group, Kind: kind, Key: fields[i], Value: []byte(fields[i+1])})
			}
		}
		if cursor = next; cursor == 0 {
			return rows, nil
		}
	}
}

// Save implements Store.
func (s *shared) Save(ctx context.Context, c Change) (kept uint64, err error) {
	for range 10 {
		kept, err = s.save(ctx, c)
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return kept, s.fault(err)
}

func (s *shared) save(ctx context.Context, c Change) (kept uint64, err error) {
	h, err := s.readHead(ctx)
	if err != nil {
		return 0, err
	}
	if !takes(h.past, c) {
		if h.past.Log != c.Log {
			return 0, nil
		}
		return h.past.Position, nil
	}
	rows := map[string][]Row{}
	for _, row := range c.Rows {
		rows[row.Group] = append(rows[row.Group], row)
	}
	next := head{past: c.Past, generation: h.generation, groups: map[string]uint64{}}
	if c.Whole {
		// Named by where it begins, and by chance: two routers never build the same.
		next.generation = fmt.Sprintf("%d-%08x", c.Position, rand.Uint32())
	} else {
		maps.Copy(next.groups, h.groups)
	}
	known := len(next.groups)
	for group := range rows {
		next.groups[group] = c.Position
	}
	if c.Whole || len(next.groups) > known {
		// Known before it is written, so that somebody can clear it away.
		if err := s.register(ctx, next); err != nil {
			return 0, err
		}
	}
	if kept, err := s.apply(ctx, h, next, c, rows); err != nil || kept != c.Position {
		return kept, err
	}
	if err := s.flip(ctx, h, next); err != nil {
		return 0, err
	}
	if c.Whole {
		// What nobody reads any more; if this fails the next whole does it.
		_ = s.sweep(ctx, next.generation, h.generation)
	}
	return c.Position, nil
}

// apply writes the rows group by group, each behind its own fence, and compares
// where the other groups stand. It answers the change's position if all of it is
// written.
func (s *shared) apply(ctx context.Context, was, next head, c Change, rows map[string][]Row) (uint64, error) {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	pipe := s.c.Pipeline()
	for _, group := range slices.Sorted(maps.Keys(next.groups)) {
		from := ""
		if position, ok := was.groups[group]; ok && !c.Whole {
			from = strconv.FormatUint(position, 10)
		}
		keys := s.keys(group, next.generation)
		for first := true; first || len(rows[group]) > 0; first = false {
			some := rows[group][:min(len(rows[group]), rowsAtOnce)]
			rows[group] = rows[group][len(some):]
			args := []any{c.Log, from, strconv.FormatUint(c.Position, 10), at}
			for _, row := range some {
				at, err := placeOf(row)
				if err != nil {
					return 0, err
				}
				args = append(args, at.part, row.Key, row.Value, at.order, at.score)
			}
			// In a pipeline a script goes by its text: one known by its sum alone may
			// be unknown to a server that was started anew.
			pipe.Eval(ctx, applyRows, keys, args...)
			if pipe.Len() >= scriptsAtOnce {
				if kept, err := s.answers(ctx, pipe, c.Position); err != nil || kept != c.Position {
					return kept, err
				}
			}
		}
	}
	return s.answers(ctx, pipe, c.Position)
}

const (
	// rowsAtOnce bounds how long one script holds the others up.
	rowsAtOnce    = 500
	scriptsAtOnce = 20
)

// answers sends what is in the pipeline. It answers position if every script took
// its rows, and otherwise the position of the one that did not.
func (s *shared) answers(ctx context.Context, pipe redis.Pipeliner, position uint64) (uint64, error) {
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		return 0, err
	}
	for _, cmd := range cmds {
		stands, err := cmd.(*redis.Cmd).Text()
		if err != nil {
			return 0, err
		}
		if stands == "taken" {
			continue
		}
		return strconv.ParseUint(stands, 10, 64)
	}
	return position, nil
}

// applyRows takes rows of a group if the group stands where the head says (or
// where a save that was not finished left it), and not beyond the change. Without
// rows it only looks. KEYS are the parts; ARGV: log, from, to, now, and for each
// row its part, key, value (none = gone), order and score there (none = it has
// none).
const applyRows = `
local at = redis.call('HMGET', KEYS[1], 'log', 'position')
local to = tonumber(ARGV[3])
if at[1] ~= ARGV[1] then
  if at[1] or ARGV[2] ~= '' then return '0' end
elseif ARGV[2] ~= '' and tonumber(at[2]) < tonumber(ARGV[2]) or tonumber(at[2]) > to then
  return at[2]
end
if #ARGV == 4 then return 'taken' end
for i = 5, #ARGV, 5 do
  local part, key, value, order, score = tonumber(ARGV[i]), ARGV[i+1], ARGV[i+2], tonumber(ARGV[i+3]), ARGV[i+4]
  if part == 1 then
    if value == '' then redis.call('HDEL', KEYS[1], 'group') else redis.call('HSET', KEYS[1], 'group', value) end
  elseif value == '' then
    redis.call('HDEL', KEYS[part], key)
  else
    redis.call('HSET', KEYS[part], key, value)
  end
  if order > 0 then
    if score == '' then redis.call('ZREM', KEYS[order], key) else redis.call('ZADD', KEYS[order], score, key) end
  end
end
redis.call('HSET', KEYS[1], 'log', ARGV[1], 'position', ARGV[3], 'kept_at', ARGV[4])
return 'taken'
`

// placed is where a row goes: its part and the order that follows from it, both
// counted from 1 as the scripts do, and its score there.
type placed struct {
	part, order int
	score       string
}

func placeOf(row Row) (p placed, err error) {
	if row.Kind == kindGroup {
		return placed{part: 1}, nil
	}
	if !slices.Contains(rowKinds, row.Kind) {
		return p, fault.New(fault.State, "a row of the kind %q has no place in Redis", row.Kind)
	}
	p.part = slices.Index(parts, string(row.Kind)) + 1
	switch row.Kind {
	case kindHeld:
		p.order = slices.Index(parts, partOffers) + 1
		var v heldRow
		if row.Value != nil {
			err = json.Unmarshal(row.Value, &v)
		}
		if !v.TakeBy.IsZero() {
			p.score = strconv.FormatInt(v.TakeBy.UnixMilli(), 10)
		}
	case kindLine:
		p.order = slices.Index(parts, partWaiting) + 1
		var v lineRow
		if row.Value != nil {
			err = json.Unmarshal(row.Value, &v)
			p.score = strconv.FormatInt(v.Since.UnixMilli(), 10)
		}
	}
	return p, err
}

// flipHead puts another head in place of the one that was read, if it is still
// that one and nobody has cleared the generation away. ARGV: log, position and
// generation as read, the generation to be, and fields with their values.
const flipHead = `
local is = redis.call('HMGET', KEYS[1], 'log', 'position', 'generation')
for i = 1, 3 do
  if (is[i] or '') ~= ARGV[i] then return 0 end
end
if redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[4], unpack(ARGV, 5))
return 1
`

func (s *shared) flip(ctx context.Context, was, next head) error {
	groups := maps.Clone(next.groups)
	members := ""
	if at, ok := groups[rosterGroup]; ok {
		members = strconv.FormatUint(at, 10)
		delete(groups, rosterGroup)
	}
	stands, err := json.Marshal(groups)
	if err != nil {
		return err
	}
	flipped, err := s.c.Eval(
		ctx, flipHead, []string{s.head(), s.generations()}, was.raw[0], was.raw[1], was.raw[2], next.generation,
		"layout", sharedLayout, "log", next.past.Log, "position", strconv.FormatUint(next.past.Position, 10), "hash", hex.EncodeToString(next.past.Hash[:]),
		"groups", stands, "members", members, "kept_at", time.Now().UTC().Format(time.RFC3339Nano),
	).Int()
	if err == nil && flipped == 0 {
		err = errMoved
	}
	return err
}

// registered is what is known of a generation by whoever clears it away.
type registered struct {
	Since  time.Time `json:"since"`
	Groups []string  `json:"groups"`
}

func (s *shared) register(ctx context.Context, h head) error {
	value, err := json.Marshal(registered{time.Now().UTC(), slices.Sorted(maps.Keys(h.groups))})
	if err != nil {
		return err
	}
	return s.c.HSet(ctx, s.generations(), h.generation, value).Err()
}

// building is how long a generation may take to be built before it counts as
// left behind by a router that died.
const building = time.Minute

// sweep removes the generations that nobody reads: the ones named, and those
// that were left behind half built.
func (s *shared) sweep(ctx context.Context, except string, gone ...string) error {
	all, err := s.c.HGetAll(ctx, s.generations()).Result()
	if err != nil {
		return err
	}
	for generation, value := range all {
		var is registered
		if generation == except || json.Unmarshal([]byte(value), &is) == nil && !slices.Contains(gone, generation) && time.Since(is.Since) < building {
			continue
		}
		for _, group := range is.Groups {
			if err := s.c.Unlink(ctx, s.keys(group, generation)...).Err(); err != nil {
				return err
			}
		}
		if err := s.c.HDel(ctx, s.generations(), generation).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Clear implements Store.
func (s *shared) Clear(ctx context.Context) error {
	h, err := s.readHead(ctx)
	if err == nil {
		err = s.c.Del(ctx, s.head()).Err()
	}
	if err == nil {
		err = s.sweep(ctx, "", h.raw[2])
	}
	return s.fault(err)
}

// Close implements Store.
func (s *shared) Close() error { return s.c.Close() }
