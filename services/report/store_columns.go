package report

import (
	"database/sql/driver"
	"fmt"
	"math"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// column names a column and where its value lives; the pointer serves reading
// and writing alike, so that both can only go to the same place.
type column struct {
	name string
	at   any
}

func names(cs []column) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.name
	}
	return out
}

func places(cs []column) []any {
	out := make([]any, len(cs))
	for i, c := range cs {
		out[i] = c.at
	}
	return out
}

func (r *leadRow) columns() []column {
	s := &r.s
	return []column{
		{"lead_id", &s.ID},
		{"state", (*stateColumn)(&s.State)},
		{"stage", (*stageColumn)(&s.Stage)},
		{"source", &s.Source},
		{"source_id", &s.SourceID},
		{"submission_id", &s.SubmissionID},
		{"signed", &s.Signed},
		{"historical", &s.Historical},
		{"needs_mapping", &s.NeedsMapping},
		{"conflict", &s.Conflict},
		{"received_at", (*instantColumn)(&s.ReceivedAt)},
		{"country", &r.country},
		{"employees", &r.employees},
		{"industry", &r.industry},
		{"person_role", &r.role},
		{"product", &r.product},
		{"language", &r.language},
		{"contact_wish", &r.wish},
		{"utm_source", &r.utmSource},
		{"utm_medium", &r.utmMedium},
		{"campaign", &r.campaign},
		{"person_id", &s.PersonID},
		{"definition", &r.definition},
		{"agreement_version", &s.AgreementVersion},
		{"persona", &s.Persona},
		{"pool", &s.Pool},
		{"pool_group", &s.Group},
		{"rule", &s.Rule},
		{"owner", &s.Owner},
		{"offered_to", &s.OfferedTo},
		{"take_by", (*instantColumn)(&s.TakeBy)},
		{"offers", &s.Offers},
		{"blocked_by", &s.BlockedBy},
		{"blocked_text", &s.BlockedText},
		{"waiting_since", (*instantColumn)(&s.WaitingSince)},
		{"recheck_at", (*instantColumn)(&s.RecheckAt)},
		{"refused_reason", &r.refusedReason},
		{"refused_at", (*instantColumn)(&r.refusedAt)},
		{"mql_at", (*instantColumn)(&r.mqlAt)},
		{"sal_at", (*instantColumn)(&r.salAt)},
		{"sql_at", (*instantColumn)(&r.sqlAt)},
		{"offered_at", (*instantColumn)(&r.offeredAt)},
		{"accepted_at", (*instantColumn)(&r.acceptedAt)},
		{"owned_since", (*instantColumn)(&s.AcceptedAt)},
		{"rejected_at", (*instantColumn)(&r.rejectedAt)},
		{"first_touch_at", (*instantColumn)(&s.FirstTouchAt)},
		{"won_at", (*instantColumn)(&r.wonAt)},
		{"lost_at", (*instantColumn)(&r.lostAt)},
		{"closed_at", (*instantColumn)(&s.ClosedAt)},
		{"reason", &s.Reason},
		{"rejections", &s.Rejections},
		{"repeats", &s.Repeats},
		{"revisions", &s.Revisions},
		{"joined", &s.Joined},
		{"touches", &s.Touches},
		{"value_minor", &s.ValueMinor},
		{"currency", &s.Currency},
		{"failure", &s.Failure},
		{"failed_service", &s.FailedService},
		{"events", &s.Events},
		{"first_sequence", (*sequenceColumn)(&r.firstSequence)},
		{"last_sequence", (*sequenceColumn)(&r.lastSequence)},
		{"last_recorded_at", (*instantColumn)(&r.lastRecordedAt)},
		{"nurture_reason", &s.NurtureReason},
		{"nurture_text", &r.nurtureText},
		{"nurture_since", (*instantColumn)(&s.NurtureSince)},
		{"nurture_made", &s.NurtureMade},
		{"next_touch", &s.NextTouch},
		{"next_touch_due", (*instantColumn)(&s.NextTouchDue)},
		{"nurture_due", (*instantColumn)(&r.nurtureDue)},
		{"decided_by", &r.decidedBy},
		{"decided_at", (*instantColumn)(&r.decidedAt)},
		{"returned_at", (*instantColumn)(&r.returnedAt)},
		{"points", &r.points},
		{"points_needed", &r.pointsNeeded},
		{"purpose", &r.purpose},
		{"landing", &r.landing},
		{"deal_stage", &r.dealStage},
		{"nurtured_at", (*instantColumn)(&r.nurturedAt)},
		{"told_at", (*instantColumn)(&r.toldAt)},
		{"in_time_at", (*instantColumn)(&r.inTimeAt)},
		{"stood_at", (*instantColumn)(&r.stoodAt)},
	}
}

func (h *historyRow) columns() []column {
	n := &h.standing
	return []column{
		{"lead_id", &h.leadID},
		{"sequence", (*sequenceColumn)(&h.sequence)},
		{"occurred_at", (*instantColumn)(&h.occurredAt)},
		{"recorded_at", (*instantColumn)(&h.recorded)},
		{"event", &h.event},
		{"state", (*stateColumn)(&n.state)},
		{"stage", (*stageColumn)(&n.stage)},
		{"definition", &n.definition},
		{"persona", &n.persona},
		{"pool", &n.pool},
		{"owner", &n.owner},
		{"offered_to", &n.offeredTo},
		{"blocked_by", &n.blockedBy},
		{"reason", &h.reason},
	}
}

