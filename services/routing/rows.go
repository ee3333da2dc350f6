package routing

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// The fold of the pools as rows, and back. Rows read back give a fold that goes
// on as the one that wrote them would have.

type groupRow struct {
	Place int `json:"place"`
}

type heldRow struct {
	Member   string    `json:"member"`
	Pool     string    `json:"pool"`
	Offer    int32     `json:"offer"`
	TakeBy   time.Time `json:"take_by,omitzero"`
	RemindAt time.Time `json:"remind_at,omitzero"`
}

type lineRow struct {
	Pool      string    `json:"pool"`
	BlockedBy string    `json:"blocked_by"`
	Since     time.Time `json:"since,omitzero"`
	LookAgain time.Time `json:"look_again,omitzero"`
	Agreement int64     `json:"agreement"`
	Fallback  time.Time `json:"fallback_at,omitzero"`
	Place     int64     `json:"place"`
}

type memberRow struct {
	Away        bool      `json:"away"`
	From        time.Time `json:"from,omitzero"`
	Until       time.Time `json:"until,omitzero"`
	SignedIn    time.Time `json:"signed_in,omitzero"`
	Deactivated bool      `json:"deactivated,omitempty"`
}

// rows answers everybody as they stand at an instant, as others are told of them: with
// the leave that holds, or else the next one.
func (r *Roster) rows(now time.Time) map[string]memberRow {
	rows := make(map[string]memberRow, len(r.names))
	for _, name := range r.names {
		m := r.members[name]
		row := memberRow{Away: m.AwayAt(now), SignedIn: m.SignedIn, Deactivated: m.Deactivated}
		if ahead := m.Ahead(now); len(ahead) > 0 {
			row.From, row.Until = ahead[0].From, ahead[0].Until
		}
		rows[name] = row
	}
	return rows
}

// touch notes that a row has moved.
func (g *Groups) touch(group string, kind Kind, key string) {
	if g.changed != nil {
		g.changed[rowKey{group, kind, key}] = true
	}
}

// note notes the rows that a step moves.
func (g *Groups) note(group string, step *routingv1.PoolStep) {
	if g.changed == nil {
		return
	}
	switch step.GetKind() {
	case routingv1.StepKind_STEP_KIND_OFFERED:
		g.touch(group, kindRotation, step.GetPool())
		g.touch(group, kindLoad, step.GetMember())
		if len(step.GetPeriods()) > 0 {
			g.touch(group, kindGiven, step.GetMember())
		}
		g.touch(group, kindLine, step.GetLeadId())
		g.touch(group, kindHeld, step.GetLeadId())
	case routingv1.StepKind_STEP_KIND_ACCEPTED, routingv1.StepKind_STEP_KIND_REMINDED:
		g.touch(group, kindHeld, step.GetLeadId())
	case routingv1.StepKind_STEP_KIND_RELEASED:
		g.touch(group, kindLoad, step.GetMember())
		g.touch(group, kindHeld, step.GetLeadId())
	case routingv1.StepKind_STEP_KIND_ADJUSTED:
		g.touch(group, kindRotation, step.GetPool())
	case routingv1.StepKind_STEP_KIND_QUEUED, routingv1.StepKind_STEP_KIND_LEFT:
		g.touch(group, kindLine, step.GetLeadId())
	}
}

// rows answers the named rows as they stand; what does not stand is gone.
func (g *Groups) rows(keys []rowKey) ([]Row, error) {
	rows := make([]Row, 0, len(keys))
	for _, k := range keys {
		value, err := g.row(k)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{Group: k.group, Kind: k.kind, Key: k.key, Value: value})
	}
	return rows, nil
}

func (g *Groups) row(k rowKey) ([]byte, error) {
	group := g.Group(k.group)
	switch k.kind {
	case kindGroup:
		if place := slices.Index(g.names, k.key); place >= 0 {
			return json.Marshal(groupRow{place})
		}
	case kindRotation:
		if r := group.Rotations[k.key]; r != nil {
			return json.Marshal(r)
		}
	case kindLoad:
		if n := group.Load[k.key]; n != 0 {
			return json.Marshal(n)
		}
	case kindGiven:
		if given, ok := group.Given[k.key]; ok {
			return json.Marshal(given)
		}
	case kindHeld:
		if h, ok := group.Held[k.key]; ok {
			return json.Marshal(heldRow(h))
		}
	case kindLine:
		if w, ok := group.Line[k.key]; ok {
			return json.Marshal(lineRow{w.Pool, w.BlockedBy, w.Since, w.LookAgain, w.Version, w.FallbackAt, w.place})
		}
	}
	return nil, nil
}

