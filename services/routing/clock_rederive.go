package routing

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// IsClocks says whether a decision is one about clocks, collisions or oversight, by
// any version of its code.
func IsClocks(logic string) bool { return strings.HasPrefix(logic, "clocks/") }

// RederiveClocks works out again what had to be said at the batch's instant, from
// everything as it was folded at the batch's basis, and answers what differs, by
// sequence. The events are those of one batch that carry this kind of logic, in
// order.
func RederiveClocks(t *Times, leads func(id string) *lead.State, events []*ledger.Event) map[uint64]string {
	differ := map[uint64]string{}
	rest := map[string][]Told{}
	last := map[string]uint64{}
	for _, e := range events {
		if e.Logic != ClockLogic {
			differ[e.Seq] = fmt.Sprintf("the logic %q is not one that this version of Baton can run", e.Logic)
			continue
		}
		want, known := rest[e.Subject]
		if !known {
			want = t.again(e, leads)
		}
		last[e.Subject] = e.Seq
		if len(want) == 0 {
			rest[e.Subject] = []Told{}
			differ[e.Seq] = "nothing was due"
			continue
		}
		first := want[0]
		rest[e.Subject] = want[1:]
		switch {
		case !proto.Equal(first.Body, e.Body):
			differ[e.Seq] = difference(first.Body, e.Body)
		case !first.Occurred.IsZero() && !first.Occurred.Equal(e.Occurred):
			differ[e.Seq] = "it is not dated at the instant that was due"
		}
	}
	for _, e := range events {
		if n := len(rest[e.Subject]); n > 0 && last[e.Subject] == e.Seq && differ[e.Seq] == "" {
			differ[e.Seq] = fmt.Sprintf("%d more were due then and were not said", n)
		}
	}
	return differ
}

// again is what had to be said on the subject of an event at its instant.
func (t *Times) again(e *ledger.Event, leads func(id string) *lead.State) []Told {
	if id, ok := lead.FromSubject(e.Subject); ok {
		return t.read(id, &leads(id).Course, e.Recorded).told
	}
	if pool, ok := strings.CutPrefix(e.Subject, subjectPool); ok {
		if told, _ := t.oversight(pool, e.Recorded); told != nil {
			return []Told{*told}
		}
		return nil
	}
	person := strings.TrimPrefix(e.Subject, lead.SubjectPerson)
	told, err := t.collisions(person, func(id string) (*lead.State, error) { return leads(id), nil }, e.Recorded)
	if err != nil {
		return nil
	}
	return told
}

// Overrun is a run that is past its limit and of which nobody has heard.
type Overrun struct {
	Lead, Clock string
	Run         int32
}

// Overruns are the runs of a lead that had run out by an instant and of which the
// log says nothing. There is none where every clock is heard: whoever folds the log
// can hold that against it.
func (t *Times) Overruns(id string, c *lead.Course, now time.Time) []Overrun {
	var out []Overrun
	for _, r := range t.Runs(c) {
		said := false
		for _, s := range c.Said {
			said = said || s.Kind == lead.ClockBreached && s.Clock == r.Clock.ID && s.Started.Equal(r.Started)
		}
		if r.Breached(now) && !said {
			out = append(out, Overrun{id, r.Clock.ID, r.Number})
		}
	}
	return out
}