func (a *assignmentRow) columns() []column {
	return []column{
		{"lead_id", &a.leadID},
		{"sequence", (*sequenceColumn)(&a.sequence)},
		{"offer", &a.offer},
		{"member", &a.member},
		{"pool", &a.pool},
		{"pool_group", &a.group},
		{"rule", &a.rule},
		{"turn", &a.turn},
		{"agreement_version", &a.agreement},
		{"outcome", &a.outcome},
		{"reason", &a.reason},
		{"offered_at", (*instantColumn)(&a.offeredAt)},
		{"take_by", (*instantColumn)(&a.takeBy)},
		{"ended_at", (*instantColumn)(&a.endedAt)},
		{"released_at", (*instantColumn)(&a.releasedAt)},
		{"active", &a.active},
		{"stage", (*stageColumn)(&a.stage)},
		{"points", &a.points},
		{"points_needed", &a.pointsNeeded},
		{"set_id", &a.setID},
		{"chosen_by", &a.chosenBy},
		{"declined", &a.declined},
	}
}

func (d *duplicateRow) columns() []column {
	return []column{
		{"lead_id", &d.leadID},
		{"sequence", (*sequenceColumn)(&d.sequence)},
		{"occurred_at", (*instantColumn)(&d.occurredAt)},
		{"kind", &d.kind},
	}
}

func (t *turnRow) columns() []column {
	return []column{
		{"sequence", (*sequenceColumn)(&t.sequence)},
		{"step", &t.step},
		{"at", (*instantColumn)(&t.at)},
		{"pool", &t.pool},
		{"lead_id", &t.leadID},
		{"offer", &t.offer},
		{"kind", &t.kind},
		{"counted", &t.counted},
		{"member", &t.member},
		{"set_id", &t.setID},
	}
}

func (a *adjustmentRow) columns() []column {
	return []column{
		{"sequence", (*sequenceColumn)(&a.sequence)},
		{"step", &a.step},
		{"at", (*instantColumn)(&a.at)},
		{"pool", &a.pool},
		{"lead_id", &a.leadID},
		{"member", &a.member},
		{"kind", &a.kind},
		{"leads", &a.leads},
		{"set_id", &a.setID},
	}
}

func (r *setRow) columns() []column {
	return []column{{"set_id", &r.id}, {"seats", &r.seats}}
}

func (l *lastSeats) columns() []column {
	return []column{{"pool", &l.pool}, {"set_id", &l.setID}}
}

// instantColumn stores an instant as nanoseconds since 1970; none as NULL.
type instantColumn time.Time

// Value is what the column holds.
func (c *instantColumn) Value() (driver.Value, error) {
	n := nanos(time.Time(*c))
	if n == 0 {
		return nil, nil
	}
	return n, nil
}

// Scan reads the column.
func (c *instantColumn) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*c = instantColumn{}
	case int64:
		*c = instantColumn(time.Unix(0, v).UTC())
	default:
		return fmt.Errorf("an instant is stored as a whole number, not as %T", v)
	}
	return nil
}

// nanos is an instant as nanoseconds since 1970. No instant, and the start of
// 1970 that an absent timestamp decodes to, are 0; what lies beyond the range of
// nanoseconds is drawn to its edge.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// sequenceColumn stores a sequence, which databases know as signed.
type sequenceColumn uint64

// Value is what the column holds.
func (c *sequenceColumn) Value() (driver.Value, error) { return int64(*c), nil }

// Scan reads the column.
func (c *sequenceColumn) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a sequence is stored as a whole number, not as %T", v)
	}
	*c = sequenceColumn(n)
	return nil
}

// stateColumn stores a state as its word.
type stateColumn leadv1.State

// Value is what the column holds.
func (c *stateColumn) Value() (driver.Value, error) { return stateWords[leadv1.State(*c)], nil }

// Scan reads the column.
func (c *stateColumn) Scan(v any) error {
	s, ok := wordOf(v)
	if !ok {
		return fmt.Errorf("a state is stored as a word, not as %T", v)
	}
	*c = stateColumn(statesByWord[s])
	return nil
}

// stageColumn stores a stage as its abbreviation.
type stageColumn leadv1.Stage

// Value is what the column holds.
func (c *stageColumn) Value() (driver.Value, error) { return stageWords[leadv1.Stage(*c)], nil }

// Scan reads the column.
func (c *stageColumn) Scan(v any) error {
	s, ok := wordOf(v)
	if !ok {
		return fmt.Errorf("a stage is stored as a word, not as %T", v)
	}
	*c = stageColumn(stagesByWord[s])
	return nil
}

func wordOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// The words are made once: each row written needs them.
var (
	stateWords, statesByWord = wordTables(leadv1.State_name, stateWord)
	stageWords, stagesByWord = wordTables(leadv1.Stage_name, stageWord)
)

func wordTables[E ~int32](all map[int32]string, word func(E) string) (map[E]string, map[string]E) {
	words, byWord := make(map[E]string, len(all)), make(map[string]E, len(all))
	for n := range all {
		w := word(E(n))
		words[E(n)], byWord[w] = w, E(n)
	}
	return words, byWord
}
