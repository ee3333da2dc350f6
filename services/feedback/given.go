package feedback

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Given is the fold of what was said of leads: of what one person said of one lead the
// latest, without its free text. It is safe to be asked from anywhere.
type Given struct {
	mu sync.Mutex
	// said is in the order of sequences; latest is where each person's word on each lead
	// stands in it.
	said   []*given
	latest map[word]int
}

// word names what one person said of one lead.
type word struct{ lead, member string }

// given is what was said; body is nil where it was said anew since.
type given struct {
	lead            string
	body            *leadv1.FeedbackGiven
	occurred, known time.Time
	seq             uint64
}

// NewGiven is the fold of nothing.
func NewGiven() *Given { return &Given{latest: map[word]int{}} }

// Apply implements ledger.Fold.
func (g *Given) Apply(e *ledger.Event) {
	b, ok := e.Body.(*leadv1.FeedbackGiven)
	id, ours := lead.FromSubject(e.Subject)
	if !ok || !ours {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	who := word{id, b.GetMember()}
	if i, before := g.latest[who]; before {
		g.said[i].body = nil
	}
	g.latest[who] = len(g.said)
	g.said = append(g.said, &given{lead: id, body: answersOf(b), occurred: e.Occurred, known: e.Recorded, seq: e.Seq})
	if len(g.said) > 2*len(g.latest)+16 {
		g.said = slices.DeleteFunc(g.said, func(one *given) bool { return one.body == nil })
		for i, one := range g.said {
			g.latest[word{one.lead, one.body.GetMember()}] = i
		}
	}
}

// answersOf is feedback without its free text.
func answersOf(b *leadv1.FeedbackGiven) *leadv1.FeedbackGiven {
	out := proto.CloneOf(b)
	out.Note = nil
	return out
}

// list answers at most n of what is asked for and came behind a sequence, and the
// sequence behind which there is more; 0 = that is all.
func (g *Given) list(req *feedbackv1.ListFeedbackRequest, after uint64, n int) (out []*feedbackv1.LeadFeedback, next uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from, _ := slices.BinarySearchFunc(g.said, after+1, func(one *given, seq uint64) int {
		return cmp.Compare(one.seq, seq)
	})
	for _, one := range g.said[from:] {
		switch {
		case one.body == nil:
			continue
		case req.GetCampaign() != "" && one.body.GetCampaign() != req.GetCampaign():
			continue
		case req.GetSince() != nil && one.known.Before(req.GetSince().AsTime()):
			continue
		case len(out) == n:
			return out, out[n-1].GetSequence()
		}
		out = append(out, &feedbackv1.LeadFeedback{LeadId: one.lead, GivenAt: timestamppb.New(one.occurred), Feedback: one.body, Sequence: one.seq})
	}
	return out, 0
}

// phrases are those that were said of a vertical, the most frequent first, at most n.
func (g *Given) phrases(vertical string, n int) (out []string) {
	if vertical == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	count := map[string]int{}
	for _, one := range g.said {
		if one.body.GetVertical() != vertical {
			continue
		}
		for _, phrase := range one.body.GetPhrases() {
			if count[phrase]++; count[phrase] == 1 {
				out = append(out, phrase)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	return out[:min(n, len(out))]
}
