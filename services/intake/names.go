package intake

import (
	"strings"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// subjectSubmission is where an id of a submission says which lead it stands for.
const subjectSubmission = "org.submission."

// Names is the fold of the ids that stand for one submission, for tools that give
// one submission several: an appointment that is moved has another each time. An
// id means one lead for ever, so whatever names any of them finds it.
type Names struct{ stands map[string]naming }

// naming is what an id stands for.
type naming struct {
	lead     string
	replaced bool
}

// NewNames is the fold of nothing.
func NewNames() *Names { return &Names{stands: map[string]naming{}} }

// Apply folds one event.
func (n *Names) Apply(e *ledger.Event) {
	b, ok := e.Body.(*intakev1.SubmissionNamed)
	if !ok {
		return
	}
	stands, known := n.stands[b.GetSubmissionId()]
	if !known {
		stands.lead = b.GetLeadId()
	}
	stands.replaced = stands.replaced || b.GetReplaced()
	n.stands[b.GetSubmissionId()] = stands
}

// leadOf is the lead that an id stands for, within a view of the log; empty = it
// has no other than its own.
func (n *Names) leadOf(submissionID string) string {
	if n == nil {
		return ""
	}
	return n.stands[submissionID].lead
}

// alias is an id by which a submission goes, its own first, and whether another
// took its place.
type alias struct {
	id       string
	replaced bool
}

// aliases are the ids by which a submission goes; nil where its source's mapping
// knows of no other than its own.
func (i Ids) aliases(sourceID, name string, m *Mapped) []alias {
	if name == "" || !m.Renamed {
		return nil
	}
	out := []alias{{i.Submission(sourceID, name, ""), len(m.ReplacedBy) > 0}}
	for _, old := range m.Replaces {
		out = append(out, alias{i.Submission(sourceID, old, ""), true})
	}
	for _, later := range m.ReplacedBy {
		out = append(out, alias{i.Submission(sourceID, later, ""), false})
	}
	return out
}

// chain is what the ids stand for, those of the submissions before in the same
// batch among them.
type chain struct {
	fold *Names
	said map[string]naming
}

func newChain(fold *Names) *chain { return &chain{fold: fold, said: map[string]naming{}} }

func (c *chain) of(id string) (naming, bool) {
	if stands, ok := c.said[id]; ok || c.fold == nil {
		return stands, ok
	}
	stands, ok := c.fold.stands[id]
	return stands, ok
}

// lead answers which lead a submission belongs to: that of the first of its ids
// that is known, else its own.
func (c *chain) lead(names []alias, own string) (id string, replaced bool) {
	if len(names) == 0 {
		return own, false
	}
	stands, known := c.of(names[0].id)
	for i := 1; i < len(names) && !known; i++ {
		if stands, known = c.of(names[i].id); known {
			return stands.lead, false
		}
	}
	if !known {
		return own, false
	}
	return stands.lead, stands.replaced
}

// name lets all the ids stand for the lead, and answers what is to be said for
// it. What an id stands for already stays. Its own is said as well: whoever names
// it at the same moment from elsewhere is then too late, and looks again.
func (c *chain) name(names []alias, sourceID, leadID string) (say []*intakev1.SubmissionNamed) {
	for _, n := range names {
		stands, known := c.of(n.id)
		if known && (stands.replaced || !n.replaced) {
			continue
		}
		if !known {
			stands.lead = leadID
		}
		stands.replaced = n.replaced
		c.said[n.id] = stands
		say = append(say, &intakev1.SubmissionNamed{SubmissionId: n.id, SourceId: sourceID, LeadId: stands.lead, Replaced: stands.replaced})
	}
	return say
}

// named are the ids at the paths, of those that have a value.
func named(item *Item, paths [][]spot) (out []string) {
	for _, at := range paths {
		i, ok := firstAt(item.Leaves, at)
		if !ok {
			continue
		}
		if id := strings.TrimSpace(item.Leaves[i].Value); id != "" && len(id) <= MaxKey {
			item.Leaves[i].isID = true
			out = append(out, id)
		}
	}
	return out
}