// all names every row that there is, in no order.
func (g *Groups) all() []rowKey {
	var keys []rowKey
	for _, name := range g.names {
		keys = append(keys, rowKey{name, kindGroup, name})
		group := g.groups[name]
		for pool := range group.Rotations {
			keys = append(keys, rowKey{name, kindRotation, pool})
		}
		for member := range group.Load {
			keys = append(keys, rowKey{name, kindLoad, member})
		}
		for member := range group.Given {
			keys = append(keys, rowKey{name, kindGiven, member})
		}
		for id := range group.Held {
			keys = append(keys, rowKey{name, kindHeld, id})
		}
		for id := range group.Line {
			keys = append(keys, rowKey{name, kindLine, id})
		}
	}
	return keys
}

// restore makes a fold of rows. It refuses rows that no fold has written.
func (g *Groups) restore(rows []Row) error {
	changed := g.changed
	*g = *NewGroups()
	g.changed = changed
	ranks := map[string]int{}
	for _, row := range rows {
		if row.Kind == kindMember {
			continue
		}
		group := g.groups[row.Group]
		if group == nil {
			group = g.Group(row.Group)
			g.groups[row.Group] = group
			g.names = append(g.names, row.Group)
		}
		if err := g.take(ranks, group, row); err != nil {
			return fault.New(fault.Corrupt, "the kept %s row %q of group %q cannot be read; it is made again from the log: %w", row.Kind, row.Key, row.Group, err)
		}
	}
	if len(ranks) != len(g.names) {
		return fault.New(fault.Corrupt, "the kept routing state names %d groups and holds rows of %d; it is made again from the log", len(ranks), len(g.names))
	}
	slices.SortFunc(g.names, func(a, b string) int { return cmp.Compare(ranks[a], ranks[b]) })
	for _, group := range g.groups {
		slices.SortFunc(group.order, func(a, b string) int { return group.Line[a].compare(group.Line[b]) })
		for _, id := range group.order {
			pool := group.Line[id].Pool
			group.lines[pool] = append(group.lines[pool], id)
		}
	}
	slices.SortFunc(g.looks, lookAt.compare)
	return nil
}

func (g *Groups) take(ranks map[string]int, group *Group, row Row) error {
	switch row.Kind {
	case kindGroup:
		var v groupRow
		if err := json.Unmarshal(row.Value, &v); err != nil {
			return err
		}
		ranks[row.Key] = v.Place
	case kindRotation:
		r := &Rotation{pool: row.Key}
		if err := json.Unmarshal(row.Value, r); err != nil {
			return err
		}
		group.Rotations[row.Key] = r
	case kindLoad:
		var n int64
		if err := json.Unmarshal(row.Value, &n); err != nil {
			return err
		}
		group.Load[row.Key] = n
	case kindGiven:
		var v Given
		if err := json.Unmarshal(row.Value, &v); err != nil {
			return err
		}
		group.Given[row.Key] = v
	case kindHeld:
		var v heldRow
		if err := json.Unmarshal(row.Value, &v); err != nil {
			return err
		}
		group.Held[row.Key] = Hold(v)
		if !v.TakeBy.IsZero() {
			g.offers.push(dueOffer{v.TakeBy, row.Group, row.Key, v.Offer})
		}
		if !v.RemindAt.IsZero() {
			g.offers.push(dueOffer{v.RemindAt, row.Group, row.Key, v.Offer})
		}
	case kindLine:
		var v lineRow
		if err := json.Unmarshal(row.Value, &v); err != nil {
			return err
		}
		group.Line[row.Key] = Waiting{Pool: v.Pool, BlockedBy: v.BlockedBy, Since: v.Since, LookAgain: v.LookAgain, Version: v.Agreement, FallbackAt: v.Fallback, place: v.Place}
		group.order = append(group.order, row.Key)
		group.places = max(group.places, v.Place)
		if !v.LookAgain.IsZero() {
			g.looks = append(g.looks, lookAt{v.LookAgain, row.Group, row.Key})
		}
	default:
		return fault.New(fault.Corrupt, "unknown kind")
	}
	return nil
}
