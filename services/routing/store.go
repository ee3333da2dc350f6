package routing

import "context"

// Store keeps the routing state outside of the process that folds it: a router
// that starts or takes over goes on from there and folds only what came after,
// and other systems read who holds what and who waits. It is a cache of the
// log. Nothing is decided by it, losing it costs time, and what it holds of
// another past is thrown away.
//
// A store is safe for use by one router at a time; writes of a second one are
// fenced by their position in the log.
type Store interface {
	// Load answers what is kept; the zero State if nothing is.
	Load(ctx context.Context) (State, error)
	// Save takes what has changed, all of it or nothing, and answers the
	// position that is kept afterwards. It is the change's own when it was taken.
	// It is a later one when another router has kept more: fold on and come
	// again. It is an earlier one when the store has lost what the change builds
	// on: save the whole.
	Save(ctx context.Context, c Change) (kept uint64, err error)
	// Clear drops everything that is kept.
	Clear(ctx context.Context) error
	Close() error
}

// Past names a prefix of a log: no other log, and no other course of the same
// one, has it.
type Past struct {
	// Log is the log's id.
	Log string
	// Position is the LEDGER sequence up to which it reaches; 0 = nothing.
	Position uint64
	// Hash of the event there.
	Hash [32]byte
}

// State is what is kept of a past.
type State struct {
	Past
	Rows []Row
}

// Change is what has become of the rows between two positions.
type Change struct {
	Past
	// From is the position at which the state must be kept, or later, for the
	// change to make sense; a whole needs none.
	From uint64
	// Whole says that the rows are all there are: what else is kept goes.
	Whole bool
	Rows  []Row
}

// Row is one fact of the routing state as other systems read it.
type Row struct {
	// Group of pools that share people.
	Group string
	// Kind of fact; what Key and Value are depends on it.
	Kind Kind
	Key  string
	// Value as JSON; nil = the row is gone.
	Value []byte
}

// Kind of a row.
type Kind string

// The kinds of rows. Instants are RFC 3339 in UTC.
const (
	// kindGroup: the group by its name, {"place": its rank by first event, from 0}.
	kindGroup Kind = "group"
	// kindRotation: a pool's turns, by pool: {"unit","turns","accounts","seats"}.
	kindRotation Kind = "rotation"
	// kindLoad: how many open leads a member holds in the group, by member: a number.
	kindLoad Kind = "load"
	// kindGiven: what a member whom the agreement limits was given, by member: for day,
	// week and month the two latest, [{"began": local date,"leads"},…].
	kindGiven Kind = "given"
	// kindHeld: who holds a lead, by lead: {"member","pool","offer","take_by",
	// "remind_at"}; no take_by once accepted, no remind_at once reminded.
	kindHeld Kind = "held"
	// kindLine: where a lead waits, by lead: {"pool","blocked_by","since",
	// "look_again","agreement","fallback_at","place"}.
	kindLine Kind = "line"
	// kindMember: whether a member is here, by member: {"away","from","until",
	// "signed_in","deactivated"}. It is of no group, and told to others only: the fold of the
	// members is made of the log at every start.
	kindMember Kind = "member"
)

// rosterGroup is the group of rows that belong to none.
const rosterGroup = ""

// rowKey names a row.
type rowKey struct {
	group string
	kind  Kind
	key   string
}
